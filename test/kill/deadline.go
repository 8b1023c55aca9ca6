package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// slow makes a sweep take longer than any of the deadlines.
var slow = []disturbance{
	{5, sandbox.Fault{Code: "ServiceUnavailable"}},
	{2, sandbox.Fault{Cut: true}},
	{1000, sandbox.Fault{Op: sandbox.OpAbort, Latency: 100 * time.Millisecond}},
}

const (
	mostShort = 1000
	plenty    = 250 * time.Millisecond // a deadline that a function can keep
)

// cutShort gives a sweep less time than it needs, again and again. What it says is left is what the next run is asked for,
// and the same once more where it had no time to say anything. A fifth of the deadlines are too short for anything.
func cutShort(ctx context.Context, w *world) error {
	event, enough, late, kept := w.platform.sweep(), 0, 0, 0
	for range mostShort {
		limit := time.Duration(20+w.dice.IntN(480)) * time.Millisecond
		if w.dice.IntN(5) == 0 {
			limit = time.Duration(1+w.dice.IntN(20)) * time.Millisecond
		}
		a, err := w.call(ctx, call{event: event, limit: limit, faults: slow})
		if err != nil {
			return err
		}
		if limit >= plenty {
			enough++
			if a.ending == dead {
				late++
			}
		}
		if a.ending == done {
			w.result.say("%d runs had %v and more, of which %d were killed at the deadline; %d runs named a rest", enough, plenty, late, kept)
			if 2*late > enough {
				w.complain("most runs do not answer ahead of the deadline")
			}
			return nil
		}
		if a.ending == left {
			kept++
			w.checkRest(a.rest)
			if event, err = json.Marshal(map[string]any{"sweep": a.rest}); err != nil {
				return err
			}
		}
	}
	w.complain("the rest does not become less")
	return nil
}

// checkRest sees that a rest covers every stale upload that is still there.
func (w *world) checkRest(rest []string) {
	var requests []mpu.Request
	for _, text := range rest {
		r, err := mpu.Parse(text)
		if err != nil {
			w.complain("a rest is %q: %v", text, err)
			return
		}
		requests = append(requests, r)
	}
	missing := 0
	for id, u := range w.open() {
		if w.stale[id] != "" && !covered(requests, u) {
			missing++
		}
	}
	if missing > 0 {
		w.complain("the rest is %q, and leaves out %d stale uploads that are still there", rest, missing)
	}
}

func covered(requests []mpu.Request, u sandbox.Upload) bool {
	for _, r := range requests {
		if u.Initiated.Before(r.Before) && u.Key >= r.After.Key {
			return true
		}
	}
	return false
}
