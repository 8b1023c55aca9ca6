package sandbox

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
)

// codeHeader carries the error code from the service to the ledger. Real services send no such header, so clients must
// not read it; it is stripped before the answer leaves.
const codeHeader = "X-Sandbox-Code"

// recorder remembers the status and the code of an answer, and keeps codeHeader off the wire.
type recorder struct {
	http.ResponseWriter
	request  *http.Request
	status   int // 0 until there is an answer
	code     string
	hijacked bool

	// answered is called once, when the status is known and before any of the answer leaves: whoever has read an answer
	// finds it in the ledger.
	answered func()

	// mangle, when set, holds the answer back until finish and then replaces its body.
	mangle func(status int, b []byte) []byte
	held   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= http.StatusOK {
		rec.status, rec.code = status, rec.Header().Get(codeHeader)
		rec.Header().Del(codeHeader)
		rec.answered()
	}
	if rec.mangle == nil {
		rec.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	if rec.mangle != nil {
		return rec.held.Write(b)
	}
	return rec.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what recorder does not pass on itself.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// Hijack implements http.Hijacker. From then on there is no answer to record.
func (rec *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(rec.ResponseWriter).Hijack()
	if rec.hijacked = err == nil; rec.hijacked && rec.status == 0 {
		rec.answered()
	}
	return conn, rw, err
}

// finish sends what is still to be sent.
func (rec *recorder) finish() {
	if rec.hijacked {
		return
	}
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	if rec.mangle == nil {
		return
	}
	body := rec.mangle(rec.status, rec.held.Bytes())
	rec.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rec.ResponseWriter.WriteHeader(rec.status)
	rec.ResponseWriter.Write(body) // the client may be gone; there is nobody to tell
}

// requestOf returns the request that an answer is for, nil if it is not one of this sandbox's.
func requestOf(w http.ResponseWriter) *http.Request {
	if rec, ok := w.(*recorder); ok {
		return rec.request
	}
	return nil
}
