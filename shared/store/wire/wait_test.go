package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// served serves connections by hand, with TLS or without, and returns where, and a client that believes it.
func served(t *testing.T, secure bool, limit time.Duration, serve func(net.Conn, *bufio.Reader)) (url string, client *http.Client) {
	t.Helper()
	certified := httptest.NewTLSServer(fine)
	certified.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	scheme := "http"
	if secure {
		l, scheme = tls.NewListener(l, &tls.Config{Certificates: certified.TLS.Certificates}), "https"
	}
	go eachConn(l, serve)
	return scheme + "://" + l.Addr().String(), NewClientOn(Network{Roots: rootsOf(certified)}, limit)
}

const noContent = "HTTP/1.1 204 No Content\r\n\r\n"

// However soon an answer comes, it is seen: at once, while the request is still being written, or when nobody waits any more
// but for the time to be up.
func TestNoAnswerIsMissed(t *testing.T) {
	const limit = 5 * time.Second
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			url, client := served(t, secure, limit, func(conn net.Conn, r *bufio.Reader) {
				for {
					if _, err := r.Peek(1); err != nil { // it answers before it has read the request
						return
					}
					time.Sleep(time.Duration(rand.IntN(3)) * 20 * time.Microsecond)
					io.WriteString(conn, noContent)
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
				}
			})
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for i := range 400 {
						if a, err := Do(t.Context(), client, deletion(t, url), maxSmall); err != nil || a.Status != http.StatusNoContent {
							t.Errorf("request %d: %+v, %v", i, a, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// A service that drops a kept connection just when it is used again costs that request, and no waiting.
func TestDroppedConnectionsAreNotWaitedFor(t *testing.T) {
	const limit = 5 * time.Second
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			url, client := served(t, secure, limit, func(conn net.Conn, r *bufio.Reader) {
				for range 1 + rand.IntN(3) {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					io.WriteString(conn, noContent)
				}
				time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
			})
			good := 0
			for i := range 600 {
				began := time.Now()
				_, err := Do(t.Context(), client, deletion(t, url), maxSmall)
				if took := time.Since(began); took > limit/2 {
					t.Fatalf("request %d: %v after %s", i, err, took)
				}
				if err == nil {
					good++
				}
			}
			if good < 300 {
				t.Errorf("%d of 600 were answered", good)
			}
		})
	}
}

// What a service says on a new connection before it was asked anything, or that it will have none, is read as the answer, and not
// waited out: nothing more will come.
func TestServiceThatSpeaksFirst(t *testing.T) {
	for _, tt := range []struct{ name, first, err string }{
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "malformed"},
		{"its end", "", "EOF"},
		{"a refusal", "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", ""},
	} {
		for _, early := range []time.Duration{0, 20 * time.Millisecond} {
			t.Run(fmt.Sprint(tt.name, ", ", early, " before"), func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				ended := make(chan struct{})
				defer close(ended)
				go eachConn(l, func(conn net.Conn, _ *bufio.Reader) {
					io.WriteString(conn, tt.first)
					conn.(*net.TCPConn).CloseWrite()
					if tt.first != "" {
						<-ended
					}
				})
				client := NewClientOn(Network{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					time.Sleep(early)
					return conn, err
				}}, RequestTime)
				began := time.Now()
				a, err := Do(t.Context(), client, deletion(t, "http://"+l.Addr().String()), maxSmall)
				if took := time.Since(began); took > RequestTime/3 {
					t.Errorf("it took %s", took)
				}
				switch {
				case tt.err == "" && err == nil && a.Status == http.StatusServiceUnavailable:
				case tt.err != "" && err != nil && (tt.name == "its end" || strings.Contains(err.Error(), tt.err)):
				default:
					t.Errorf("%+v, %v", a, err)
				}
			})
		}
	}
}

// Every request has all of its time, also on a connection whose last answer took most of it, and that then was not used until the
// rest was over.
func TestSlowAnswersHaveTheirTime(t *testing.T) {
	const limit, took, idle = 2 * time.Second, 1200 * time.Millisecond, time.Second
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			t.Parallel()
			var made atomic.Int32
			url, client := served(t, secure, limit, func(conn net.Conn, r *bufio.Reader) {
				made.Add(1)
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					time.Sleep(took)
					io.WriteString(conn, noContent)
				}
			})
			for i := range 2 {
				if _, err := Do(t.Context(), client, deletion(t, url), maxSmall); err != nil {
					t.Fatal(i, err)
				}
				time.Sleep(idle)
			}
			if n := made.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// What does not fit into the socket at once is written all the same, and in order.
func TestLargeRequests(t *testing.T) {
	const size = 8 << 20 // more than the kernel takes
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i >> 12)
	}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			url, client := served(t, secure, RequestTime, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
				got, err := io.ReadAll(req.Body)
				if err != nil || !bytes.Equal(got, want) {
					io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
					return
				}
				io.WriteString(conn, noContent)
			})
			req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			if a, err := Do(t.Context(), client, req, maxSmall); err != nil || a.Status != http.StatusNoContent {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// After its context has ended, nothing is sent, though a connection is at hand.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	var requests atomic.Int32
	url, client := served(t, false, RequestTime, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			requests.Add(1)
			io.WriteString(conn, noContent)
		}
	})
	if _, err := Do(t.Context(), client, deletion(t, url), maxSmall); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, err := client.Transport.RoundTrip(deletion(t, url).WithContext(ctx)); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := Do(t.Context(), client, deletion(t, url), maxSmall); err != nil || requests.Load() != 2 {
		t.Errorf("%v, %d requests", err, requests.Load())
	}
}

// A service that never answers is waited for as long as a request may take, and the error says so in the words of any other.
func TestNoAnswerAtAll(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			url, client := served(t, secure, 200*time.Millisecond, func(_ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
			_, err := Do(t.Context(), client, deletion(t, url), maxSmall)
			if err == nil || !strings.Contains(err.Error(), "read tcp") || !strings.Contains(err.Error(), "i/o timeout") || strings.Contains(err.Error(), "raw") ||
				errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
}

// holding is a server's connection that holds back what is written, so that several records travel together.
type holding struct {
	net.Conn
	mu      sync.Mutex
	held    []byte
	on      bool
	finding bool // until the client changes to ciphers, whereupon it begins to hold
}

func (h *holding) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if h.finding && bytes.Contains(b[:n], []byte{20, 3, 3}) { // the type and the version of TLS 1.2's ChangeCipherSpec
		h.finding = false
		h.hold(true)
	}
	return n, err
}

func (h *holding) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return h.Conn.Write(b)
	}
	h.held = append(h.held, b...)
	return len(b), nil
}

func (h *holding) hold(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on = on; !on {
		h.Conn.Write(h.held)
		h.held = nil
	}
}

// What TLS has read together with the end of its handshake is not waited for.
func TestServiceThatSpeaksWithItsHandshake(t *testing.T) {
	const limit = 10 * time.Second
	certified := httptest.NewTLSServer(fine)
	certified.Close()
	url, _ := served(t, false, limit, func(conn net.Conn, _ *bufio.Reader) {
		h := &holding{Conn: conn, finding: true}
		c := tls.Server(h, &tls.Config{Certificates: certified.TLS.Certificates, MaxVersion: tls.VersionTLS12})
		if c.Handshake() != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		h.hold(false)
		io.Copy(io.Discard, c)
	})
	client := NewClientOn(Network{Roots: rootsOf(certified)}, limit)
	began := time.Now()
	a, err := Do(t.Context(), client, deletion(t, strings.Replace(url, "http:", "https:", 1)), maxSmall)
	if took := time.Since(began); err != nil || a.Status != http.StatusServiceUnavailable || took > limit/2 {
		t.Errorf("%+v, %v after %s", a, err, took)
	}
}

// A single byte that TLS has read behind an answer is not lost when it is looked for: the connection is not used again.
func TestStrayByte(t *testing.T) {
	certified := httptest.NewTLSServer(fine)
	certified.Close()
	var made atomic.Int32
	url, _ := served(t, false, RequestTime, func(conn net.Conn, _ *bufio.Reader) {
		made.Add(1)
		h := &holding{Conn: conn}
		c := tls.Server(h, &tls.Config{Certificates: certified.TLS.Certificates})
		for r := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			h.hold(true)
			io.WriteString(c, noContent)
			io.WriteString(c, "H")
			h.hold(false)
		}
	})
	client := NewClientOn(Network{Roots: rootsOf(certified)}, RequestTime)
	for range 3 {
		if _, err := Do(t.Context(), client, deletion(t, strings.Replace(url, "http:", "https:", 1)), maxSmall); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := made.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// tallied is a connection that has a TCP connection in it, and a way of its own to use it.
type tallied struct {
	*net.TCPConn
	in, out *atomic.Int64
}

func (c tallied) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

func (c tallied) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

// A connection's own way of reading and writing is not passed by. What has come on it cannot be seen without reading, and is looked
// for all the same.
func TestOwnConnections(t *testing.T) {
	url, _ := served(t, false, RequestTime, func(conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if req.URL.Path == "/stray" {
				io.WriteString(conn, noContent)
				time.Sleep(3 * time.Millisecond)
				io.WriteString(conn, noContent)
				continue
			}
			io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		}
	})
	var in, out atomic.Int64
	client := NewClientOn(Network{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return tallied{conn.(*net.TCPConn), &in, &out}, nil
	}}, RequestTime)
	for i, path := range []string{"/", "/", "/stray", "/", "/"} {
		a, err := Do(t.Context(), client, deletion(t, url+path), maxSmall)
		if want := map[string]int{"/": 403, "/stray": 204}[path]; err != nil || a.Status != want {
			t.Fatalf("request %d, %s: %+v, %v; want %d", i, path, a, err, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if in.Load() == 0 || out.Load() == 0 {
		t.Errorf("%d bytes were read and %d written", in.Load(), out.Load())
	}
}
