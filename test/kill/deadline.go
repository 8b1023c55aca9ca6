package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

// cutShort gives a sweep less time than it needs, again and again. What it says is left is what the next run is asked for.
func cutShort(ctx context.Context, binary string, c config) (*result, error) {
	c.uploads = min(c.uploads/4, 2000)
	w, err := newWorld(c)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	w.Script(sandbox.Fault{Op: sandbox.OpAbort, Latency: 5 * time.Millisecond})
	event, late := sweepEvent, 0
	for range 500 {
		limit := time.Duration(5+w.dice.IntN(500)) * time.Millisecond
		rest, state, err := w.shortRun(ctx, binary, event, limit)
		if err != nil {
			return nil, err
		}
		if state == done {
			break
		}
		if state == killed {
			late++ // the platform sends the same event again
			continue
		}
		if len(rest) == 0 {
			w.result.complain("something is left to do, and nothing says what")
			break
		}
		if event, err = json.Marshal(map[string]any{"sweep": rest}); err != nil {
			return nil, err
		}
	}
	w.check()
	for id := range w.stale {
		if w.aborted[id] > 1 {
			w.result.complain("%s was aborted %d times", id, w.aborted[id])
		}
	}
	w.result.more = append(w.result.more, fmt.Sprintf("of %d runs with 5 to 505 ms, %d were killed at the deadline", w.result.runs, late))
	return w.result, nil
}

type state int

const (
	done state = iota
	left
	killed
)

// shortRun runs the function with little time, and returns what it says is left.
func (w *world) shortRun(ctx context.Context, binary string, event []byte, limit time.Duration) (rest []string, s state, err error) {
	p, err := w.start(binary)
	if err != nil {
		return nil, 0, err
	}
	if err := p.host.Ready(ctx); err != nil {
		p.end()
		return nil, 0, err
	}
	_, err = p.host.Invoke(ctx, event, runtimes.Call{Timeout: limit})
	var said *runtimes.FunctionError
	switch {
	case err == nil:
		s = done
	case errors.As(err, &said):
		s = left
	default:
		s = killed
		p.kill()
	}
	p.end()
	for line := range lines(p.out.Bytes()) {
		if line.Msg == "report" {
			rest = line.Report.Rest
		}
	}
	return rest, s, ctx.Err()
}
