// Package runtimes holds local hosts of the function platforms' runtime protocols, so that the binaries that are deployed
// can be run here as they are.
package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Lambda is a host of the AWS Lambda runtime API, 2018-06-01 ("Using the Lambda runtime API for custom runtimes").
// Start a function with AWS_LAMBDA_RUNTIME_API set to its Addr.
type Lambda struct {
	Addr   string
	server *http.Server
	next   chan *invocation
	mu     sync.Mutex
	open   map[string]*invocation
	n      int
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan answer
}

type answer struct {
	body   []byte
	failed bool
}

// A FunctionError is what a function reported in place of a result.
type FunctionError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Error returns type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// StartLambda starts a host on a free loopback port.
func StartLambda() (*Lambda, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &Lambda{Addr: l.Addr().String(), next: make(chan *invocation), open: map[string]*invocation{}}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go h.server.Serve(l)
	return h, nil
}

// Close ends the host and its connections.
func (h *Lambda) Close() error { return h.server.Close() }

// Invoke hands an event to the function and waits for its result. An error of the function's is a *FunctionError.
func (h *Lambda) Invoke(ctx context.Context, event []byte, timeout time.Duration) ([]byte, error) {
	h.mu.Lock()
	h.n++
	inv := &invocation{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", h.n), event: event,
		deadline: time.Now().Add(timeout), answer: make(chan answer, 1)}
	h.open[inv.id] = inv
	h.mu.Unlock()
	select {
	case h.next <- inv:
	case <-ctx.Done():
		return nil, fmt.Errorf("the function never asked for an event: %w", ctx.Err())
	}
	select {
	case a := <-inv.answer:
		if !a.failed {
			return a.body, nil
		}
		e := &FunctionError{}
		if err := json.Unmarshal(a.body, e); err != nil {
			return nil, errors.Join(err, errors.New(string(a.body)))
		}
		return nil, e
	case <-ctx.Done():
		return nil, fmt.Errorf("the function never answered: %w", ctx.Err())
	}
}

// ServeHTTP is the runtime API.
func (h *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/")
	id, what, _ := strings.Cut(path, "/")
	switch {
	case ok && path == "next" && r.Method == http.MethodGet:
		h.serveNext(w, r)
	case ok && (what == "response" || what == "error") && r.Method == http.MethodPost:
		h.serveAnswer(w, r, id, what == "error")
	default:
		http.Error(w, `{"errorType":"NotFound"}`, http.StatusNotFound)
	}
}

func (h *Lambda) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-h.next:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:partsweep")
		w.Write(inv.event)
	case <-r.Context().Done():
	}
}

func (h *Lambda) serveAnswer(w http.ResponseWriter, r *http.Request, id string, failed bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 6<<20))
	h.mu.Lock()
	inv := h.open[id]
	delete(h.open, id)
	h.mu.Unlock()
	if err != nil || inv == nil {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, `{"status":"OK"}`)
	inv.answer <- answer{body, failed}
}
