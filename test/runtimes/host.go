// Package runtimes is the platforms' side of the three runtime protocols, on loopback: a host hands events to a function's
// binary as the platform does, and takes its answers. It is written from the vendors' documents and uses none of their
// code, so that a mistake of the SDK's or of ours is not made on both sides.
package runtimes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A Host is one platform's side of its runtime protocol, for one process of a function.
type Host interface {
	// Environ is what the platform puts into the environment of a function that it starts with the role's credentials.
	Environ(role Credentials) []string
	// Ready waits until the function asks for its first event, or answers to the platform's first question.
	Ready(ctx context.Context) error
	// Invoke hands an event to the function and waits for its result. What the function reports in place of a result is a
	// *FunctionError. A function that does not answer within the call's timeout has failed, as on the platform.
	Invoke(ctx context.Context, event []byte, call Call) ([]byte, error)
	// Close ends the host and its connections. End the function first: one that asks a host that is gone may do so in a
	// loop without a pause.
	Close() error
}

var _, _, _ Host = (*Lambda)(nil), (*FC)(nil), (*SCF)(nil)

// A Call is what the platform says about one invocation beside the event.
type Call struct {
	// Timeout is the function's time limit. Zero means three seconds, which FC and SCF give a function that names none.
	Timeout time.Duration
	// Credentials are the role's at this moment. FC and SCF hand them over with every call; Lambda does not.
	Credentials Credentials
	// NoDeadline leaves out the deadline, which an SCF host may do. The others always say it.
	NoDeadline bool
}

func (c Call) timeout() time.Duration {
	if c.Timeout == 0 {
		return 3 * time.Second
	}
	return c.Timeout
}

// bound returns a context that ends when the platform stops waiting for the function.
func (c Call) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout(), fmt.Errorf("the function timed out after %v", c.timeout()))
}

// Credentials are a role's, for a time.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// A FunctionError is what a function reported in place of a result. All three platforms call it by the name of the Go
// type of the error that the function returned.
type FunctionError struct {
	Message    string       `json:"errorMessage"`
	Type       string       `json:"errorType"`
	StackTrace []StackFrame `json:"stackTrace"` // of a panic
}

// A StackFrame is one line of a stack trace.
type StackFrame struct {
	Path  string `json:"path"`
	Line  int32  `json:"line"`
	Label string `json:"label"`
}

// Error returns type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// serve serves HTTP on a free loopback port.
func serve(h http.Handler) (*http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Addr: l.Addr().String(), Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(l)
	return s, nil
}

// ended says why a context is done, and what was waited for.
func ended(ctx context.Context, what string) error {
	return errors.Join(errors.New(what), context.Cause(ctx))
}
