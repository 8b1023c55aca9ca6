package adversary

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/store/wire"
	"github.com/partsweep/partsweep/test/sandbox"
)

// hostOf is the host that a service is asked at for our bucket.
var hostOf = map[sandbox.Service]string{
	sandbox.S3: "media-in.s3.eu-west-1.amazonaws.com", sandbox.COS: "media-1250000000.cos.ap-guangzhou.myqcloud.com",
	sandbox.OBS: "media-obs.obs.cn-north-4.myhuaweicloud.com", sandbox.OSS: "media-oss.oss-cn-shanghai.aliyuncs.com",
	sandbox.VOD: "vod.cn-shanghai.aliyuncs.com", sandbox.MPS: "mts.cn-shanghai.aliyuncs.com",
}

// TestTLS puts a server that is not who it should be in front of each service. It is refused, with a word about what to do,
// and hears nothing that it could use.
func TestTLS(t *testing.T) {
	hour := time.Hour
	for _, tt := range []struct {
		name  string
		front func(w *world, host string) *tls.Config
		error string
		again bool // it may be better the next time, and so is tried again for as long as there is time
	}{
		{"another host's certificate", func(w *world, host string) *tls.Config { return w.with(t, certificate{host: "evil.example"}) }, "certificate is valid for", false},
		{"the certificate of the domain above", func(w *world, host string) *tls.Config {
			_, parent, _ := strings.Cut(host, ".")
			return w.with(t, certificate{host: parent})
		}, "certificate is valid for", false},
		{"the certificate of a longer name", func(w *world, host string) *tls.Config { return w.with(t, certificate{host: host + ".evil.example"}) }, "certificate is valid for", false},
		{"its own word for it", func(w *world, host string) *tls.Config { return w.with(t, certificate{host: host, selfSigned: true}) }, "unknown authority", false},
		{"another authority's word for it", func(w *world, host string) *tls.Config {
			other := newAuthority(t)
			return &tls.Config{Certificates: []tls.Certificate{other.issue(t, certificate{host: host})}}
		}, "certificate", false},
		{"a certificate that has expired", func(w *world, host string) *tls.Config {
			return w.with(t, certificate{host: host, from: time.Now().Add(-2 * hour), to: time.Now().Add(-hour)})
		}, "expired", false},
		{"a certificate for later", func(w *world, host string) *tls.Config {
			return w.with(t, certificate{host: host, from: time.Now().Add(hour), to: time.Now().Add(2 * hour)})
		}, "not yet valid", false},
		{"TLS 1.1 at most", func(w *world, host string) *tls.Config { return w.old(t, host, tls.VersionTLS11) }, "left to do", true},
		{"TLS 1.0 at most", func(w *world, host string) *tls.Config { return w.old(t, host, tls.VersionTLS10) }, "left to do", true},
	} {
		for _, s := range sandbox.Services {
			t.Run(tt.name+"/"+string(s), func(t *testing.T) {
				w := newWorld(t)
				mine := w.seed(ours[s], "raw/a", "ID")
				w.front = func(host string) *tls.Config { return tt.front(w, host) }
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tt.again {
					ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
				}
				defer cancel()
				report, err := w.Run(ctx, []byte(failed(mine)))
				if err == nil || report.Totals.Aborted > 0 || !w.there(mine) || len(w.sent()) > 0 {
					t.Errorf("%+v, %v, sent %v", report.Totals, err, w.sent())
				}
				if heard := w.overheard(); heard == "" || strings.Contains(heard, "Authorization") || strings.Contains(heard, "raw/a") ||
					strings.Contains(heard, sandbox.AccessKeyID) {
					t.Errorf("overheard: %.500q", heard)
				}
				if hosts := w.hosts(); len(hosts) != 1 || hosts[0] != hostOf[s]+":443" {
					t.Errorf("dialled %q", hosts)
				}
				if says(t, err, tt.error); !tt.again {
					says(t, err, "certificates are always verified")
				}
			})
		}
	}
}

// with serves with one certificate.
func (w *world) with(t *testing.T, c certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{w.authority.issue(t, c)}}
}

// old serves with a good certificate, and a TLS that is not good enough.
func (w *world) old(t *testing.T, host string, version uint16) *tls.Config {
	c := w.with(t, certificate{host: host})
	c.MinVersion, c.MaxVersion = tls.VersionTLS10, version
	return c
}

// TestNoTLS: who speaks HTTP where TLS was asked for is not spoken to in HTTP.
func TestNoTLS(t *testing.T) {
	for _, s := range sandbox.Services {
		w := newWorld(t)
		mine := w.seed(ours[s], "raw/a", "ID")
		w.connect(t, func(context.Context, string, string) (net.Conn, error) {
			ours, theirs, err := wired()
			if err != nil {
				return nil, err
			}
			io.WriteString(theirs, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n")
			go io.Copy(io.Discard, &tap{Conn: theirs, network: w.network})
			return ours, nil
		}, wire.RequestTime)
		w.configure(t)
		_, err := w.run(t, failed(mine))
		if says(t, err, "check the endpoint"); strings.Contains(w.overheard(), "Authorization") || len(w.sent()) > 0 {
			t.Errorf("%s: overheard %q", s, w.overheard())
		}
	}
}

// A proxy is one that a function is told of by its environment. It passes connections on to the clouds, and keeps what it can
// read of them.
type proxy struct {
	url   string
	mu    sync.Mutex
	heard strings.Builder // what was said to the proxy itself
	lines []string        // the first line of each request to it
}

// startProxy starts a proxy in front of a network. What is asked for in the clear is answered with an error.
func startProxy(t *testing.T, n *network) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{url: "http://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn, n)
		}
	}()
	return p
}

func (p *proxy) serve(conn net.Conn, n *network) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.lines = append(p.lines, req.Method+" "+req.RequestURI)
	fmt.Fprintf(&p.heard, "%s %s %v\n", req.Method, req.RequestURI, req.Header)
	p.mu.Unlock()
	if req.Method != http.MethodConnect {
		io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := n.dial(context.Background(), "tcp", req.RequestURI)
	if err != nil {
		io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer to.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(to, in)
	io.Copy(conn, to)
}

func (p *proxy) said() (lines []string, heard string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...), p.heard.String()
}

// behind starts the function's binary with the clouds behind a proxy, under their own names, and believes the network's own
// authority. The platform's credentials are those of every store.
func behind(t *testing.T, w *world, bootstrap string, environ ...string) *process {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "authority.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.authority.cert.Raw})
	if err := os.WriteFile(bundle, block, 0o600); err != nil {
		t.Fatal(err)
	}
	environ = append([]string{"SSL_CERT_FILE=" + bundle, "SSL_CERT_DIR=" + t.TempDir(), allowed(sandbox.Services...), "PARTSWEEP_MPS_DELETE_MEDIA=allow"}, environ...)
	for _, s := range sandbox.Services {
		environ = append(environ, "PARTSWEEP_"+strings.ToUpper(string(s))+"_ENDPOINT=", "PARTSWEEP_"+strings.ToUpper(string(s))+"_PATH_STYLE=",
			"PARTSWEEP_"+strings.ToUpper(string(s))+"_ACCESS_KEY_ID="+sandbox.AccessKeyID, "PARTSWEEP_"+strings.ToUpper(string(s))+"_SECRET_ACCESS_KEY="+sandbox.SecretAccessKey)
	}
	return startProcess(t, bootstrap, environ...)
}

// TestProxy: a proxy that the environment names learns which hosts are asked, and nothing else: all that is signed goes
// through it in TLS, to the host itself. HTTP_PROXY is of no account, since no vendor's endpoint is http.
func TestProxy(t *testing.T) {
	onLinux(t, "where a process can be told of an authority by its environment")
	bootstrap := build(t, "lambda")
	w := newWorld(t)
	p := startProxy(t, w.network)
	httpProxy := startProxy(t, w.network)
	f := behind(t, w, bootstrap, "HTTPS_PROXY="+strings.Replace(p.url, "http://", "http://user:proxy-password-1@", 1), "HTTP_PROXY="+httpProxy.url)
	for _, s := range sandbox.Services {
		mine := w.seed(ours[s], "raw/a", "ID")
		if result, err := f.invoke(t, failed(mine), time.Minute); err != nil || w.there(mine) {
			t.Errorf("%s: %s, %v", s, result, err)
		}
	}
	lines, heard := p.said()
	for _, line := range lines {
		host := strings.TrimSuffix(strings.TrimPrefix(line, "CONNECT "), ":443")
		if _, ok := serviceOf(host); !ok {
			t.Errorf("the proxy was asked for %q", line)
		}
	}
	if len(lines) < len(sandbox.Services) {
		t.Errorf("the proxy was asked for %q only", lines)
	}
	for _, secret := range []string{"\nAuthorization", "[AWS4", sandbox.AccessKeyID, sandbox.SessionToken, "raw/a"} {
		if strings.Contains(heard+w.overheard(), secret) {
			t.Errorf("the proxy heard %q", secret)
		}
	}
	if lines, _ := httpProxy.said(); len(lines) > 0 {
		t.Errorf("the proxy for http was asked for %q", lines)
	}
	if strings.Contains(f.out.String(), "proxy-password-1") {
		t.Error("the proxy's password is in the log")
	}
}

// TestProxyThatLies: a proxy that answers in place of the host, or has another certificate, gets nothing but the host's name.
func TestProxyThatLies(t *testing.T) {
	onLinux(t, "where a process can be told of an authority by its environment")
	bootstrap := build(t, "lambda")
	for name, front := range map[string]func(w *world, host string) *tls.Config{
		"another certificate": func(w *world, host string) *tls.Config { return w.with(t, certificate{host: "proxy.example"}) },
		"its own certificate": func(w *world, host string) *tls.Config { return w.with(t, certificate{host: host, selfSigned: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.front = func(host string) *tls.Config { return front(w, host) }
			p := startProxy(t, w.network)
			f := behind(t, w, bootstrap, "HTTPS_PROXY="+p.url)
			for _, s := range sandbox.Services {
				mine := w.seed(ours[s], "raw/a", "ID")
				if result, err := f.invoke(t, failed(mine), 3*time.Second); err == nil || !w.there(mine) {
					t.Errorf("%s: %s, %v", s, result, err)
				}
			}
			if len(w.sent()) > 0 || strings.Contains(w.overheard(), "Authorization") {
				t.Errorf("sent %v", w.sent())
			}
		})
	}
}
