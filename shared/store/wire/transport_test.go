package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counted starts a server and counts connections to it, and those of them that are open.
func counted(t *testing.T, h http.Handler) (s *httptest.Server, made, open *atomic.Int32) {
	t.Helper()
	made, open = new(atomic.Int32), new(atomic.Int32)
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			made.Add(1)
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, made, open
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") })

// A connection that the server has closed while nobody used it is not used again, as happens to a function that was frozen for
// a while.
func TestClosedConnectionIsNotUsed(t *testing.T) {
	s, made, _ := counted(t, fine)
	client := NewClient(RequestTime)
	for range 2 {
		if _, err := Do(t.Context(), client, get(t, s.URL), maxSmall); err != nil {
			t.Fatal(err)
		}
	}
	if n := made.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	s.CloseClientConnections()
	time.Sleep(50 * time.Millisecond)
	if _, err := Do(t.Context(), client, get(t, s.URL), maxSmall); err != nil {
		t.Error(err)
	}
	if n := made.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// A connection that nobody has used for a moment is looked at, and used again if it stands, with all of a request's time.
func TestIdleConnectionIsUsedAgain(t *testing.T) {
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * lookTime)
		io.WriteString(w, "fine")
	})
	for _, tls := range []bool{false, true} {
		s, made, _ := counted(t, slow)
		if tls {
			s = httptest.NewTLSServer(slow)
			defer s.Close()
		}
		client := NewClientOn(Network{Roots: rootsOf(s)}, RequestTime)
		for range 2 {
			if _, err := Do(t.Context(), client, get(t, s.URL), maxSmall); err != nil {
				t.Fatal(tls, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if n := made.Load(); !tls && n != 1 {
			t.Errorf("%d connections", n)
		}
		if n := len(client.Transport.(*direct).idle[s.URL]); n != 1 {
			t.Errorf("%d connections are kept", n)
		}
	}
}

// What is idle for too long is closed, whether anybody asks again or not.
func TestIdleConnectionsAreClosed(t *testing.T) {
	s, made, open := counted(t, fine)
	client := NewClient(120 * time.Millisecond)
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := Do(t.Context(), client, get(t, s.URL), maxSmall)
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if made.Load() == 0 {
		t.Fatal("no connection was made")
	}
	until(t, "idle connections stay open", func() bool { return open.Load() == 0 })
}

func TestCloseIdleConnections(t *testing.T) {
	s, _, open := counted(t, fine)
	client := NewClient(RequestTime)
	for range 2 {
		if _, err := Do(t.Context(), client, get(t, s.URL), maxSmall); err != nil {
			t.Fatal(err)
		}
		client.CloseIdleConnections()
		until(t, "idle connections stay open", func() bool { return open.Load() == 0 })
	}
}

// raw serves connections by hand: every request is answered with the next of the answers, and the connection is kept.
func raw(t *testing.T, answers ...string) (url string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	requests = new(atomic.Int32)
	go eachConn(l, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			n := int(requests.Add(1))
			io.WriteString(conn, answers[min(n, len(answers))-1])
		}
	})
	return "http://" + l.Addr().String(), requests
}

func TestRawAnswers(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
	for _, tt := range []struct {
		name, answer string
		body         string
		kept         int
		err          string
	}{
		{"whole", good, "fine", 1, ""},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", "fine", 1, ""},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", "", 1, ""},
		{"to the end", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine", "fine", 0, ""},
		{"and no more", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine", "fine", 0, ""},
		{"two for one", good + good, "fine", 0, ""},
		{"after interim ones", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + good, "fine", 1, ""},
		{"interim ones only", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), "", 0, "interim"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "", 0, ""},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine!", "", 0, "Content-Length"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "", 0, "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, requests := raw(t, tt.answer)
			client := NewClient(RequestTime)
			a, err := Do(t.Context(), client, get(t, url), maxSmall)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case string(a.Body) != tt.body:
				t.Errorf("body %q", a.Body)
			}
			if n := len(client.Transport.(*direct).idle[url]); n != tt.kept {
				t.Errorf("%d connections are kept, want %d", n, tt.kept)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// An answer that is closed before its end takes its connection with it, and one that is cancelled does at once.
func TestUnreadAnswers(t *testing.T) {
	gone := make(chan struct{})
	s, made, open := counted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" {
			select {
			case <-r.Context().Done():
				close(gone)
			case <-time.After(10 * time.Second):
			}
			return
		}
		for range 1000 {
			fmt.Fprintln(w, strings.Repeat("x", 1000))
		}
	}))
	client := NewClient(RequestTime)
	resp, err := Send(t.Context(), client, get(t, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after close: %v", err)
	}
	until(t, "the connection of an answer that was not read stays open", func() bool { return made.Load() == 1 && open.Load() == 0 })

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	if _, err := Do(ctx, client, get(t, s.URL+"/stuck"), maxSmall); !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	<-gone
}

// What is written is what net/http's server reads, and nothing in it makes a line of its own.
func TestRequestsAreWritten(t *testing.T) {
	var mu sync.Mutex
	var got *http.Request
	var body []byte
	s, _, _ := counted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	client := NewClient(RequestTime)
	req, err := http.NewRequest(http.MethodPost, s.URL+"/a%2Fb%20c?x=1&y=%2B", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "bucket.example"
	req.Header.Set("X-Two", "1")
	req.Header.Add("X-Two", "2")
	req.Header.Set("Content-Length", "999")
	req.Header.Set("Host", "other.example")
	if _, err := Do(t.Context(), client, req, maxSmall); err != nil {
		t.Fatal(err)
	}
	if got.Host != "bucket.example" || got.RequestURI != "/a%2Fb%20c?x=1&y=%2B" || got.ContentLength != 8 || string(body) != "the body" ||
		strings.Join(got.Header["X-Two"], ",") != "1,2" || got.UserAgent() != userAgent {
		t.Errorf("%+v with %q", got, body)
	}
	for method, length := range map[string]int64{http.MethodPut: 0, http.MethodDelete: 0, http.MethodGet: 0} {
		req, _ := http.NewRequest(method, s.URL, nil)
		if _, err := Do(t.Context(), client, req, maxSmall); err != nil || got.Method != method || got.ContentLength != length {
			t.Errorf("%s: %v, length %d", method, err, got.ContentLength)
		}
	}
	got = nil
	for name, spoil := range map[string]func(*http.Request){
		"a header":            func(r *http.Request) { r.Header.Set("X", "a\r\nY: b") },
		"its name":            func(r *http.Request) { r.Header["X\r\nY"] = []string{"a"} },
		"the host":            func(r *http.Request) { r.Host = "a\r\nY: b" },
		"the target":          func(r *http.Request) { r.URL.Opaque = "/a\r\nY: b" },
		"the query":           func(r *http.Request) { r.URL.RawQuery = "a\nb" },
		"the method":          func(r *http.Request) { r.Method = "GET\r\n" },
		"a body of no length": func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1 },
		"a short body":        func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 5 },
	} {
		req, _ := http.NewRequest(http.MethodPut, s.URL, nil)
		spoil(req)
		_, err := Do(t.Context(), client, req, maxSmall)
		mu.Lock()
		if err == nil || got != nil {
			t.Errorf("%s: %v, the server saw %+v", name, err, got)
		}
		mu.Unlock()
	}
}

// A proxy is asked as it expects to be; what needs a tunnel gets one.
func TestProxies(t *testing.T) {
	target := httptest.NewTLSServer(fine)
	defer target.Close()
	var seen []string
	proxy, _, _ := counted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.RequestURI)
		if r.Method != http.MethodConnect {
			io.WriteString(w, "from the proxy")
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(there, here); there.Close() }()
		go func() { io.Copy(here, there); here.Close() }()
	}))
	via, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClientOn(Network{Proxy: http.ProxyURL(via), Roots: rootsOf(target)}, RequestTime)
	for _, tt := range []struct{ url, want, body string }{
		{"http://bucket.example/key?uploads", "GET http://bucket.example/key?uploads", "from the proxy"},
		{target.URL, "CONNECT " + strings.TrimPrefix(target.URL, "https://"), "fine"},
	} {
		seen = nil
		a, err := Do(t.Context(), client, get(t, tt.url), maxSmall)
		if err != nil {
			t.Fatal(tt.url, err)
		}
		if string(a.Body) != tt.body || len(seen) != 1 || seen[0] != tt.want {
			t.Errorf("%s: %q, the proxy saw %q", tt.url, a.Body, seen)
		}
	}
	client = NewClientOn(Network{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no such proxy") }}, RequestTime)
	if _, err := Do(t.Context(), client, get(t, target.URL), maxSmall); err == nil || !strings.Contains(err.Error(), "no such proxy") {
		t.Error(err)
	}
}

// rootsOf are the certificates that a server of a test is to be believed by.
func rootsOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	if s.Certificate() != nil {
		pool.AddCert(s.Certificate())
	}
	return pool
}

// What comes on a kept connection that nobody asked for is never taken for the answer to the next request, however soon that is.
func TestStrayAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		first, stray string // the stray one follows with the first or a moment later
		wait         time.Duration
	}{
		"another answer":                {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", 10 * time.Millisecond},
		"another answer, at once":       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", 0},
		"the end of a body that is not": {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", 3 * time.Millisecond},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", TLS ", secure), func(t *testing.T) {
				certified := httptest.NewTLSServer(fine)
				defer certified.Close()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				scheme := "http"
				if secure {
					l, scheme = tls.NewListener(l, &tls.Config{Certificates: certified.TLS.Certificates}), "https"
				}
				defer l.Close()
				go eachConn(l, func(conn net.Conn, r *bufio.Reader) {
					for {
						req, err := http.ReadRequest(r)
						if err != nil {
							return
						}
						if req.URL.Path != "/stray" {
							io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
							continue
						}
						io.WriteString(conn, tt.first)
						time.Sleep(tt.wait)
						io.WriteString(conn, tt.stray)
					}
				})
				client := NewClientOn(Network{Roots: rootsOf(certified)}, RequestTime)
				for i, path := range []string{"/stray", "/", "/", "/stray", "/"} {
					a, err := Do(t.Context(), client, deletion(t, scheme+"://"+l.Addr().String()+path), maxSmall)
					if want := map[string]int{"/": 403, "/stray": 204}[path]; err != nil || a.Status != want {
						t.Fatalf("request %d, %s: %+v, %v; want %d", i, path, a, err, want)
					}
					time.Sleep(5*time.Millisecond + 2*tt.wait)
				}
			})
		}
	}
}

func eachConn(l net.Listener, serve func(net.Conn, *bufio.Reader)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serve(conn, bufio.NewReader(conn))
		}()
	}
}

func deletion(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// A server that closes connections soon costs connections, not requests.
func TestServerThatClosesSoon(t *testing.T) {
	s := httptest.NewUnstartedServer(fine)
	s.Config.IdleTimeout = 20 * time.Millisecond
	s.Start()
	defer s.Close()
	client := NewClient(RequestTime)
	for i := range 5 {
		if _, err := Do(t.Context(), client, deletion(t, s.URL), maxSmall); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
		time.Sleep(60 * time.Millisecond)
	}
}

// However many hosts are asked, so many connections are kept, those that were used last.
func TestKeptConnectionsAreFew(t *testing.T) {
	var open atomic.Int32
	s := httptest.NewUnstartedServer(fine)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	defer s.Close()
	client := NewClientOn(Network{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}}, RequestTime)
	ask := func(host int) {
		if _, err := Do(t.Context(), client, deletion(t, fmt.Sprintf("http://bucket-%d.example.com/", host)), maxSmall); err != nil {
			t.Fatal(host, err)
		}
	}
	const hosts = mostKept + 40
	for i := range hosts {
		ask(i)
	}
	d := client.Transport.(*direct)
	kept := 0
	for _, list := range d.idle {
		kept += len(list)
	}
	if kept != mostKept || d.kept != kept {
		t.Errorf("%d connections are kept, %d by its own count, want %d", kept, d.kept, mostKept)
	}
	if len(d.idle["http://bucket-0.example.com"]) != 0 || len(d.idle[fmt.Sprintf("http://bucket-%d.example.com", hosts-1)]) != 1 {
		t.Error("it is not the oldest that were closed")
	}
	for range 200 {
		if open.Load() == mostKept {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := open.Load(); n != mostKept {
		t.Errorf("%d connections are open", n)
	}
	client.CloseIdleConnections()
	if d.kept != 0 || len(d.idle) != 0 {
		t.Errorf("%d connections are kept after all", d.kept)
	}
}

// What nobody has used for too long is closed, and no longer counts.
func TestUnusedConnectionsNoLongerCount(t *testing.T) {
	s, _, open := counted(t, fine)
	client := NewClient(300 * time.Millisecond)
	if _, err := Do(t.Context(), client, deletion(t, s.URL), maxSmall); err != nil {
		t.Fatal(err)
	}
	d := client.Transport.(*direct)
	kept := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.kept
	}
	if kept() != 1 {
		t.Fatalf("%d connections are kept", kept())
	}
	for range 500 {
		if kept() == 0 && open.Load() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d connections count, %d are open", kept(), open.Load())
}

// A request that is cancelled while it is being written ends at once.
func TestCancelWhileWriting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go eachConn(l, func(net.Conn, *bufio.Reader) { time.Sleep(5 * time.Second) })
	client := NewClient(4 * time.Second)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		const size = 8 << 20 // more than the kernel takes
		req, err := http.NewRequest(http.MethodPut, "http://"+l.Addr().String(), strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		go cancel()
		began := time.Now()
		if _, err := Do(ctx, client, req, maxSmall); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Fatalf("it took %s", took)
		}
	}
}
