package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Fault is a scripted misbehaviour. Empty matching fields match everything. The first fault added that matches and is
// not used up takes part in a request.
type Fault struct {
	// What it matches.
	Service  Service
	Op       string
	Bucket   string
	Key      string
	UploadID string
	When     func(Target) bool // asked last, and often: it may roll dice

	Skip  int // let this many matching requests pass first
	Times int // how often it acts; 0 means always

	// What it does, in this order; after the first that answers, nothing else happens.
	Latency  time.Duration                     // wait; ends early when the client goes away
	Do       func()                            // called, then the request goes on: to change the world mid-request
	Cut      bool                              // close the connection with no answer
	Code     string                            // answer with this code in the service's own envelope and documented status
	Respond  func(w http.ResponseWriter)       // answer with anything at all: HTML, malformed XML, other headers
	LandPart int64                             // abort only: answer success, but a part of this many bytes lands afterwards
	Mangle   func(status int, b []byte) []byte // run the operation, then answer with this in place of its body
	CutAfter bool                              // run the operation, then close the connection with no answer; the ledger has the status
}

type faultKey struct{}

// faultOf returns the fault that takes part in a request, nil for none.
func faultOf(r *http.Request) *Fault {
	f, _ := r.Context().Value(faultKey{}).(*Fault)
	return f
}

// scripted is a fault and how far its counters have run. The fault itself never changes once it is added.
type scripted struct {
	Fault
	passed int
	acted  int
}

type faults struct {
	mu   sync.Mutex
	list []*scripted
}

// Script adds a fault. It returns a function that takes the fault away again. It panics if the fault's Code is not one
// that the service it names (or, with none named, any service) can answer with: the mistake is the caller's, and a
// request is the wrong place to learn of it.
func (s *Sandbox) Script(f Fault) (remove func()) {
	if f.Code != "" && !s.knows(f.Service, f.Code) {
		panic(fmt.Sprintf("sandbox: service %q has no error code %q", f.Service, f.Code))
	}
	added := &scripted{Fault: f}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, added)
	return func() {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.list = slices.DeleteFunc(s.faults.list, func(have *scripted) bool { return have == added })
	}
}

// knows reports whether a service has an error code; no service means any of them.
func (s *Sandbox) knows(service Service, code string) bool {
	services := []Service{service}
	if service == "" {
		services = Services
	}
	return slices.ContainsFunc(services, func(service Service) bool { return slices.Contains(s.Codes(service), code) })
}

// take returns the fault that takes part in a request and counts the request against it. A fault that still lets
// requests pass leaves them to the faults added after it.
func (f *faults) take(t Target) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, have := range f.list {
		if !have.matches(t) || have.Times > 0 && have.acted >= have.Times {
			continue
		}
		if have.passed < have.Skip {
			have.passed++
			continue
		}
		have.acted++
		return &have.Fault
	}
	return nil
}

func (f *Fault) matches(t Target) bool {
	if f.LandPart > 0 && t.Op != OpAbort {
		return false
	}
	return (f.Service == "" || f.Service == t.Service) &&
		(f.Op == "" || f.Op == t.Op) &&
		(f.Bucket == "" || f.Bucket == t.Bucket) &&
		(f.Key == "" || f.Key == t.Key) &&
		(f.UploadID == "" || f.UploadID == t.UploadID) &&
		(f.When == nil || f.When(t))
}

// apply does what the fault says and reports whether the request goes on to the service.
func (f *Fault) apply(ctx context.Context, w http.ResponseWriter, fail func(code string)) (goOn bool) {
	if f.Latency > 0 && !wait(ctx, f.Latency) {
		panic(http.ErrAbortHandler)
	}
	if f.Do != nil {
		f.Do()
	}
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler) // net/http's own way to close a connection with nothing said
	case f.Code != "":
		fail(f.Code)
		return false
	case f.Respond != nil:
		f.Respond(w)
		return false
	}
	return true
}

// wait waits, and reports whether it was left to wait to the end.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
