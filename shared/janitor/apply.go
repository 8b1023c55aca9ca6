package janitor

import (
	"context"
	"errors"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// handle inspects one upload, decides, and aborts it if the decision says so. It reports whether the upload has been
// worked off; false means that it is left for another run.
func (j *job) handle(u mpu.Upload) (finished bool) {
	o := mpu.Outcome{Upload: u, Result: mpu.ResultDeferred}
	defer func() {
		finished = o.Result != mpu.ResultDeferred
		j.record(o)
		j.countDenied(o)
		if !finished && j.named {
			j.report.leave(j.task, j.request)
		}
	}()
	if j.giveUp.Err() != nil {
		return
	}
	parts, err := j.store.Parts(j.ctx, u)
	if err != nil {
		o = j.failed(o, err)
		return
	}
	d := judge(u, parts, j.before, j.named)
	if d.Verdict != mpu.Abort {
		o = kept(d)
		return
	}
	o.Upload, o.Reason, o.Detail, o.Parts, o.Bytes = d.Upload, d.Reason, d.Detail, d.Parts, d.Bytes
	switch {
	case !j.apply:
		o.Result = mpu.ResultPlanned
	case !j.mayAbort():
		j.stop(errCapped)
	default:
		o = j.abort(o, parts, mayLand(d.Upload, parts, j.named, j.clock))
	}
	return
}

// mayAbort takes one of the aborts that the run may do.
func (j *job) mayAbort() bool {
	return j.aborts.Add(1) <= int64(orDefault(j.MaxAborts, DefaultMaxAborts))
}

// abort aborts an upload. With verify it makes sure: parts that were in flight may have landed, so the abort is repeated
// until the service no longer knows the upload, at most three rounds, as the S3 reference of AbortMultipartUpload advises.
func (j *job) abort(o mpu.Outcome, seen store.Parts, verify bool) mpu.Outcome {
	pause := orDefault(j.Pause, time.Second)
	for round := 1; ; round++ {
		err := j.store.Abort(j.ctx, o.Upload)
		switch {
		case errors.Is(err, mpu.Gone) && round == 1:
			o.Result = mpu.ResultGone
			return o
		case errors.Is(err, mpu.Gone):
			o.Result, o.Verified = mpu.ResultAborted, true
			return o
		case err != nil:
			return j.failed(o, err)
		}
		o.Result = mpu.ResultAborted
		if !verify {
			return o
		}
		left, err := j.store.Parts(j.ctx, o.Upload)
		if errors.Is(err, mpu.Gone) {
			o.Verified = true
			return o
		}
		if left.Newest.After(seen.Newest) {
			// These landed after the last look; what that saw went with the abort.
			o.Parts, o.Bytes, seen = o.Parts+left.Count, o.Bytes+left.Bytes, left
		}
		if round == rounds || wait(j.ctx, pause) != nil {
			return unverified(o, left, err)
		}
		pause *= 2
	}
}

// unverified is the end of an abort that was accepted as often as it was sent, and never seen to have worked.
func unverified(o mpu.Outcome, left store.Parts, err error) mpu.Outcome {
	if err != nil {
		// The service does not let us look. The abort was accepted; that is all that can be said.
		o.Detail += "; could not be verified: " + err.Error()
		return o
	}
	o.Result, o.Parts, o.Bytes = mpu.ResultFailed, left.Count, left.Bytes
	o.Err = &mpu.Error{Kind: mpu.Transient, Op: "verify abort", Target: o.Upload.String(),
		Message: "the service accepts the abort and still lists the upload",
		Hint:    "a client may still be sending parts; the next run tries again"}
	return o
}

// failed turns an error into an outcome: gone, deferred because time ran out, or failed.
func (j *job) failed(o mpu.Outcome, err error) mpu.Outcome {
	switch {
	case errors.Is(err, mpu.Gone):
		o.Result = mpu.ResultGone
	case j.ctx.Err() != nil || errors.Is(err, store.ErrNoTime):
		o.Result, o.Err = mpu.ResultDeferred, err
	default:
		o.Result, o.Err = mpu.ResultFailed, err
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
		Parts: d.Parts, Bytes: d.Bytes}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
