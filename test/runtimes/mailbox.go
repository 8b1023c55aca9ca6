package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A mailbox is what the two protocols over HTTP share: the function asks for the next event, and answers it by its ID.
type mailbox struct {
	next  chan *invocation
	asked chan struct{} // closed when the function has asked for the first time
	once  sync.Once
	mu    sync.Mutex
	open  map[string]*invocation // handed out and not answered
	n     int
}

type invocation struct {
	id     string
	event  []byte
	header http.Header // what the platform says beside the event
	answer chan answer
}

type answer struct {
	body   []byte
	failed bool
}

func newMailbox() *mailbox {
	return &mailbox{next: make(chan *invocation), asked: make(chan struct{}), open: map[string]*invocation{}}
}

// Ready implements [Host].
func (m *mailbox) Ready(ctx context.Context) error {
	select {
	case <-m.asked:
		return nil
	case <-ctx.Done():
		return ended(ctx, "the function never asked for an event")
	}
}

// invoke hands an event over and waits for the answer.
func (m *mailbox) invoke(ctx context.Context, event []byte, call Call, header func(id string) http.Header) ([]byte, error) {
	if err := m.Ready(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := call.bound(ctx)
	defer cancel()
	inv := m.begin(event, header)
	defer m.end(inv.id)
	select {
	case m.next <- inv:
	case <-ctx.Done():
		return nil, ended(ctx, "the function did not ask for an event")
	}
	select {
	case a := <-inv.answer:
		return a.result()
	case <-ctx.Done():
		return nil, ended(ctx, "the function did not answer")
	}
}

func (m *mailbox) begin(event []byte, header func(id string) http.Header) *invocation {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", m.n)
	inv := &invocation{id: id, event: event, header: header(id), answer: make(chan answer, 1)}
	m.open[id] = inv
	return inv
}

// end takes an invocation away, and returns nil if there is none of that ID, or no more.
func (m *mailbox) end(id string) *invocation {
	m.mu.Lock()
	defer m.mu.Unlock()
	inv := m.open[id]
	delete(m.open, id)
	return inv
}

func (a answer) result() ([]byte, error) {
	if !a.failed {
		return a.body, nil
	}
	e := &FunctionError{}
	if err := json.Unmarshal(a.body, e); err != nil {
		return nil, errors.Join(fmt.Errorf("the function's error report is %q", a.body), err)
	}
	return nil, e
}

// serveNext answers a request for the next event. It waits until there is one.
func (m *mailbox) serveNext(w http.ResponseWriter, r *http.Request) {
	m.once.Do(func() { close(m.asked) })
	select {
	case inv := <-m.next:
		for name, values := range inv.header {
			w.Header()[name] = values
		}
		w.Write(inv.event)
	case <-r.Context().Done():
	}
}

// errUnknownID is the answer to a report on an invocation that there is not, or that was answered before.
var errUnknownID = errors.New("no such invocation")

// serveAnswer takes a result or an error report of at most a number of bytes, and lets reply say that it came.
func (m *mailbox) serveAnswer(r *http.Request, id string, failed bool, limit int64) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return err
	}
	inv := m.end(id)
	if inv == nil {
		return errUnknownID
	}
	inv.answer <- answer{body, failed}
	return nil
}
