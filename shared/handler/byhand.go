package handler

import (
	"context"
	"iter"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/trigger"
)

// What only a person asks for: the uploads of a plan, what is known of one, a bucket's lifecycle. The allow-list holds for all
// of it.

// Do works off requests that need no event, such as those typed at a terminal.
func (h *Handler) Do(ctx context.Context, requests []mpu.Request) (*Report, error) {
	e := trigger.Event{Source: "by hand"}
	for _, r := range requests {
		e.Items = append(e.Items, trigger.Item{Request: r})
	}
	report, _ := h.run(ctx, e, nil)
	return report, report.Err()
}

// ApplyPlan works off tasks that a plan was turned into. Every upload of them is held against the allow-list before anything is
// sent, so that a plan which names one that may not be touched does nothing.
func (h *Handler) ApplyPlan(ctx context.Context, tasks []janitor.Task) (*Report, error) {
	for i, t := range tasks {
		if t.Uploads == nil {
			allowed, err := h.Allowed(ctx, t.Request)
			if err != nil {
				return nil, err
			}
			tasks[i].Request = h.notUndercut(allowed[0])
			continue
		}
		for u := range t.Uploads {
			allowed, err := h.Allowed(ctx, u.Request())
			if err != nil {
				return nil, err
			}
			tasks[i].Request.Bucket = allowed[0].Bucket
		}
		tasks[i].Uploads = in(tasks[i].Request.Bucket, t.Uploads)
	}
	log := h.logFor(ctx)
	report := &Report{Source: "a plan", Report: h.janitor(log).Run(ctx, tasks)}
	h.notePlanned(report, tasks)
	h.price(report)
	h.conclude(ctx, log, report)
	return report, report.Err()
}

// notUndercut holds a request of a plan to the minimum age, which a request that names an upload is otherwise free of.
func (h *Handler) notUndercut(r mpu.Request) mpu.Request {
	if latest := h.wallClock().Add(-h.settings.MinAge).UTC(); r.Before.After(latest) {
		r.Before = latest
	}
	return r
}

// in puts uploads into the bucket as the settings know it.
func in(b mpu.Bucket, uploads iter.Seq[mpu.Upload]) iter.Seq[mpu.Upload] {
	return func(yield func(mpu.Upload) bool) {
		for u := range uploads {
			u.Bucket = b
			if !yield(u) {
				return
			}
		}
	}
}

// Explain says what is known of the uploads that a request names, at most so many. Nothing is changed.
func (h *Handler) Explain(ctx context.Context, r mpu.Request, most int) ([]janitor.Explanation, error) {
	allowed, err := h.Allowed(ctx, r)
	if err != nil {
		return nil, err
	}
	return h.janitor(h.logFor(ctx)).Explain(ctx, allowed[0], most)
}

// Allowed returns what the settings allow of a request, one for each bucket, with the regions that they know. The error is
// mpu.Refused if that is nothing.
func (h *Handler) Allowed(ctx context.Context, r mpu.Request) ([]mpu.Request, error) {
	return h.requests(ctx, trigger.Item{Request: r})
}

// Open returns the store that a bucket is in. Whoever asks has held the bucket against the allow-list.
func (h *Handler) Open(b mpu.Bucket) (*store.Store, error) { return h.open(b) }
