package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A protocol is one of the two over HTTP, with what differs as data.
type protocol struct {
	name, prefix, idHeader, deadlineHeader string
	accepted, limit                        int
	start                                  func() (Host, string, error)
}

var protocols = []protocol{
	{"lambda", "/2018-06-01/runtime/invocation/", "Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms", 202, lambdaPayload,
		func() (Host, string, error) {
			h, err := StartLambda()
			return h, h.Addr, err
		}},
	{"fc", "/2020-11-11/runtime/invocation/", "X-Fc-Request-Id", "X-Fc-Function-Deadline", 200, fcPayload,
		func() (Host, string, error) {
			h, err := StartFC()
			return h, h.Addr, err
		}},
}

// A function is the other side of the two protocols.
type function struct {
	*testing.T
	protocol
	Host
	base string
	busy sync.WaitGroup
}

func startFunction(t *testing.T, p protocol) *function {
	h, addr, err := p.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	f := &function{T: t, protocol: p, Host: h, base: "http://" + addr + p.prefix}
	t.Cleanup(f.busy.Wait)
	return f
}

func (f *function) next() (id, event string, header http.Header) {
	resp, err := http.Get(f.base + "next")
	if err != nil {
		f.Error(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Error(err)
	}
	return resp.Header.Get(f.idHeader), string(body), resp.Header
}

func (f *function) post(id, what string, body io.Reader) (status int) {
	resp, err := http.Post(f.base+id+"/"+what, "application/json", body)
	if err != nil {
		f.Error(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// each runs a test under both protocols.
func each(t *testing.T, test func(f *function)) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(startFunction(t, p))
		})
	}
}

func TestResult(t *testing.T) {
	each(t, func(f *function) {
		asked := time.Now()
		f.busy.Go(func() {
			id, event, header := f.next()
			if ms, err := strconv.ParseInt(header.Get(f.deadlineHeader), 10, 64); err != nil || time.UnixMilli(ms).Sub(asked) < 59*time.Second {
				f.Errorf("deadline %q, want a minute from now", header.Get(f.deadlineHeader))
			}
			if got := f.post(id, "response", strings.NewReader("re: "+event)); got != f.accepted {
				f.Errorf("the result was answered with %d, want %d", got, f.accepted)
			}
			if got := f.post(id, "response", strings.NewReader("again")); got != http.StatusBadRequest {
				f.Errorf("a second result was answered with %d, want 400", got)
			}
		})
		got, err := f.Invoke(f.Context(), []byte("event"), Call{Timeout: time.Minute})
		if err != nil || string(got) != "re: event" {
			f.Errorf("%q, %v", got, err)
		}
	})
}

func TestFunctionError(t *testing.T) {
	each(t, func(f *function) {
		f.busy.Go(func() {
			id, _, _ := f.next()
			f.post(id, "error", strings.NewReader(`{"errorMessage":"no","errorType":"T","stackTrace":[{"path":"main.go","line":7,"label":"main"}]}`))
		})
		_, err := f.Invoke(f.Context(), []byte("{}"), Call{})
		var e *FunctionError
		if !errors.As(err, &e) || e.Error() != "T: no" || len(e.StackTrace) != 1 || e.StackTrace[0].Line != 7 {
			f.Errorf("%#v", err)
		}
	})
}

func TestBadReports(t *testing.T) {
	each(t, func(f *function) {
		f.busy.Go(func() { f.Invoke(f.Context(), []byte("{}"), Call{Timeout: time.Minute}) })
		id, _, _ := f.next()
		for _, test := range []struct {
			id   string
			body io.Reader
			want int
		}{
			{"unknown", strings.NewReader("{}"), http.StatusBadRequest},
			{id, io.LimitReader(zeros{}, int64(f.limit)+1), http.StatusRequestEntityTooLarge},
			{id, strings.NewReader("{}"), f.accepted},
		} {
			for _, what := range []string{"response", "error"} {
				if got := f.post(test.id, what, test.body); got != test.want {
					f.Errorf("%s of %q: status %d, want %d", what, test.id, got, test.want)
				}
				if test.want != http.StatusBadRequest {
					break
				}
			}
		}
		if got := f.post(id, "done", nil); got != http.StatusNotFound {
			f.Errorf("an unknown path: status %d, want 404", got)
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A function that is too slow has timed out, and its late result is refused.
func TestTimeout(t *testing.T) {
	each(t, func(f *function) {
		id := make(chan string, 1)
		f.busy.Go(func() {
			got, _, _ := f.next()
			id <- got
		})
		if _, err := f.Invoke(f.Context(), nil, Call{Timeout: 50 * time.Millisecond}); err == nil || !strings.Contains(err.Error(), "timed out after 50ms") {
			f.Error(err)
		}
		if got := f.post(<-id, "response", nil); got != http.StatusBadRequest {
			f.Errorf("a late result was answered with %d, want 400", got)
		}
	})
}

func TestNeverAsked(t *testing.T) {
	each(t, func(f *function) {
		ctx, cancel := context.WithTimeout(f.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := f.Invoke(ctx, nil, Call{}); !errors.Is(err, context.DeadlineExceeded) {
			f.Error(err)
		}
	})
}

func TestFCCredentials(t *testing.T) {
	f := startFunction(t, protocols[1])
	for _, c := range []Credentials{{"id1", "secret1", "token1"}, {"id2", "secret2", "token2"}} {
		f.busy.Go(func() { f.Invoke(t.Context(), nil, Call{Credentials: c, Timeout: 1500 * time.Millisecond}) })
		_, _, h := f.next()
		got := Credentials{h.Get("x-fc-access-key-id"), h.Get("x-fc-access-key-secret"), h.Get("x-fc-security-token")}
		if got != c || h.Get("x-fc-function-timeout") != "2" {
			t.Errorf("%+v", h)
		}
	}
}

// Function is the other side of SCF's protocol. Its messages have the fields that the test looks at; net/rpc wants their
// types exported.
type Function struct{ parallel chan struct{} }

type InvokeRequest struct {
	Payload       []byte
	RequestId     string
	Deadline      struct{ Seconds, Nanos int64 }
	TimeLimitInMs int32
	Environment   string
}

type InvokeResponse struct {
	Payload []byte
	Error   *struct {
		Message, Type string
		ShouldExit    bool
	}
}

func (*Function) Ping(struct{ Unused int }, *struct{ Unused int }) error { return nil }

func (f *Function) Invoke(r InvokeRequest, resp *InvokeResponse) error {
	switch string(r.Payload) {
	case "fail":
		resp.Error = &struct {
			Message, Type string
			ShouldExit    bool
		}{"no", "T", true}
		return nil
	case "hang":
		<-f.parallel
		return nil
	}
	var err error
	resp.Payload, err = json.Marshal(r)
	return err
}

// startRPC starts a host, and a while after it the function.
func startRPC(t *testing.T) *SCF {
	h, err := StartSCF()
	if err != nil {
		t.Fatal(err)
	}
	f := &Function{parallel: make(chan struct{})}
	server := rpc.NewServer()
	if err := server.Register(f); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(h.Port))
		if err != nil {
			t.Error(err)
			return
		}
		context.AfterFunc(t.Context(), func() { l.Close() })
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go server.ServeConn(conn)
		}
	})
	t.Cleanup(func() {
		close(f.parallel)
		h.Close()
	})
	return h
}

func TestSCF(t *testing.T) {
	h := startRPC(t)
	invoke := func(event string, call Call) (got InvokeRequest, err error) {
		body, err := h.Invoke(t.Context(), []byte(event), call)
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		return got, err
	}
	call := Call{Timeout: time.Minute, Credentials: Credentials{"id", "secret", "token"}}
	got, err := invoke("event", call)
	if err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(got.Deadline.Seconds, got.Deadline.Nanos))
	if string(got.Payload) != "event" || got.RequestId == "" || got.TimeLimitInMs != 60_000 || left <= 50*time.Second || left > time.Minute {
		t.Errorf("%+v", got)
	}
	var env map[string]string
	if err := json.Unmarshal([]byte(got.Environment), &env); err != nil || env["TENCENTCLOUD_SECRETID"] != "id" ||
		env["TENCENTCLOUD_SECRETKEY"] != "secret" || env["TENCENTCLOUD_SESSIONTOKEN"] != "token" {
		t.Errorf("environment %q, %v", got.Environment, err)
	}
	call.NoDeadline = true
	if got, err := invoke("event", call); err != nil || got.Deadline.Seconds != 0 || got.Deadline.Nanos != 0 || got.TimeLimitInMs != 60_000 {
		t.Errorf("%+v, %v", got, err)
	}
	var e *FunctionError
	if _, err := invoke("fail", call); !errors.As(err, &e) || e.Error() != "T: no" {
		t.Errorf("%#v", err)
	}
	if _, err := invoke("hang", Call{Timeout: 50 * time.Millisecond}); err == nil || !strings.Contains(err.Error(), "timed out after 50ms") {
		t.Error(err)
	}
	if _, err := invoke("event", call); err != nil {
		t.Errorf("after one that timed out: %v", err)
	}
}

func TestSCFNeverServed(t *testing.T) {
	h, err := StartSCF()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Invoke(ctx, nil, Call{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
