package janitor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Report is what a run found and did. It is bounded, whatever the size of the buckets: counts, bytes and a limited
// number of examples. Every single outcome is in the log instead.
type Report struct {
	Mode     string             `json:"mode"` // plan or apply; mixed if some requests only planned
	Started  time.Time          `json:"started"`
	Took     string             `json:"took"`
	Totals   Totals             `json:"totals"`
	Services map[string]*Totals `json:"services"`           // by store
	Requests int                `json:"requests"`           // how many were taken on
	Ignored  []string           `json:"ignored,omitempty"`  // events that were good and not about us
	Failures []string           `json:"failures,omitempty"` // what went wrong, the first ones
	Notes    []string           `json:"notes,omitempty"`    // listings known to be incomplete, and the like
	Kept     []Example          `json:"kept,omitempty"`     // uploads that were kept, the first ones of each reason
	Planned  []Example          `json:"planned,omitempty"`  // uploads that would be aborted, the first ones
	Rest     []string           `json:"rest,omitempty"`     // requests that are left to do
	HandedOn int                `json:"handedOn,omitempty"` // how many of the rest another run has already been given

	mu     sync.Mutex
	failed int           // requests that failed as a whole
	left   int           // requests that are left to do
	rest   []mpu.Request // those of them that another run may be given
	tasks  []taskResult  // of each task, in the order in which they were given
}

// A taskResult is how one task ended.
type taskResult struct {
	err  error // the first thing that went wrong
	left bool  // something of it is among the rest
}

// An Example is one upload out of many.
type Example struct {
	Upload string     `json:"upload"` // in the notation
	Reason mpu.Reason `json:"reason"`
	Detail string     `json:"detail"`
	Bytes  *int64     `json:"bytes,omitempty"` // in its parts; nil where nobody has looked
}

// Totals count what became of uploads. Found is the sum of the others.
type Totals struct {
	Found        int   `json:"found"`
	Aborted      int   `json:"aborted"`
	Verified     int   `json:"verified"` // of the aborted, those that the service no longer knew afterwards
	Planned      int   `json:"planned"`
	Gone         int   `json:"gone"`
	Kept         int   `json:"kept"`
	Failed       int   `json:"failed"`
	Deferred     int   `json:"deferred"`
	BytesFreed   int64 `json:"bytesFreed"`   // in the parts of the aborted
	BytesPlanned int64 `json:"bytesPlanned"` // in the parts of the planned
	// BytesUnconfirmed were in parts that an abort may have removed, but that is not known: its answer was lost, or it was
	// not seen to have worked. What was freed is at least BytesFreed, and at most this much more.
	BytesUnconfirmed int64              `json:"bytesUnconfirmed,omitempty"`
	KeptBy           map[mpu.Reason]int `json:"keptBy,omitempty"`
	OldestKept       time.Time          `json:"oldestKept,omitzero"` // when the oldest of the kept was initiated
}

const (
	mostFailures = 50
	mostNotes    = 50
	mostKept     = 5  // of one store and one reason
	mostPlanned  = 20 // of one store
	mostRest     = 1000
)

// record counts one outcome of a task.
func (r *Report) record(task int, o mpu.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	service := r.service(o.Upload.Bucket.Store)
	service.add(o)
	r.Totals.add(o)
	switch {
	case o.Result == mpu.ResultFailed:
		r.addFailure(o.Err.Error())
		r.taskFailed(task, o.Err)
	case o.Result == mpu.ResultPlanned && service.Planned <= mostPlanned:
		r.Planned = append(r.Planned, exampleOf(o))
	case o.Result == mpu.ResultKept && service.KeptBy[o.Reason] <= mostKept:
		r.Kept = append(r.Kept, exampleOf(o))
	}
}

func exampleOf(o mpu.Outcome) Example {
	e := Example{Upload: o.Upload.String(), Reason: o.Reason, Detail: o.Detail}
	if o.Inspected {
		e.Bytes = new(o.Bytes) // a copy: the outcome itself stays off the heap
	}
	return e
}

func (t *Totals) add(o mpu.Outcome) {
	t.Found++
	t.BytesUnconfirmed += o.BytesUnconfirmed
	switch o.Result {
	case mpu.ResultAborted:
		t.Aborted++
		t.BytesFreed += o.Bytes
		if o.Verified {
			t.Verified++
		}
	case mpu.ResultPlanned:
		t.Planned++
		t.BytesPlanned += o.Bytes
	case mpu.ResultKept:
		t.Kept++
		if t.KeptBy == nil {
			t.KeptBy = map[mpu.Reason]int{}
		}
		t.KeptBy[o.Reason]++
		t.keptSince(o.Upload.Initiated)
	case mpu.ResultGone:
		t.Gone++
	case mpu.ResultDeferred:
		t.Deferred++
	default:
		t.Failed++
	}
}

// Add adds the counts of another run.
func (t *Totals) Add(o Totals) {
	t.Found += o.Found
	t.Aborted += o.Aborted
	t.Verified += o.Verified
	t.Planned += o.Planned
	t.Gone += o.Gone
	t.Kept += o.Kept
	t.Failed += o.Failed
	t.Deferred += o.Deferred
	t.BytesFreed += o.BytesFreed
	t.BytesPlanned += o.BytesPlanned
	t.BytesUnconfirmed += o.BytesUnconfirmed
	for reason, n := range o.KeptBy {
		if t.KeptBy == nil {
			t.KeptBy = map[mpu.Reason]int{}
		}
		t.KeptBy[reason] += n
	}
	t.keptSince(o.OldestKept)
}

func (t *Totals) keptSince(initiated time.Time) {
	if !initiated.IsZero() && (t.OldestKept.IsZero() || initiated.Before(t.OldestKept)) {
		t.OldestKept = initiated
	}
}

func (r *Report) service(store string) *Totals {
	if r.Services[store] == nil {
		r.Services[store] = &Totals{}
	}
	return r.Services[store]
}

// Fail records that a request failed as a whole, or that an event could not be read.
func (r *Report) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	r.addFailure(err.Error())
}

// failTask records that a task failed as a whole.
func (r *Report) failTask(task int, err error) {
	r.Fail(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taskFailed(task, err)
}

func (r *Report) taskFailed(task int, err error) {
	if t := &r.tasks[task]; t.err == nil {
		t.err = err
	}
}

// Ignore records an event that was good and not about us.
func (r *Report) Ignore(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Ignored) < mostNotes {
		r.Ignored = append(r.Ignored, err.Error())
	}
}

func (r *Report) addFailure(s string) {
	switch n := len(r.Failures); {
	case n < mostFailures:
		r.Failures = append(r.Failures, s)
	case n == mostFailures:
		r.Failures = append(r.Failures, "and more, in the log")
	}
}

// Note records something that a reader of the report should know.
func (r *Report) Note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Notes) < mostNotes && !slices.Contains(r.Notes, s) {
		r.Notes = append(r.Notes, s)
	}
}

// leave records a request that is left to do of a task. The rest of a plan is shown and never handed on: another run would
// not know that it was only a plan.
func (r *Report) leave(task int, rest mpu.Request, apply bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[task].left = true
	r.left++
	if apply {
		r.rest = append(r.rest, rest)
	}
	if len(r.Rest) < mostRest {
		r.Rest = append(r.Rest, rest.String())
	}
}

// leavePlanned records that uploads of a plan are left to do. Nothing but the plan says which.
func (r *Report) leavePlanned(task int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[task].left = true
	r.left++
}

// Unfinished returns the requests that are left to do, to be handed on.
func (r *Report) Unfinished() []mpu.Request { return r.rest }

// MarkHandedOn notes that another run has been given n of the unfinished requests, so that they are no longer this run's
// to finish.
func (r *Report) MarkHandedOn(n int) { r.HandedOn = n }

// TaskErr is nil if and only if nothing of the i-th task is left to do.
func (r *Report) TaskErr(i int) error {
	switch t := r.tasks[i]; {
	case t.err != nil:
		return t.err
	case t.left && r.HandedOn < r.left:
		return UnfinishedError("something is left to do")
	}
	return nil
}

// Err is nil if and only if nothing is left to do: every stale upload is gone, or this was a plan, or the rest has been
// handed on. Its text is one line that fits an alarm.
func (r *Report) Err() error {
	left := r.left - r.HandedOn
	var parts []string
	for _, c := range []struct {
		n          int
		noun, what string
	}{{r.failed, "request", "failed"}, {r.Totals.Failed, "upload", "failed"}, {left, "request", "left to do"}} {
		if c.n == 1 {
			parts = append(parts, fmt.Sprintf("1 %s %s", c.noun, c.what))
		} else if c.n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss %s", c.n, c.noun, c.what))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	text := strings.Join(parts, ", ")
	if len(r.Failures) > 0 {
		text += "; first: " + r.Failures[0]
	}
	return UnfinishedError(text)
}

// An UnfinishedError says that something is left to do. The platforms report an error by the name of its Go type, so that
// a retry rule can name it.
type UnfinishedError string

// Error returns the text.
func (e UnfinishedError) Error() string { return string(e) }
