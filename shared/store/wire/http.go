// Package wire is what every driver needs to speak HTTP: one tuned client, one way to send a request and to judge what
// came back, one reader of errors, and, for the four services that speak S3's language, one implementation of the three
// requests with the differences as data.
//
// It retries nothing, follows nothing and remembers nothing.
package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Bounds of an answer. A page of 1,000 uploads with the longest keys there are, percent-encoded, takes 4 MiB, and is read as
// a stream. What is held whole is small, because hundreds of requests may be in flight: an error, an abort's answer, a header.
const (
	maxPage   = 16 << 20
	maxSmall  = 64 << 10
	maxHeader = 64 << 10
	maxDrain  = 64 << 10 // what is read off a body to keep its connection; more costs more than a new connection
)

const (
	// RequestTime is how long a request and its whole answer may take.
	RequestTime = 30 * time.Second

	userAgent = "partsweep"
)

// A Network is what requests go over. The zero value is this machine's own.
type Network struct {
	Dial  DialFunc                              // default: net.Dialer's
	Roots *x509.CertPool                        // whose certificates are believed; default: the system's
	Proxy func(*http.Request) (*url.URL, error) // default: from the environment
}

// NewClient returns a client as partsweep wants it: HTTP/1.1, enough kept connections for hundreds of requests in flight to
// one host, certificates verified, no cookies, no redirects, proxies from the environment. Every wait is bounded: a request
// and its whole answer take no longer than limit.
func NewClient(limit time.Duration) *http.Client { return NewClientOn(Network{}, limit) }

// NewClientOn returns the same client on another network.
func NewClientOn(n Network, limit time.Duration) *http.Client {
	if n.Dial == nil {
		n.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	if n.Proxy == nil {
		n.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: newDirect(n, limit), CheckRedirect: noRedirect}
}

// timed has dial make connections that keep to a limit.
func timed(dial DialFunc, limit time.Duration) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newTimedConn(conn, limit), nil
	}
}

// A DialFunc is what http.Transport connects with.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A timedConn gives every request so much time, or up to a tenth less, from when it is written until its answer has been read, and
// as much to what goes on before the first. It costs next to nothing of what a context with a deadline for each request does, and
// bounds the same, since a connection carries one request at a time. It is written to by one goroutine at a time, and read by one
// at a time.
type timedConn struct {
	net.Conn
	socket socket
	limit  time.Duration
	until  time.Time   // the deadline that extend has given it
	dry    bool        // nothing is read off the connection
	ended  atomic.Bool // nothing more is to be written
}

func newTimedConn(conn net.Conn, limit time.Duration) *timedConn {
	c := &timedConn{Conn: conn, limit: limit}
	c.socket.open(conn)
	return c
}

// Read implements [net.Conn].
func (c *timedConn) Read(b []byte) (int, error) {
	if c.dry {
		return 0, os.ErrDeadlineExceeded
	}
	if c.socket.raw == nil {
		return c.Conn.Read(b)
	}
	return c.socket.read.do(c.Conn, b)
}

// Write implements [net.Conn].
func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	if c.socket.raw == nil {
		return c.Conn.Write(b)
	}
	return c.socket.write.do(c.Conn, b)
}

// extend gives the connection its time anew. A deadline that is nearly as far away as it should be is left as it is: to move it
// takes longer than all else here.
func (c *timedConn) extend() error {
	now := time.Now()
	if c.until.Sub(now) >= c.limit-c.limit/10 {
		return nil
	}
	c.until = now.Add(c.limit)
	if err := c.SetDeadline(c.until); err != nil {
		return err
	}
	if c.ended.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

var shared = sync.OnceValue(func() *http.Client { return NewClient(RequestTime) })

// Client returns the client to send with: the process's one if c is nil, and otherwise one that is like c, but follows no
// redirect and keeps no cookies. A signed request is for one host only. How long a request may take is for c's transport to
// say.
func Client(c *http.Client) *http.Client {
	if c == nil {
		return shared()
	}
	own := *c
	own.CheckRedirect, own.Jar = noRedirect, nil
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	return &own
}

// An Answer is a service's whole answer, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request and reads its whole answer, which has at most so many bytes, or 64 KiB of an error's. An error is an
// *mpu.Error without Op and Target; see [About]. It wraps ctx.Err() if the caller's context is done, and then nothing or
// nothing more was sent. A status that says no is an answer, not an error.
func Do(ctx context.Context, c *http.Client, req *http.Request, most int64) (*Answer, error) {
	resp, err := Send(ctx, c, req)
	if err != nil {
		return nil, err
	}
	defer Release(resp)
	body, err := readAll(resp, most)
	if err != nil {
		return nil, failed(ctx, resp.StatusCode, err)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// readAll reads a body: the whole of a success's, which has at most so many bytes, or the beginning of an error's.
func readAll(resp *http.Response, most int64) ([]byte, error) {
	if resp.Body == http.NoBody {
		return nil, nil
	}
	ok := resp.StatusCode/100 == 2
	if !ok {
		most = maxSmall
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case n > most && ok:
		return nil, tooLong(most)
	case n > most:
		b.Truncate(int(most))
	}
	return b.Bytes(), nil
}

// Send sends one request and returns the answer with its body unread, for [Release] to end. Errors are as with [Do].
//
// It uses the client's transport and nothing else of it. The rest of http.Client is there for redirects, cookies and
// credentials in URLs, none of which there may be, and it parses a Location that nobody follows: one that cannot be parsed
// would cost the whole answer, and be quoted in the error. Its Timeout would be a context for every request; see timed.
func Send(ctx context.Context, c *http.Client, req *http.Request) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed(ctx, 0, err)
	}
	if req.Context() != ctx {
		req = req.WithContext(ctx)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	if req.Body == nil && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		req.Body = once{}
	}
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		return nil, failed(ctx, 0, err)
	}
	return resp, nil
}

// once is an empty body that cannot be rewound. With no body at all, net/http sends a GET again by itself when a kept
// connection is cut; one call must be one request, and retrying is for a layer that counts.
type once struct{}

func (once) Read([]byte) (int, error) { return 0, io.EOF }
func (once) Close() error             { return nil }

// Release reads what little may be left of an answer, so that its connection is kept, and closes it.
func Release(resp *http.Response) {
	if resp.Body == http.NoBody {
		return
	}
	io.CopyN(io.Discard, resp.Body, maxDrain) // a failure only costs the connection
	resp.Body.Close()
}

// About fills in what an *mpu.Error is about, where that is still blank, and returns err.
func About(err error, op store.Op, target fmt.Stringer) error {
	if err == nil {
		return nil
	}
	var e *mpu.Error
	if errors.As(err, &e) {
		if e.Op == "" {
			e.Op = string(op)
		}
		if e.Target == "" {
			e.Target = target.String()
		}
	}
	return err
}

var errTooLong = errors.New("the answer is too long")

func tooLong(most int64) error {
	return fmt.Errorf("%w: it has more than %d KiB", errTooLong, most>>10)
}

// failed judges why no whole answer came. Status is what had come by then, 0 for nothing.
func failed(ctx context.Context, status int, err error) *mpu.Error {
	e := &mpu.Error{Kind: mpu.Transient, Status: status}
	if done := contextError(ctx); done != nil {
		e.Err = done
		return e
	}
	// url.Error repeats the whole URL, and some signatures travel in the query.
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		name        *net.DNSError
	)
	switch {
	case errors.Is(err, errTooLong):
		e.Kind = 0
	case errors.As(err, &certificate), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.Kind, e.Hint = 0, "check the endpoint and what stands between: certificates are always verified"
	case errors.As(err, &name) && name.IsNotFound:
		e.Kind, e.Hint = 0, "check the endpoint, the region and the bucket's name"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Hint = "nothing listens there; check the endpoint"
	}
	e.Err = &transportError{err}
	return e
}

// contextError is ctx.Err(), and also sees a deadline that a dialer has noticed a moment before the context has.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// transportError is a transport's failure that is not the caller's doing. The timeouts of net/http and net claim to be
// context.DeadlineExceeded; were that visible, a slow server would look like the end of the caller's own time.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }

// Is hides the context's errors and shows all others.
func (e *transportError) Is(target error) bool {
	return target != context.DeadlineExceeded && target != context.Canceled && errors.Is(e.err, target)
}

// As shows the failure's own type.
func (e *transportError) As(target any) bool { return errors.As(e.err, target) }
