package main

import (
	"net/http"
	"strings"
	"sync"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store/storetest"

	"io"
)

// A transport stands between partsweep and a server. It counts requests, and tells the lies that a question needs.
type transport struct {
	mu       sync.Mutex
	requests int
	failing  int
	how      storetest.Failure
	land     map[string]func() // by upload ID: what happens in place of the next abort
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.requests++
	id := r.URL.Query().Get("uploadId")
	land := t.land[id]
	fail := t.failing > 0
	switch {
	case fail:
		t.failing--
	case land != nil && r.Method == http.MethodDelete:
		delete(t.land, id)
	}
	t.mu.Unlock()
	switch {
	case fail && t.how == storetest.HTML503:
		return answer(r, 503, "text/html", "<html><body>busy<br></body></html>"), nil
	case fail:
		return answer(r, 503, "application/xml", "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"), nil
	case land != nil && r.Method == http.MethodDelete:
		land()
		return answer(r, 204, "", ""), nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func answer(r *http.Request, status int, kind, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

func (t *transport) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.requests
}

func (t *transport) fail(how storetest.Failure, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.how, t.failing = how, n
}

// landBehind makes the next abort of an upload answer that it worked, while something happens in its place: what was
// there goes and a part lands.
func (t *transport) landBehind(u mpu.Upload, do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.land == nil {
		t.land = map[string]func(){}
	}
	t.land[u.UploadID] = do
}
