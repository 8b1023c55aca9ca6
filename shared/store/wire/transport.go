package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// direct is an HTTP/1.1 transport in which the goroutine that asks also writes the request and reads its answer. net/http gives
// each connection two goroutines, which pass every request on and back: of small requests by the hundred thousand, that is a
// quarter of all CPU, and the stacks are a good part of the memory. net/http still reads the answers.
//
// One call is one request on one connection: nothing is sent twice. What it does not do goes to others: proxies that need a
// tunnel.
type direct struct {
	dial    DialFunc
	tls     *tls.Config
	proxy   func(*http.Request) (*url.URL, error)
	others  *http.Transport // for what goes through a tunnel
	limit   time.Duration   // how long a request and its answer may take; timedConn sees to it
	maxIdle time.Duration   // how long an unused connection is kept

	mu    sync.Mutex
	ways  map[hostname]*way
	idle  map[string][]*link // by where they lead to; the one that was used last is the last
	kept  int                // how many are in idle
	sweep *time.Timer        // closes what has been idle for too long; nil if nothing is idle
}

type hostname struct{ scheme, host string }

const (
	mostWays      = 10_000
	handshakeTime = 5 * time.Second
	lookTime      = time.Millisecond
	mostKept      = 512     // connections, whichever hosts they lead to: a process may open about a thousand files
	maxInterim    = 5       // answers before the answer (RFC 9110, 15.2)
	linkBuffer    = 4 << 10 // less, and a page in small chunks takes a read for each
)

func newDirect(n Network, limit time.Duration) *direct {
	idle := limit - limit/6 // before its time is up
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.Roots}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // the stores speak nothing else, and one slow answer must not hold up the others
	return &direct{
		dial: n.Dial, tls: config, proxy: n.Proxy, limit: limit, maxIdle: idle, ways: map[hostname]*way{}, idle: map[string][]*link{},
		others: &http.Transport{
			Proxy: n.Proxy, DialContext: timed(n.Dial, limit), TLSHandshakeTimeout: handshakeTime, TLSClientConfig: config.Clone(), Protocols: &protocols,
			IdleConnTimeout: idle, MaxResponseHeaderBytes: maxHeader, MaxIdleConns: mostKept, MaxIdleConnsPerHost: mostKept,
			DisableCompression: true, // a bound on bytes read is then a bound on bytes held
		},
	}
}

// RoundTrip implements [http.RoundTripper].
func (d *direct) RoundTrip(req *http.Request) (*http.Response, error) {
	w, err := d.wayOf(req)
	if err != nil {
		return nil, errors.Join(err, closeBody(req))
	}
	if w.tunnel {
		return d.others.RoundTrip(req)
	}
	l, err := d.send(req, w)
	if err != nil {
		return nil, err
	}
	resp, err := l.answer(req)
	if err != nil {
		l.drop()
		return nil, err
	}
	if resp.Body == http.NoBody {
		l.putBack(resp)
		return resp, nil
	}
	resp.Body = &answer{body: resp.Body, link: l, resp: resp}
	return resp, nil
}

// send writes a request to a connection, and waits there until something comes. Kept connections that have come to their end, or
// on which something has come that nobody asked for, are passed over.
func (d *direct) send(req *http.Request, w *way) (*link, error) {
	l, err := d.take(req.Context(), w)
	if err != nil {
		return nil, errors.Join(err, closeBody(req))
	}
	m := messages.Get().(*message)
	if err := errors.Join(m.compose(req, w.proxied), closeBody(req)); err != nil {
		m.release()
		l.drop()
		return nil, err
	}
	for {
		err := l.send(m)
		if err == nil {
			err = req.Context().Err() // writing may have moved the deadline that cut has set
		}
		if err == nil {
			return l, nil
		}
		l.drop()
		if err != errSpoke {
			return nil, err
		}
		if l, err = d.take(req.Context(), w); err != nil {
			m.release()
			return nil, err
		}
	}
}

func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}

// A way is how a host is reached.
type way struct {
	to      *url.URL // the host itself or a proxy
	key     string   // the same, for the kept connections
	proxied bool
	tunnel  bool // through a proxy, in a way that is for others
}

// wayOf says how the host of a request is reached. A proxy is asked for once, since the environment does not change.
func (d *direct) wayOf(req *http.Request) (*way, error) {
	name := hostname{req.URL.Scheme, req.URL.Host}
	d.mu.Lock()
	w := d.ways[name]
	d.mu.Unlock()
	if w != nil {
		return w, nil
	}
	proxy, err := d.proxy(req)
	if err != nil {
		return nil, err
	}
	w = &way{to: &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host}}
	if proxy != nil {
		w.to, w.proxied = proxy, true
		w.tunnel = proxy.Scheme != "http" || proxy.User != nil || req.URL.Scheme != "http"
	}
	w.key = w.to.Scheme + "://" + w.to.Host
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ways) >= mostWays {
		clear(d.ways) // a warm function that was asked about ever new buckets
	}
	d.ways[name] = w
	return w, nil
}

// take returns a connection to where a request goes, a kept one if there is one that may still stand. It is cut when the context
// ends, until it is dropped or put back; there is none if the context has ended.
func (d *direct) take(ctx context.Context, w *way) (l *link, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for l = d.pop(w.key); l != nil && !l.mayStand(); l = d.pop(w.key) {
		l.Close()
	}
	if l == nil {
		if l, err = d.connect(ctx, w.to, w.key); err != nil {
			return nil, err
		}
	}
	l.unhook = context.AfterFunc(ctx, l.cut)
	return l, nil
}

func (d *direct) pop(key string) *link {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.idle[key]
	if len(list) == 0 {
		return nil
	}
	l := list[len(list)-1]
	list[len(list)-1] = nil
	d.idle[key] = list[:len(list)-1]
	d.kept--
	return l
}

func (d *direct) connect(ctx context.Context, to *url.URL, key string) (*link, error) {
	port := to.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[to.Scheme]
	}
	if to.Hostname() == "" || port == "" {
		return nil, fmt.Errorf("no address in %q", key)
	}
	conn, err := d.dial(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil {
		return nil, err
	}
	timed := newTimedConn(conn, d.limit)
	l := &link{Conn: timed, home: d, key: key, room: -1, timed: timed}
	l.turn = l.begin
	if to.Scheme == "https" {
		ctx, cancel := context.WithTimeout(ctx, handshakeTime)
		defer cancel()
		config := d.tls.Clone()
		config.ServerName = to.Hostname()
		secure := tls.Client(timed, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		l.Conn, l.secure = secure, true
	}
	return l, nil
}

// keep keeps a connection for the next request.
func (d *direct) keep(l *link) {
	var tooMany *link
	d.mu.Lock()
	l.since, l.kept = time.Now(), true
	d.idle[l.key] = append(d.idle[l.key], l)
	if d.kept++; d.kept > mostKept {
		tooMany = d.oldest()
	}
	if d.sweep == nil {
		d.sweep = time.AfterFunc(d.maxIdle, d.closeIdle)
	}
	d.mu.Unlock()
	if tooMany != nil {
		tooMany.Close()
	}
}

// oldest takes the connection out that has been unused for longest.
func (d *direct) oldest() *link {
	var l *link
	for _, list := range d.idle {
		if len(list) > 0 && (l == nil || list[0].since.Before(l.since)) {
			l = list[0]
		}
	}
	d.idle[l.key] = slices.Delete(d.idle[l.key], 0, 1)
	d.kept--
	return l
}

// closeIdle closes the connections that nobody has used for too long.
func (d *direct) closeIdle() {
	var old []*link // closed when others can go on: with TLS that writes
	defer func() { closeAll(old) }()
	d.mu.Lock()
	defer d.mu.Unlock()
	oldest := time.Now()
	limit := oldest.Add(-d.maxIdle)
	for key, list := range d.idle {
		n := 0
		for n < len(list) && !list[n].since.After(limit) { // they lie in the order in which they were put back
			n++
		}
		old = append(old, list[:n]...)
		d.kept -= n
		if list = append([]*link(nil), list[n:]...); len(list) == 0 {
			delete(d.idle, key)
			continue
		}
		d.idle[key] = list
		if list[0].since.Before(oldest) {
			oldest = list[0].since
		}
	}
	if d.sweep = nil; len(d.idle) > 0 {
		d.sweep = time.AfterFunc(max(time.Until(oldest.Add(d.maxIdle)), time.Second), d.closeIdle)
	}
}

// CloseIdleConnections closes what is kept; http.Client looks for it.
func (d *direct) CloseIdleConnections() {
	var all []*link
	d.mu.Lock()
	for _, list := range d.idle {
		all = append(all, list...)
	}
	clear(d.idle)
	d.kept = 0
	d.mu.Unlock()
	closeAll(all)
	d.others.CloseIdleConnections()
}

func closeAll(links []*link) {
	for _, l := range links {
		l.Close()
	}
}

// A link is a connection, which carries one request at a time.
type link struct {
	net.Conn
	home   *direct
	key    string
	br     *bufio.Reader // nil while there is nothing to read
	room   int           // bytes that an answer's head may still have, -1 while there is no limit
	unhook func() bool   // from the context of the request
	since  time.Time     // when it was put back
	kept   bool          // it has carried a request before
	secure bool          // TLS stands between, and may have read more than it gave

	timed *timedConn         // what Conn is, or what it goes over
	turn  func(uintptr) bool // [link.begin]
	out   *message           // what begin is to write, nil once it has
	err   error              // why begin wrote nothing, or not all
	byte  [1]byte
}

// errSpoke is said of a kept connection on which something has come that nobody asked for, be it its end or an answer too many,
// which would be taken for the next request's. Nothing was written then.
var errSpoke = errors.New("something came on a connection that was not in use")

// send writes a request in one piece, so that none goes out that is not whole, and waits until something comes. The message is
// given back, unless the error is errSpoke.
//
// To read at once would find nothing, since no service answers that fast: it would only cost a system call, and a buffer for
// each request that is under way.
func (l *link) send(m *message) error {
	if l.blind() {
		defer m.release()
		_, err := l.Conn.Write(m.text)
		return err
	}
	l.out, l.err = m, nil
	err := l.timed.extend()
	if err == nil {
		err = plainWords(l.timed.socket.raw.Read(l.turn), "read")
	}
	if l.err != nil {
		err = l.err
	}
	if l.out != nil && err != errSpoke {
		m.release()
	}
	l.out = nil
	return err
}

// begin is called by the poller, first when it has begun to watch for what comes, and again when something has. That nothing
// has come is looked for in between: before, it could come unnoticed, and would be waited for in vain.
func (l *link) begin(fd uintptr) (done bool) {
	if l.out == nil {
		return true
	}
	quiet := silent(fd)
	if l.kept && !(quiet && l.dry()) {
		l.err = errSpoke
		return true
	}
	m := l.out
	l.out = nil
	_, l.err = l.Conn.Write(m.text)
	m.release()
	return l.err != nil || !quiet || l.secure && !l.kept // of TLS, the handshake may have read more than it gave
}

// blind reports whether what has come on a connection cannot be seen without waiting for it.
func (l *link) blind() bool { return l.timed.socket.raw == nil }

var errHeader = fmt.Errorf("the answer's headers exceeded %d KiB", maxHeader>>10)

// Read implements [io.Reader] for the buffer of answers.
func (l *link) Read(p []byte) (int, error) {
	if l.room == 0 {
		return 0, errHeader
	}
	if l.room > 0 && len(p) > l.room {
		p = p[:l.room]
	}
	n, err := l.Conn.Read(p)
	if l.room > 0 {
		l.room -= n
	}
	return n, err
}

// cut ends what is under way. The connection is of no more use.
func (l *link) cut() {
	l.timed.ended.Store(true) // first, or a deadline that is just being set could undo it
	l.Conn.SetDeadline(time.Unix(1, 0))
}

// drop closes a connection.
func (l *link) drop() {
	l.unhook()
	l.Close()
	l.freeBuffer()
}

// putBack keeps a connection whose answer has been read, unless one of the two ends will not have it.
func (l *link) putBack(resp *http.Response) {
	if !l.unhook() || resp.Close || l.br.Buffered() > 0 || resp.StatusCode == http.StatusSwitchingProtocols {
		l.Close()
		l.freeBuffer()
		return
	}
	l.freeBuffer()
	l.home.keep(l)
}

func (l *link) freeBuffer() {
	if l.br != nil {
		l.br.Reset(nil)
		buffers.Put(l.br)
		l.br = nil
	}
}

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, linkBuffer) }}

// mayStand reports whether a kept connection may be used, as far as that can be told before [link.send]. Where what has come
// cannot be seen, it is waited for, a millisecond.
func (l *link) mayStand() bool {
	if time.Since(l.since) >= l.home.maxIdle {
		return false
	}
	return !l.blind() || l.SetDeadline(time.Now().Add(lookTime)) == nil && l.nothing() && l.SetDeadline(time.Now().Add(l.home.limit)) == nil
}

// dry reports whether TLS holds nothing that it has read and not given.
func (l *link) dry() bool {
	if !l.secure {
		return true
	}
	l.timed.dry = true
	defer func() { l.timed.dry = false }()
	return l.nothing()
}

// nothing reports whether there is nothing to read until the time is up.
func (l *link) nothing() bool {
	_, err := l.Conn.Read(l.byte[:])
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// answer reads the head of an answer.
func (l *link) answer(req *http.Request) (*http.Response, error) {
	l.br = buffers.Get().(*bufio.Reader)
	l.br.Reset(l)
	for range maxInterim {
		l.room = maxHeader
		resp, err := http.ReadResponse(l.br, req)
		l.room = -1
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, errors.New("one interim answer after the other")
}

var messages = sync.Pool{New: func() any { return &message{text: make([]byte, 0, 2<<10)} }}

// A message is a request while it is written. It refuses what would make another line of its head.
type message struct {
	text []byte
	err  error
}

func (m *message) release() {
	if cap(m.text) <= maxSmall {
		m.text, m.err = m.text[:0], nil
		messages.Put(m)
	}
}

func (m *message) compose(req *http.Request, proxied bool) error {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	m.add(req.Method, " ")
	if proxied {
		m.add(req.URL.Scheme, "://")
		m.add(host, "")
	}
	m.add(req.URL.RequestURI(), " HTTP/1.1\r\n")
	m.field("Host", host)
	for name, values := range req.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection": // they are this transport's to say
			continue
		}
		for _, v := range values {
			m.field(name, v)
		}
	}
	length := req.ContentLength
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		length = 0
	case length < 0 || length == 0 && req.Method != http.MethodGet && req.Method != http.MethodHead:
		return errors.New("a request whose body has no known length")
	}
	if length > 0 || req.Method != http.MethodGet && req.Method != http.MethodHead && req.Method != http.MethodDelete {
		m.field("Content-Length", strconv.FormatInt(length, 10))
	}
	m.text = append(m.text, "\r\n"...)
	if m.err == nil && length > 0 {
		m.err = m.addBody(req.Body, length)
	}
	return m.err
}

func (m *message) addBody(body io.Reader, length int64) error {
	text, err := io.ReadAll(io.LimitReader(body, length))
	if err == nil && int64(len(text)) != length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("the request's body of %d bytes: %w", length, err)
	}
	m.text = append(m.text, text...)
	return nil
}

func (m *message) field(name, value string) {
	m.add(name, ": ")
	m.add(value, "\r\n")
}

// add adds a text that came from outside, and what stands behind it.
func (m *message) add(text, behind string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			m.err = fmt.Errorf("byte %#x in the head of a request", c)
		}
	}
	m.text = append(append(m.text, text...), behind...)
}

// An answer is an answer's body. Read to its end, it gives the connection back; closed before, it closes that.
type answer struct {
	body io.Reader
	link *link
	resp *http.Response
	err  error
}

// Read implements [io.Reader].
func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.body.Read(p)
	switch a.err = err; {
	case err == io.EOF:
		a.link.putBack(a.resp)
	case err != nil:
		a.link.drop()
	}
	return n, err
}

var errClosed = errors.New("the answer has been closed")

// Close implements [io.Closer].
func (a *answer) Close() error {
	if a.err == nil {
		a.err = errClosed
		a.link.drop()
	}
	return nil
}
