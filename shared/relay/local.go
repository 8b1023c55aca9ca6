package relay

import (
	"context"
	"encoding/json"
	"sync"
)

// Local is a [Queue] in this process, for a terminal: what is handed on is taken up again when the run is over. Its zero value
// is empty. It is safe for use by many goroutines.
type Local struct {
	mu       sync.Mutex
	messages [][]byte
}

// Send implements [Queue].
func (q *Local) Send(_ context.Context, messages []Message) (taken int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		body, err := json.Marshal(m)
		if err != nil {
			return taken, err
		}
		q.messages = append(q.messages, body)
		taken++
	}
	return taken, nil
}

// Next takes the oldest message out, as the function reads it, and reports false if there is none.
func (q *Local) Next() (body []byte, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return nil, false
	}
	body, q.messages = q.messages[0], q.messages[1:]
	return body, true
}
