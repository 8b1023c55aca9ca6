package janitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// handle inspects one upload, decides, and aborts it if the decision says so. It reports whether the upload has been
// worked off; false means that it is left for another run.
func (j *job) handle(u mpu.Upload) (finished bool) {
	j.hands.take(u)
	defer j.hands.putDown(u)
	o := mpu.Outcome{Upload: u, Result: mpu.ResultDeferred}
	defer func() {
		finished = o.Result != mpu.ResultDeferred
		j.record(o)
		j.countDenied(o)
		if !finished && j.direct() {
			j.leave(j.request)
		}
	}()
	if j.giveUp.Err() != nil {
		return
	}
	d, parts, err := j.inspect(j.ctx, u)
	if err != nil {
		o = j.failed(o, err)
		return
	}
	if d.Verdict != mpu.Abort {
		o = kept(d)
		return
	}
	o.Upload, o.Reason, o.Detail, o.Inspected, o.Parts, o.Bytes, o.LastActive = d.Upload, d.Reason, d.Detail, d.Inspected, d.Parts, d.Bytes, d.LastActive
	switch {
	case !j.apply:
		o.Result = mpu.ResultPlanned
	case !j.mayAbort():
		j.stop(errCapped)
	default:
		o = j.abort(o, parts, mayLand(d.Upload, parts, j.named, j.clock) || j.unproven())
		if o.Result != mpu.ResultAborted && !o.Unconfirmed {
			j.aborts.Add(-1) // it counts what was aborted, and what may have been
		}
	}
	return
}

// unproven reports whether an abort must be seen to work: there are services that accept one and do nothing. On the
// vendor's own the documents are enough; of any other the first aborts are looked after, and all of a listing that is
// read again.
func (j *job) unproven() bool { return j.store.Foreign() && (j.passes > 0 || !j.proven.Load()) }

// inspect looks at an upload's parts and decides.
func (j *job) inspect(ctx context.Context, u mpu.Upload) (mpu.Decision, store.Parts, error) {
	if j.Uninspected && j.swept && !u.Initiated.IsZero() {
		return judge(u, store.Parts{}, j.before), store.Parts{}, nil
	}
	parts, err := j.store.Parts(ctx, u)
	if errors.Is(err, mpu.Gone) && j.direct() && j.store.Foreign() {
		err = j.goneForSure(ctx, u, err)
	}
	if err == nil && (j.direct() || j.planned) && parts.Newest.IsZero() && parts.Initiated.IsZero() {
		// The listing of parts of an upload that has none says nothing about when it was begun, and what whoever named it says
		// of that is not to be believed: a plan is a file, which can be edited.
		u.Initiated, err = j.initiated(ctx, u)
	}
	if err != nil {
		return mpu.Decision{}, parts, err
	}
	d := judge(u, parts, j.before)
	d.Inspected = true
	return d, parts, nil
}

// goneForSure asks for the key's uploads as well, where a service answers alike for an upload that is gone and for what is
// wrong with the question: there may be no such bucket (rclone), or it stands in the wrong place of the address (Ceph). It
// returns what is wrong, or else gone.
func (j *job) goneForSure(ctx context.Context, u mpu.Upload, gone error) error {
	for _, err := range j.store.Pages(ctx, u.Bucket, u.Key, mpu.Marker{}) {
		if err != nil {
			return err
		}
		break
	}
	return gone
}

// lookUpPages is how many pages are read to find when one upload was begun.
const lookUpPages = 20

// initiated looks an upload up in the listing of its key. The time is zero if it is not found there.
func (j *job) initiated(ctx context.Context, u mpu.Upload) (time.Time, error) {
	pages := 0
	for page, err := range j.store.Pages(ctx, u.Bucket, u.Key, mpu.Marker{}) {
		if err != nil {
			return time.Time{}, err
		}
		for _, have := range page.Uploads {
			if have.Key == u.Key && have.UploadID == u.UploadID {
				return have.Initiated, nil
			}
		}
		if pages++; pages == lookUpPages {
			return time.Time{}, &mpu.Error{Op: "look up upload", Target: u.String(),
				Err: fmt.Errorf("it is not among the first %d pages of its key, and nothing else says when it was begun", pages)}
		}
	}
	return time.Time{}, nil
}

// An aliveError is why an abort was not sent again: something happened to the upload while it waited.
type aliveError struct{ decision mpu.Decision }

func (e *aliveError) Error() string { return string(e.decision.Reason) + ": " + e.decision.Detail }

// mayAbort takes one of the aborts that the run may do.
func (j *job) mayAbort() bool {
	return j.aborts.Add(1) <= int64(orDefault(j.MaxAborts, DefaultMaxAborts))
}

// An attempt is the abort of one upload on its way.
type attempt struct {
	*job
	outcome mpu.Outcome
	seen    store.Parts // at the last look
	arrived bool        // an abort is known to have been carried out
}

// abort aborts an upload. With verify it makes sure: parts that were in flight may have landed, so the abort is repeated
// until the service no longer knows the upload, at most three rounds, as the S3 reference of AbortMultipartUpload advises.
func (j *job) abort(o mpu.Outcome, seen store.Parts, verify bool) mpu.Outcome {
	a := &attempt{job: j, outcome: o, seen: seen}
	again := a.again
	pause := orDefault(j.Pause, time.Second)
	for round := 1; ; round++ {
		err := j.store.Abort(j.ctx, o.Upload, again)
		a.outcome.Unconfirmed = a.arrived || a.outcome.Unconfirmed || unanswered(err)
		switch {
		case errors.Is(err, mpu.Gone) && !a.arrived:
			return gone(a.outcome)
		case errors.Is(err, mpu.Gone):
			return j.verified(a.outcome)
		case err != nil:
			return j.failed(a.outcome, err)
		}
		a.outcome.Result, a.outcome.Unconfirmed, a.arrived = mpu.ResultAborted, false, true
		if !verify {
			return a.outcome
		}
		left, err := j.store.Parts(j.ctx, o.Upload)
		if errors.Is(err, mpu.Gone) {
			return j.verified(a.outcome)
		}
		if err == nil && (left.Newest.After(a.seen.Newest) || left.Count < a.seen.Count) {
			a.landed(left)
		}
		ended := round == rounds || err != nil && j.timeUp(err) || wait(j.ctx, pause) != nil
		switch {
		case ended && err == nil && round > 1: // behind the first abort, parts that were in flight are no surprise
			return survived(a.outcome, left)
		case ended:
			return j.unseen(a.outcome, err)
		}
		again = nil // it is aborted already, and what is to go is what landed since
		pause *= 2
	}
}

// again decides once more, for an abort that has waited.
//
// An upload never loses parts but by an abort: with fewer than were seen, an abort of ours that got lost did arrive, and what
// is there now has landed behind it. Bytes say nothing: a client may send a part again, and a smaller one.
func (a *attempt) again(ctx context.Context, last error) error {
	a.outcome.Unconfirmed = a.outcome.Unconfirmed || unanswered(last)
	d, parts, err := a.inspect(ctx, a.outcome.Upload)
	switch {
	case err != nil:
		return err
	case a.outcome.Unconfirmed && parts.Count < a.seen.Count:
		a.arrived = true
		a.landed(parts)
	case d.Verdict != mpu.Abort:
		return &aliveError{d}
	case !a.arrived && d.Inspected:
		a.outcome.Parts, a.outcome.Bytes, a.seen = parts.Count, parts.Bytes, parts
	}
	return nil
}

// landed counts parts that landed after the last look. What that saw went with an abort: surely where there are fewer now, and
// where the service is the vendor's own. Any other may have accepted the abort and done nothing, and then it is among these.
func (a *attempt) landed(parts store.Parts) {
	if a.store.Foreign() && parts.Count >= a.seen.Count {
		a.outcome.Parts, a.outcome.Bytes = a.outcome.Parts-a.seen.Count, a.outcome.Bytes-a.seen.Bytes
		a.outcome.BytesUnconfirmed += a.seen.Bytes
	}
	a.outcome.Parts, a.outcome.Bytes, a.seen = a.outcome.Parts+parts.Count, a.outcome.Bytes+parts.Bytes, parts
}

// unanswered reports whether an error leaves open if the request was carried out: nothing was heard, or that something went
// wrong. A service that asks to slow down has done nothing.
func unanswered(err error) bool {
	if err == nil {
		return false
	}
	var e *mpu.Error
	return errors.As(err, &e) && errors.Is(err, mpu.Transient) && !errors.Is(err, store.ErrNoTime) &&
		e.Status != http.StatusTooManyRequests && e.Status != http.StatusServiceUnavailable
}

// gone is the end of an upload that no longer exists. If an answer to an abort got lost, it may have been that abort.
func gone(o mpu.Outcome) mpu.Outcome {
	o.Result = mpu.ResultGone
	if o.Unconfirmed {
		o = perhaps(o)
		o.Detail += "; gone, perhaps by an abort of ours whose answer was lost"
	} else {
		o.Parts, o.Bytes = 0, 0
	}
	return o
}

// verified is the end of an abort after which the service no longer knows the upload.
func (j *job) verified(o mpu.Outcome) mpu.Outcome {
	j.proven.Store(true)
	o.Result, o.Verified, o.Unconfirmed = mpu.ResultAborted, true, false
	return o
}

// unseen is the end of an abort that was accepted and not seen to have worked. Where the time was up before that could be, it is
// left to the next run. The error is of the last look, nil if that came too early.
func (j *job) unseen(o mpu.Outcome, err error) mpu.Outcome {
	switch {
	case err != nil && !errors.Is(err, mpu.Transient):
		// The service does not let us look. The abort was accepted; that is all that can be said.
		o.Detail += "; could not be verified: " + err.Error()
		return o
	case err == nil || j.timeUp(err):
		o.Result = mpu.ResultDeferred
	default:
		o.Result = mpu.ResultFailed
	}
	o = perhaps(o)
	o.Err = &mpu.Error{Kind: mpu.Transient, Op: "verify abort", Target: o.Upload.String(),
		Message: "the abort was accepted, and was not seen to have worked", Err: cmp.Or(err, j.ctx.Err())}
	return o
}

// perhaps counts what was seen in an upload as what its abort may have removed.
func perhaps(o mpu.Outcome) mpu.Outcome {
	o.Unconfirmed, o.BytesUnconfirmed = true, o.BytesUnconfirmed+o.Bytes
	return o
}

// survived is the end of an upload that was seen after aborts that were accepted. What was in it and is not among what is left may
// have gone with one of them.
func survived(o mpu.Outcome, left store.Parts) mpu.Outcome {
	o.BytesUnconfirmed += max(o.Bytes-left.Bytes, 0)
	o.Result, o.Unconfirmed, o.Parts, o.Bytes = mpu.ResultFailed, o.BytesUnconfirmed > 0, left.Count, left.Bytes
	o.Err = &mpu.Error{Kind: mpu.Transient, Op: "verify abort", Target: o.Upload.String(),
		Message: "the service accepts the abort and still lists the upload",
		Hint:    "a client may still be sending parts; the next run tries again"}
	return o
}

// timeUp reports whether there is no time left, or was none for what came of it an error.
func (j *job) timeUp(err error) bool { return j.ctx.Err() != nil || errors.Is(err, store.ErrNoTime) }

// failed turns an error into an outcome: gone, deferred because time ran out, or failed.
func (j *job) failed(o mpu.Outcome, err error) mpu.Outcome {
	if errors.Is(err, mpu.Gone) {
		return gone(o)
	}
	if o.Unconfirmed {
		o = perhaps(o)
	}
	o.Result, o.Err = mpu.ResultFailed, err
	var alive *aliveError
	switch {
	case errors.As(err, &alive):
		k := kept(alive.decision)
		if k.Unconfirmed, k.BytesUnconfirmed = o.Unconfirmed, o.BytesUnconfirmed; k.Unconfirmed {
			k.Detail += "; an abort was sent before that, and its answer was lost"
		}
		return k
	case j.timeUp(err):
		o.Result = mpu.ResultDeferred
	}
	return o
}

// countDenied gives a request up when the service does nothing but refuse: the same answer a million times helps nobody,
// and some services lock out a client that keeps asking (OBS, TooManyWrongSignature).
func (j *job) countDenied(o mpu.Outcome) {
	if !errors.Is(o.Err, mpu.Denied) {
		j.denied.Store(0)
		return
	}
	if j.denied.Add(1) >= deniedInARow {
		j.stop(errTooManyDenied)
	}
}

func kept(d mpu.Decision) mpu.Outcome {
	return mpu.Outcome{Upload: d.Upload, Result: mpu.ResultKept, Reason: d.Reason, Detail: d.Detail,
		Inspected: d.Inspected, Parts: d.Parts, Bytes: d.Bytes, LastActive: d.LastActive}
}

func wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err // with both ready, select would toss a coin
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
