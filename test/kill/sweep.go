package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/partsweep/partsweep/test/runtimes"
)

var sweepEvent = []byte(`{"sweep":"s3://` + bucketName + `?olderThan=2d"}`)

// killSweep kills one and the same sweep again and again.
func killSweep(ctx context.Context, binary string, c config) (*result, error) {
	w, err := newWorld(c)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	w.disturb(c.seed)
	// Each run gets about as far as it must for the last to find a little left; one in eight gets nowhere.
	share := max(2*c.uploads/max(c.kills, 1), 8)
	for int(w.killed.Load()) < c.kills {
		n := w.dice.IntN(2 * share)
		if w.dice.IntN(8) == 0 {
			n = w.dice.IntN(3)
		}
		if err := w.sweep(ctx, binary, n); err != nil {
			return nil, err
		}
	}
	for range 5 { // now it is left alone, with all that a platform's retry may repeat
		done, err := w.sweepToTheEnd(ctx, binary)
		if err != nil {
			return nil, err
		}
		if done {
			break
		}
	}
	w.check()
	w.result.more = append(w.result.more, fmt.Sprintf("%d stale and %d live uploads", len(w.stale), len(w.live)))
	return w.result, nil
}

// sweep starts the function, sends it the event, and kills it about its n-th request.
func (w *world) sweep(ctx context.Context, binary string, n int) error {
	p, err := w.start(binary)
	if err != nil {
		return err
	}
	defer p.end()
	if err := p.host.Ready(ctx); err != nil {
		return err
	}
	remove := w.aim(p, n)
	defer remove()
	gone := make(chan struct{})
	go func() { p.cmd.Process.Wait(); close(gone) }()
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { <-gone; cancel(errors.New("the process is dead")) }()
	p.host.Invoke(call, sweepEvent, runtimes.Call{Timeout: time.Minute})
	return ctx.Err()
}

// sweepToTheEnd lets the function work, and reports whether it said that nothing is left to do.
func (w *world) sweepToTheEnd(ctx context.Context, binary string) (bool, error) {
	p, err := w.start(binary)
	if err != nil {
		return false, err
	}
	defer p.end()
	_, err = p.host.Invoke(ctx, sweepEvent, runtimes.Call{Timeout: 5 * time.Minute})
	var said *runtimes.FunctionError
	if errors.As(err, &said) {
		return false, nil
	}
	return err == nil, err
}
