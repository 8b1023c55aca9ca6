package adversary

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/store/wire"
	"github.com/partsweep/partsweep/test/sandbox"
)

// vendors are the host names of the services, as their documents have them.
var vendors = []struct {
	service sandbox.Service
	host    *regexp.Regexp
}{
	{sandbox.S3, regexp.MustCompile(`^([a-z0-9.-]+\.)?s3\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`)},
	{sandbox.COS, regexp.MustCompile(`^[a-z0-9-]+\.cos\.[a-z0-9-]+\.myqcloud\.com$`)},
	{sandbox.OBS, regexp.MustCompile(`^[a-z0-9.-]+\.obs\.[a-z0-9-]+\.myhuaweicloud\.com$`)},
	{sandbox.OSS, regexp.MustCompile(`^[a-z0-9.-]+\.oss-[a-z0-9-]+\.aliyuncs\.com$`)},
	{sandbox.VOD, regexp.MustCompile(`^vod\.[a-z0-9-]+\.aliyuncs\.com$`)},
	{sandbox.MPS, regexp.MustCompile(`^mts\.[a-z0-9-]+\.aliyuncs\.com$`)},
}

// serviceOf returns whose host a name is.
func serviceOf(host string) (sandbox.Service, bool) {
	for _, v := range vendors {
		if v.host.MatchString(strings.ToLower(host)) {
			return v.service, true
		}
	}
	return "", false
}

// A network is all that a function can reach: the six clouds under their vendors' own names and nothing else, over TLS with
// certificates that only the network's own authority has signed. It is there in place of DNS and of the internet, so that
// settings need name no endpoint, and whatever an attacker turns a host into is seen here.
type network struct {
	authority *authority
	plain     map[sandbox.Service]string // where a service really listens, without TLS
	front     func(host string) *tls.Config
	client    *http.Client

	mu     sync.Mutex
	dialed []string // host and port of every connection that was asked for
	heard  []byte   // what came in before or outside of TLS
}

// newNetwork puts a network in front of a sandbox.
func newNetwork(t *testing.T, sb *sandbox.Sandbox) *network {
	t.Helper()
	n := &network{authority: newAuthority(t), plain: map[sandbox.Service]string{}}
	for _, s := range sandbox.Services {
		n.plain[s] = strings.TrimPrefix(sb.URL(s), "http://")
	}
	n.front = func(host string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{n.authority.issue(t, certificate{host: host})}}
	}
	// The client is the function's own: only where connections go, and whose certificates are believed, is changed.
	n.connect(t, n.dial, wire.RequestTime)
	return n
}

// connect makes the function's client anew: connections are made by dial, and a request takes so long at most.
func (n *network) connect(t *testing.T, dial wire.DialFunc, limit time.Duration) {
	n.client = wire.NewClientOn(wire.Network{Dial: dial, Roots: n.authority.pool, Proxy: http.ProxyURL(nil)}, limit)
	t.Cleanup(n.client.CloseIdleConnections)
}

var errNoRoute = errors.New("no route to host")

// dial connects to a service under its vendor's name. Everything else is remembered and goes nowhere.
func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, address)
	n.mu.Unlock()
	host, _, _ := strings.Cut(address, ":")
	service, ok := serviceOf(host)
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s: %w", address, errNoRoute)}
	}
	ours, theirs, err := wired()
	if err != nil {
		return nil, err
	}
	go n.serve(&tap{Conn: theirs, network: n}, service, host)
	return ours, nil
}

// wired returns the two ends of a connection. A pipe in memory would not do: both sides may speak at once.
func wired() (ours, theirs net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if theirs, err = l.Accept(); err != nil {
		ours.Close()
	}
	return ours, theirs, err
}

// serve ends TLS and passes on what was in it, byte by byte.
func (n *network) serve(conn net.Conn, service sandbox.Service, host string) {
	defer conn.Close()
	inner := tls.Server(conn, n.front(host))
	if inner.Handshake() != nil {
		return // the client has seen why
	}
	to, err := net.Dial("tcp", n.plain[service])
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		io.Copy(to, inner)
		to.Close()
	}()
	io.Copy(inner, to)
	inner.CloseWrite()
}

// A tap keeps what a client says as it is on the wire.
type tap struct {
	net.Conn
	network *network
}

func (c *tap) Read(b []byte) (int, error) {
	read, err := c.Conn.Read(b)
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if len(c.network.heard) < 1<<20 {
		c.network.heard = append(c.network.heard, b[:read]...)
	}
	return read, err
}

// hosts returns every host that was dialled, once.
func (n *network) hosts() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Clone(n.dialed)
	slices.Sort(all)
	return slices.Compact(all)
}

// strays returns what was dialled and is no service's own name on the port of TLS.
func (n *network) strays() []string {
	return slices.DeleteFunc(n.hosts(), func(address string) bool {
		host, port, _ := strings.Cut(address, ":")
		_, ok := serviceOf(host)
		return ok && port == "443"
	})
}

// overheard returns what could be read by whoever stands between.
func (n *network) overheard() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return string(n.heard)
}

// An authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool

	mu     sync.Mutex
	issued map[certificate]tls.Certificate
}

// A certificate is what a certificate is asked for with. The zero value of its times is now.
type certificate struct {
	host       string
	from, to   time.Time
	selfSigned bool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), pool: x509.NewCertPool(), issued: map[certificate]tls.Certificate{}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "partsweep test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue signs a certificate, once for each question.
func (a *authority) issue(t *testing.T, c certificate) tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cert, ok := a.issued[c]; ok {
		return cert
	}
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.issued) + 2)), Subject: pkix.Name{CommonName: c.host}, DNSNames: []string{c.host},
		NotBefore: c.from, NotAfter: c.to,
	}
	if c.from.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if c.to.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if c.selfSigned {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		panic(err) // of a template of ours; the test may have ended, so that it cannot be told
	}
	a.issued[c] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return a.issued[c]
}
