package main

import (
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// What a request is to a process.
const (
	listing      = "a listing"
	inspection   = "an inspection"
	abort        = "an abort"
	verification = "a verification"
)

// Where a request is when its process dies.
const (
	lost     = "never arrives"
	orphan   = "is carried out when it is dead"
	answered = "has been carried out, before the answer"
)

var (
	phases  = []string{listing, inspection, abort, verification}
	moments = []string{lost, orphan, answered}
)

// aim has a process killed when about so many aborts have been sent: at a request of some phase and some moment of it, or,
// for one in six, at any moment.
func (w *world) aim(p *process, aborts int) (miss func()) {
	moment, phase := moments[w.dice.IntN(len(moments))], phases[w.dice.IntN(len(phases))]
	after := time.Duration(w.dice.IntN(40*aborts+100)) * 10 * time.Microsecond
	switch {
	case w.dice.IntN(6) == 0:
		timer := time.AfterFunc(after, func() { p.kill("any moment") })
		return func() { timer.Stop() }
	case phase == verification:
		aborts = min(aborts, 3) // a sweep verifies its first aborts, if any
	}
	return w.aimAt(p, moment, phase, aborts)
}

// aimAt has a process killed at the first request of a phase once so many aborts have been sent. If there is none, it dies
// at whatever it asks when there is no abort in hand any more from before.
func (w *world) aimAt(p *process, moment, phase string, aborts int) (miss func()) {
	what := "" // the request that it dies at, once that is known
	f := sandbox.Fault{Times: 1, When: func(t sandbox.Target) bool {
		is := w.phase(t)
		if what != "" || aborts > 0 || is != phase && aborts > -concurrency {
			if is == abort {
				aborts--
			}
			return false
		}
		what = is + " that " + moment
		return true
	}}
	switch moment {
	case lost:
		f.Do, f.Cut = func() { p.kill(what) }, true
	case orphan:
		f.Do = func() { p.kill(what) }
	case answered:
		f.Mangle = func(_ int, body []byte) []byte {
			p.kill(what)
			return body
		}
	}
	return w.Script(f)
}

// phase says what a request is to a process.
func (w *world) phase(t sandbox.Target) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case t.Op == sandbox.OpListUploads:
		return listing
	case t.Op == sandbox.OpListParts && w.fresh[t.UploadID]:
		return verification
	case t.Op == sandbox.OpListParts:
		return inspection
	case t.Op == sandbox.OpAbort:
		return abort
	}
	return t.Op
}
