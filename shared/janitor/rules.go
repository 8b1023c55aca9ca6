package janitor

import (
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// The rules are pure: times come in, a decision goes out. They know no clock and no network.

// granularity is how coarsely services tell time. S3 cuts Initiated to whole seconds, so an upload that says 08:59:58 may
// have begun as late as 08:59:58.999, after a failure at 08:59:58.5.
const granularity = time.Second

// skew is how far ahead another clock may be and still be believed.
const skew = time.Minute

// landing is for how long after the last sign of life a part may still be on its way. A part of 5 GiB over a slow line
// takes hours; after a day without any sign, nothing is taken to be in flight.
const landing = 24 * time.Hour

// cutoff returns the moment since which nothing may have happened to an upload for it to be stale.
//
// A request that names one upload is taken at its word about when that failed. Any other request cannot undercut the
// minimum age; neither can one that says no time, or a time that has not come yet: a clock that is that wrong says nothing
// about when the upload was last alive.
func cutoff(r mpu.Request, minAge time.Duration, now time.Time) time.Time {
	r = r.At(now)
	latest := now.Add(-minAge)
	if r.UploadID != "" && !r.Before.IsZero() && !r.Before.After(now.Add(skew)) {
		latest = now
	}
	if r.Before.IsZero() || r.Before.After(latest) {
		return latest.UTC()
	}
	return r.Before
}

// tooYoung is the cheap test: what the listing says is enough to keep the upload, and its parts need not be looked at.
func tooYoung(u mpu.Upload, before time.Time) (mpu.Decision, bool) {
	switch {
	case since(u.Initiated, before):
		return keep(u, mpu.TooYoung, "initiated", u.Initiated, before), true
	case since(u.Active, before):
		return keep(u, mpu.Active, "last active", u.Active, before), true
	}
	return mpu.Decision{}, false
}

// judge decides on an upload whose parts have been looked at: it is stale if it was initiated before the cutoff and so was
// its newest part uploaded. Where nothing trustworthy says when, it is kept, whoever asks.
func judge(u mpu.Upload, parts store.Parts, before time.Time) mpu.Decision {
	if u.Initiated.IsZero() {
		u.Initiated = parts.Initiated
	}
	d, young := tooYoung(u, before)
	switch {
	case young:
	case since(parts.Newest, before):
		d = keep(u, mpu.Active, "last part uploaded", parts.Newest, before)
	case parts.Count > 0 && parts.Newest.IsZero() && u.Active.IsZero():
		d = mpu.Decision{Upload: u, Verdict: mpu.Keep, Reason: mpu.NoTime, Detail: "its parts carry no time"}
	case lastActive(u, parts).IsZero():
		d = mpu.Decision{Upload: u, Verdict: mpu.Keep, Reason: mpu.NoTime, Detail: "neither the upload nor a part carries a time"}
	default:
		d = mpu.Decision{Upload: u, Verdict: mpu.Abort, Reason: mpu.Stale, Detail: detail("nothing since", lastActive(u, parts), before)}
	}
	d.Parts, d.Bytes, d.LastActive = parts.Count, parts.Bytes, lastActive(u, parts)
	return d
}

// mayLand reports whether parts may still be on their way into an upload, so that its abort must be verified.
func mayLand(u mpu.Upload, parts store.Parts, named bool, now time.Time) bool {
	last := lastActive(u, parts)
	return named || last.IsZero() || now.Sub(last) < landing
}

// lastActive returns the latest sign of life.
func lastActive(u mpu.Upload, parts store.Parts) time.Time {
	last := u.Initiated
	for _, t := range []time.Time{u.Active, parts.Initiated, parts.Newest} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// since reports whether t is known and may be at or after the cutoff.
func since(t, before time.Time) bool {
	return !t.IsZero() && t.Add(granularity).After(before)
}

func keep(u mpu.Upload, reason mpu.Reason, what string, when, before time.Time) mpu.Decision {
	return mpu.Decision{Upload: u, Verdict: mpu.Keep, Reason: reason, Detail: detail(what, when, before), LastActive: when}
}

// detail says what happened when, and by which cutoff that was judged.
func detail(what string, when, before time.Time) string {
	b := make([]byte, 0, 96)
	b = when.UTC().AppendFormat(append(append(b, what...), ' '), time.RFC3339)
	return string(before.UTC().AppendFormat(append(b, ", cutoff "...), time.RFC3339))
}
