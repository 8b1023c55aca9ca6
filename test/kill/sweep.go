package main

import (
	"context"
	"fmt"
)

// killSweep kills one and the same sweep again and again. A run that is killed begins from the start, so each is let go as
// far as it takes for little to be left in the end; one in eight is killed before it can get anywhere.
func killSweep(ctx context.Context, w *world) error {
	share := 9 * w.config.uploads / 10 / w.config.kills
	for w.result.killed() < w.config.kills {
		aborts := w.dice.IntN(2*share + 1)
		if w.dice.IntN(8) == 0 {
			aborts = 0
		}
		a, err := w.call(ctx, call{event: w.platform.sweep(), faults: landings, aim: func(p *process) func() { return w.aim(p, aborts) }})
		if err != nil {
			return err
		}
		if a.ending == done && w.staleLeft() == 0 {
			return fmt.Errorf("all is done after %d kills, of %d: give it more uploads", w.result.killed(), w.config.kills)
		}
	}
	w.result.say("%d stale uploads were left at the last kill", w.staleLeft())
	if w.config.kills >= 400 && len(w.result.kills) < 1+len(phases)*len(moments) {
		w.complain("there are phases that no kill came in")
	}
	return w.sweepAll(ctx)
}

const mostRetries = 5

// sweepAll lets the function work undisturbed by anything but the sandbox, and then again a week later, for the uploads that
// a part has landed in.
func (w *world) sweepAll(ctx context.Context) error {
	if err := w.sweepToTheEnd(ctx, landings); err != nil {
		return err
	}
	w.result.landed = w.age()
	if w.result.landed == 0 {
		return nil
	}
	return w.sweepToTheEnd(ctx, failing)
}

// sweepToTheEnd sends the event until nothing is left to do, as a platform's retry or the next tick does.
func (w *world) sweepToTheEnd(ctx context.Context, faults []disturbance) error {
	for range mostRetries {
		a, err := w.call(ctx, call{event: w.platform.sweep(), faults: faults})
		if err != nil || a.ending == done {
			return err
		}
	}
	w.complain("something is left to do after %d runs that nobody killed", mostRetries)
	return nil
}
