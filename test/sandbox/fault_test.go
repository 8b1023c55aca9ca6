package sandbox_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/test/sandbox"
)

// get sends an unsigned request and returns its status and body; status 0 if there was no answer.
func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// TestFaultMatching sends one unsigned listing after another: 403 unless a fault acts.
func TestFaultMatching(t *testing.T) {
	tests := []struct {
		name  string
		fault sandbox.Fault
		want  []int
	}{
		{"always", sandbox.Fault{Code: "SlowDown"}, []int{503, 503, 503}},
		{"once", sandbox.Fault{Code: "SlowDown", Times: 1}, []int{503, 403, 403}},
		{"skip one", sandbox.Fault{Code: "SlowDown", Skip: 1}, []int{403, 503, 503}},
		{"skip one, once", sandbox.Fault{Code: "SlowDown", Skip: 1, Times: 1}, []int{403, 503, 403}},
		{"this bucket", sandbox.Fault{Code: "SlowDown", Service: sandbox.S3, Op: sandbox.OpListUploads, Bucket: "b"}, []int{503, 503, 503}},
		{"other service", sandbox.Fault{Code: "SlowDown", Service: sandbox.OBS}, []int{403, 403, 403}},
		{"other operation", sandbox.Fault{Code: "SlowDown", Op: sandbox.OpAbort}, []int{403, 403, 403}},
		{"other bucket", sandbox.Fault{Code: "SlowDown", Bucket: "c"}, []int{403, 403, 403}},
		{"other key", sandbox.Fault{Code: "SlowDown", Key: "k"}, []int{403, 403, 403}},
		{"other upload", sandbox.Fault{Code: "SlowDown", UploadID: "u"}, []int{403, 403, 403}},
		{"cut", sandbox.Fault{Cut: true, Times: 1}, []int{0, 403, 403}},
		{"when it says so", sandbox.Fault{Code: "SlowDown", When: func(t sandbox.Target) bool { return t.Bucket == "b" }}, []int{503, 503, 503}},
		{"when it does not", sandbox.Fault{Code: "SlowDown", When: func(t sandbox.Target) bool { return false }}, []int{403, 403, 403}},
		{"land a part, but nothing is aborted", sandbox.Fault{LandPart: 1}, []int{403, 403, 403}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.Script(test.fault)
			var got []int
			for range test.want {
				status, _, _ := get(t, s.URL(sandbox.S3)+"/b?uploads")
				got = append(got, status)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for i, e := range s.Ledger() {
				if e.Status != test.want[i] || e.Fault != (test.want[i] != 403) {
					t.Errorf("ledger: %+v", e)
				}
			}
		})
	}
}

func TestFaultsTakeTurns(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Code: "SlowDown", Times: 1})
	remove := s.Script(sandbox.Fault{Code: "InternalError", Skip: 1})
	var got []int
	for i := range 5 {
		if i == 4 {
			remove()
			remove() // the second time does nothing
		}
		status, _, _ := get(t, s.URL(sandbox.S3)+"/b?uploads")
		got = append(got, status)
	}
	// A fault counts only what earlier ones left to it.
	if diff := cmp.Diff([]int{503, 403, 500, 500, 403}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFaultTimesUnderLoad has many clients at once: a fault that acts ten times acts ten times.
func TestFaultTimesUnderLoad(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Code: "SlowDown", Skip: 20, Times: 10})
	var slow atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if status, _, _ := get(t, s.URL(sandbox.COS)+"/b?uploads"); status == 503 {
					slow.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if slow.Load() != 10 || s.Count(sandbox.COS, sandbox.OpListUploads) != 80 || s.Count(sandbox.COS, "") != 80 {
		t.Errorf("acted %d times in %d requests", slow.Load(), s.Count(sandbox.COS, ""))
	}
}

func TestFaultDoThenOn(t *testing.T) {
	s := start(t, sandbox.Options{})
	called := false
	s.Script(sandbox.Fault{Do: func() { called = true }})
	if status, _, _ := get(t, s.URL(sandbox.S3)+"/b?uploads"); status != 403 || !called {
		t.Errorf("status %d, called %v", status, called)
	}
}

func TestFaultRespond(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Respond: func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "<html>")
	}})
	status, body, h := get(t, s.URL(sandbox.S3)+"/b?uploads")
	if status != 502 || body != "<html>" || h.Get("Content-Type") != "text/html" {
		t.Errorf("got %d %q %v", status, body, h)
	}
	if e := s.Ledger()[0]; e.Status != 502 || !e.Fault {
		t.Errorf("ledger: %+v", e)
	}
}

func TestFaultRespondNothing(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Respond: func(http.ResponseWriter) {}})
	if status, body, _ := get(t, s.URL(sandbox.OSS)+"/"); status != 200 || body != "" {
		t.Errorf("got %d %q", status, body)
	}
	if e := s.Ledger()[0]; e.Status != 200 {
		t.Errorf("ledger: %+v", e)
	}
}

// TestFaultRespondHijack takes the connection over and leaves an answer half said.
func TestFaultRespondHijack(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Respond: func(w http.ResponseWriter) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		rw.Flush()
		conn.Close()
	}})
	resp, err := http.Get(s.URL(sandbox.S3) + "/b?uploads")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF || string(b) != "half" {
		t.Errorf("got %q, %v", b, err)
	}
	if e := s.Ledger()[0]; e.Status != 0 {
		t.Errorf("ledger: %+v", e)
	}
}

func TestFaultMangle(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Mangle: func(status int, b []byte) []byte {
		if status != 403 {
			t.Errorf("status %d", status)
		}
		return b[:len(b)/2]
	}})
	status, body, h := get(t, s.URL(sandbox.S3)+"/b?uploads")
	if status != 403 || !strings.Contains(body, "<Code>AccessDenied</Code>") || strings.Contains(body, "</Error>") {
		t.Errorf("got %d %q", status, body)
	}
	if h.Get("X-Sandbox-Code") != "" {
		t.Error("the ledger's header left the house")
	}
	if e := s.Ledger()[0]; e.Code != "AccessDenied" || e.Status != 403 {
		t.Errorf("ledger: %+v", e)
	}
}

// TestFaultLatencyEnds lets a client go away from a fault that would hold it for an hour.
func TestFaultLatencyEnds(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Latency: time.Hour})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(sandbox.S3), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	// What was written before the end is read before it, so the request arrives.
	_, err = io.WriteString(conn, "GET /b?uploads HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); len(s.Ledger()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // the server notices in its own time, long before the hour is over
			t.Fatal("the fault still holds the request")
		}
	}
	if e := s.Ledger()[0]; e.Status != 0 || !e.Fault {
		t.Errorf("ledger: %+v", e)
	}
}

func TestFaultLatencyThenOn(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Latency: 1})
	if status, _, _ := get(t, s.URL(sandbox.S3)+"/b?uploads"); status != 403 {
		t.Errorf("status %d", status)
	}
}

func TestScriptUnknownCode(t *testing.T) {
	s := start(t, sandbox.Options{})
	for _, f := range []sandbox.Fault{{Service: sandbox.COS, Code: "TooManyRequests"}, {Code: "NoSuchCode"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s %s: no panic", f.Service, f.Code)
				}
			}()
			s.Script(f)
		}()
	}
	s.Script(sandbox.Fault{Code: "TooManyRequests"}) // OBS has it
}

// The ledger tells what the operation would have answered: it did run.
func TestCutAfter(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.CreateBucket(sandbox.S3, "b", "")
	s.Script(sandbox.Fault{CutAfter: true, Times: 1})
	for _, want := range []int{0, 403} {
		if got, _, _ := get(t, s.URL(sandbox.S3)+"/b?uploads"); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	if l := s.Ledger(); len(l) != 2 || l[0].Status != 403 || !l[0].Fault || l[1].Fault {
		t.Errorf("%+v", l)
	}
}
