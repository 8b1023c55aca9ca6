package wire

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// kind asserts that err is an *mpu.Error of a kind.
func kind(t *testing.T, err error, want mpu.Kind) *mpu.Error {
	t.Helper()
	var e *mpu.Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("%#v, want an *mpu.Error of kind %s", err, want)
	}
	return e
}

func TestDo(t *testing.T) {
	var seen *http.Request
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "body")
	})
	answer, err := Do(t.Context(), NewClient(RequestTime), get(t, s.URL+"/a%2Fb?c"), maxPage)
	if err != nil || answer.Status != 404 || string(answer.Body) != "body" || answer.Header.Get("X-Answer") != "yes" {
		t.Errorf("%+v, %v", answer, err)
	}
	if seen.RequestURI != "/a%2Fb?c" || seen.UserAgent() != "partsweep" || len(seen.TransferEncoding) > 0 ||
		seen.ContentLength != 0 || seen.ProtoMajor != 1 || seen.Header.Get("Accept-Encoding") != "" {
		t.Errorf("%+v", seen)
	}
}

func TestDoBoundsTheBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/error" {
			w.WriteHeader(500)
		}
		block := make([]byte, 1<<20)
		for range 17 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	_, err := Do(t.Context(), NewClient(RequestTime), get(t, s.URL+"/good"), maxPage)
	if e := kind(t, err, 0); !errors.Is(e, errTooLong) {
		t.Error(err)
	}
	answer, err := Do(t.Context(), NewClient(RequestTime), get(t, s.URL+"/error"), maxPage)
	if err != nil || len(answer.Body) != maxSmall {
		t.Errorf("%v; want the first %d bytes of the error", err, maxSmall)
	}
}

func TestDoBoundsTheHeader(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for range 1 << 10 {
			w.Header().Add("X-A", strings.Repeat("a", 1<<10))
		}
	})
	_, err := Do(t.Context(), NewClient(RequestTime), get(t, s.URL), maxPage)
	if kind(t, err, mpu.Transient); !strings.Contains(err.Error(), "headers exceeded") {
		t.Error(err)
	}
}

func TestDoNeverFollows(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			http.Redirect(w, r, "/there", status)
		})
		for name, client := range map[string]*http.Client{"own": Client(nil), "another": Client(&http.Client{})} {
			requests.Store(0)
			answer, err := Do(t.Context(), client, get(t, s.URL), maxPage)
			if err != nil || answer.Status != status || requests.Load() != 1 {
				t.Errorf("%s client, %d: %+v, %v, %d requests", name, status, answer, err, requests.Load())
			}
		}
	}
}

// net/http parses the Location of a redirect even if it is told not to follow it, and quotes what it cannot parse.
func TestDoTakesAnyLocation(t *testing.T) {
	for _, location := range []string{"https://elsewhere.example/%zz?X-Amz-Signature=sssh", "http://[::1/", ":", ""} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(http.StatusMovedPermanently)
		})
		for name, client := range map[string]*http.Client{"own": Client(nil), "another": Client(&http.Client{})} {
			if answer, err := Do(t.Context(), client, get(t, s.URL), maxPage); err != nil || answer.Status != 301 {
				t.Errorf("%s client, to %q: %+v, %v", name, location, answer, err)
			}
		}
	}
}

func TestClientLeavesTheCallersAlone(t *testing.T) {
	theirs := &http.Client{Timeout: time.Second, Transport: http.DefaultTransport}
	ours := Client(theirs)
	if theirs.CheckRedirect != nil || ours == theirs || ours.Timeout != time.Second || ours.Transport != theirs.Transport {
		t.Errorf("%+v, made of %+v", ours, theirs)
	}
	if first := Client(nil); first != Client(nil) {
		t.Error("two clients for one process")
	}
}

// A GET on a kept connection that is cut is sent again by net/http, unless it is told not to.
func TestOneRequestPerCall(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	client := NewClient(RequestTime)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		requests.Store(0)
		req := get(t, s.URL)
		req.Method = method
		if _, err := Do(t.Context(), client, req, maxPage); err != nil {
			t.Fatal(err)
		}
		_, err := Do(t.Context(), client, req, maxPage)
		kind(t, err, mpu.Transient)
		if n := requests.Load(); n != 2 {
			t.Errorf("%s: %d requests for two calls", method, n)
		}
	}
}

func TestDoFailures(t *testing.T) {
	hang := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-hang
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/drip":
			for {
				select {
				case <-hang:
					return
				case <-r.Context().Done():
					return
				case <-time.After(time.Millisecond):
					io.WriteString(w, "x")
					w.(http.Flusher).Flush()
				}
			}
		case "/short":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "short")
		case "/chunks":
			io.WriteString(w, "short")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	t.Cleanup(func() { close(hang) }) // before the server is closed
	refused := httptest.NewServer(nil)
	refused.Close()
	tlsServer := httptest.NewUnstartedServer(nil)
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	slow := NewClient(20 * time.Millisecond)
	noName := NewClientOn(Network{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "b.example", IsNotFound: true}
	}}, RequestTime)
	for _, tt := range []struct {
		name   string
		url    string
		client *http.Client
		want   mpu.Kind
		is     error
	}{
		{"slow server", s.URL + "/hang", slow, mpu.Transient, nil},
		{"byte by byte", s.URL + "/drip", slow, mpu.Transient, nil},
		{"cut", s.URL + "/cut", nil, mpu.Transient, io.ErrUnexpectedEOF},
		{"less than promised", s.URL + "/short", nil, mpu.Transient, io.ErrUnexpectedEOF},
		{"cut between chunks", s.URL + "/chunks", nil, mpu.Transient, io.ErrUnexpectedEOF},
		{"refused", refused.URL, nil, mpu.Transient, nil},
		{"certificate", tlsServer.URL, nil, 0, nil},
		{"not TLS", "https" + strings.TrimPrefix(s.URL, "http"), nil, 0, nil},
		{"no such host", "http://b.example", noName, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := tt.client
			if client == nil {
				client = NewClient(RequestTime)
			}
			_, err := Do(t.Context(), client, get(t, tt.url+"?Signature=sssh"), maxPage)
			e := kind(t, err, tt.want)
			if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("%v looks like the caller's own doing", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if strings.Contains(err.Error(), "sssh") {
				t.Errorf("%v shows the query", err)
			}
			if (tt.want == 0 || tt.name == "refused") != (e.Hint != "") {
				t.Errorf("%v: hint %q", err, e.Hint)
			}
		})
	}
}

func TestDoContext(t *testing.T) {
	hang := make(chan struct{})
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/body" {
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
		}
		<-hang
	})
	t.Cleanup(func() { close(hang) }) // before the server is closed
	client := NewClient(RequestTime)
	for _, path := range []string{"/headers", "/body"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := Do(ctx, client, get(t, s.URL+path), maxPage)
		cancel()
		kind(t, err, mpu.Transient)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the caller's deadline", path, err)
		}
	}
	requests.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Do(ctx, client, get(t, s.URL), maxPage)
	kind(t, err, mpu.Transient)
	if !errors.Is(err, context.Canceled) || requests.Load() != 0 {
		t.Errorf("%v after %d requests, want context.Canceled after none", err, requests.Load())
	}
}

// A dialer may notice the caller's deadline before the context's own timer has fired.
func TestDoContextDeadlineFromDialer(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	cancel()
	late := deadlineOnly{ctx}
	e := failed(late, 0, &url.Error{Op: "Get", URL: "http://x/", Err: &net.OpError{Op: "dial", Err: errors.New("i/o timeout")}})
	if !errors.Is(e, context.DeadlineExceeded) || e.Kind != mpu.Transient {
		t.Error(e)
	}
}

// deadlineOnly is a context that is past its deadline and does not know it yet.
type deadlineOnly struct{ context.Context }

func (deadlineOnly) Err() error { return nil }

func TestConnectionsAreKept(t *testing.T) {
	var dials atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, strings.Repeat("<p>busy</p>", 2000))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dials.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	client := NewClient(RequestTime)
	const flying = 128
	for range 3 {
		var wg sync.WaitGroup
		for range flying {
			wg.Go(func() {
				if _, err := Do(t.Context(), client, get(t, s.URL), maxPage); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := dials.Load(); n > flying*3/2 {
		t.Errorf("%d connections for %d at a time", n, flying)
	}
}

// The time for an answer is each request's own: a connection that was idle for longer than that can still be used or is left
// alone, and so can one that many requests use one after the other.
func TestTimeIsEachRequests(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(limit / 10) })
	client := NewClient(limit)
	for i := range 12 {
		if i == 1 {
			time.Sleep(limit * 11 / 10)
		}
		if _, err := Do(t.Context(), client, get(t, s.URL), maxPage); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestAbout(t *testing.T) {
	u := upload("a b", "u")
	err := About(&mpu.Error{Kind: mpu.Gone}, "abort upload", u)
	if want := "abort upload: s3://bkt/a%20b?uploadId=u: gone"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if err := About(&mpu.Error{Op: "o", Target: "t"}, "abort upload", u); err.Error() != "o: t: unclassified" {
		t.Errorf("%q", err)
	}
	if About(nil, "abort upload", u) != nil {
		t.Error("an error out of none")
	}
}
