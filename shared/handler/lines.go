package handler

import (
	"io"
	"sync"
	"time"
)

// lines gathers the lines of a log and writes many at once: a sweep has one for every upload, and a system call for each is
// a good part of what an abort costs. What has been gathered is written after a moment, when there is much of it, and when a
// call ends, since the platform may freeze the process then.
type lines struct {
	w io.Writer

	mu    sync.Mutex
	held  []byte
	later *time.Timer
}

const (
	heldBytes = 32 << 10
	heldTime  = 100 * time.Millisecond
)

func newLines(w io.Writer) *lines { return &lines{w: w, held: make([]byte, 0, heldBytes+4<<10)} }

// Write takes one line on.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, line...)
	switch {
	case len(l.held) >= heldBytes:
		return len(line), l.write()
	case l.later == nil:
		l.later = time.AfterFunc(heldTime, func() { l.flush() })
	}
	return len(line), nil
}

// flush writes what is held.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write() // a log that cannot be written has nowhere to say so
}

// write writes what is held. The caller holds the lock.
func (l *lines) write() error {
	if l.later != nil {
		l.later.Stop()
		l.later = nil
	}
	if len(l.held) == 0 {
		return nil
	}
	_, err := l.w.Write(l.held)
	if l.held = l.held[:0]; cap(l.held) > 4*heldBytes {
		l.held = nil // one line was very long
	}
	return err
}
