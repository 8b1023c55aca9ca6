package handler

import (
	"context"
	"fmt"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/trigger"
)

// A chain is how far the sweeps of an event have come: what is handed on has one hop more than the farthest of them, and
// expires when the first of them does.
type chain struct {
	hops    int
	expires time.Time
}

func newChain(items []trigger.Item, now time.Time) chain {
	c := chain{hops: 1, expires: now.Add(relay.Life)}
	for _, item := range items {
		c.hops = max(c.hops, item.Hops+1)
		if !item.Expires.IsZero() && item.Expires.Before(c.expires) {
			c.expires = item.Expires
		}
	}
	return c
}

// checkHops refuses what has been handed on too often, or for too long. It ends as a dead letter, where somebody looks.
func (h *Handler) checkHops(item trigger.Item) error {
	switch {
	case item.Hops > relay.MaxHops:
		return &mpu.Error{Kind: mpu.Refused, Op: "request", Target: item.Request.String(),
			Err:  fmt.Errorf("it has been handed on %d times", item.Hops),
			Hint: "see in the log why no run finishes it, and start the sweep anew"}
	case !item.Expires.IsZero() && item.Expires.Before(h.wallClock()):
		return &mpu.Error{Kind: mpu.Refused, Op: "request", Target: item.Request.String(),
			Err: fmt.Errorf("it expired at %s", item.Expires.Format(time.RFC3339)), Hint: "start the sweep anew"}
	}
	return nil
}

// spreads reports whether the buckets of a request are for other runs. One bucket is not worth a message, and a plan that
// somebody wants to read is one report.
func (h *Handler) spreads(item trigger.Item, requests []mpu.Request) bool {
	return h.queue != nil && item.Request.Bucket.Name == mpu.AnyBucket && !item.PlanOnly && len(requests) > 1
}

// send gives requests to the queue. Their cutoffs are counted back from now, not from when a message is read.
func (h *Handler) send(ctx context.Context, requests []mpu.Request, c chain) error {
	messages := make([]relay.Message, len(requests))
	for i, r := range requests {
		messages[i] = relay.Message{Request: r.At(h.wallClock()), Hops: c.hops, Expires: c.expires}
	}
	n, err := h.queue.Send(ctx, messages)
	if err != nil {
		return fmt.Errorf("hand on %d of %d requests: %w", len(requests)-n, len(requests), err)
	}
	return nil
}

// handOn gives what a run has left to the queue.
func (h *Handler) handOn(ctx context.Context, report *Report, c chain) {
	rest := report.Unfinished()
	if len(rest) == 0 || h.queue == nil {
		return
	}
	messages := make([]relay.Message, len(rest))
	for i, r := range rest {
		messages[i] = relay.Message{Request: r, Hops: c.hops, Expires: c.expires}
	}
	n, err := h.queue.Send(ctx, messages)
	report.MarkHandedOn(n)
	if err != nil {
		report.Fail(fmt.Errorf("hand on %d requests: %w", len(rest)-n, err))
	}
}
