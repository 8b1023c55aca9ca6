// Package janitor decides which uploads are stale and aborts them. It is the only place that aborts.
//
// A run takes requests and returns a [Report]. Each request is worked off as one stream: while the listing is read page
// by page, workers inspect what passed the cheap test, decide, abort, and verify. Nothing is held but the pages in hand, so
// memory does not grow with the bucket. A plan is the same stream without the abort.
//
// What keeps a live upload alive is in rules.go, and is pure. The brakes are here: a maximum of aborts in a run, a stop
// ahead of the deadline, and a stop when a bucket keeps refusing. What they leave is deferred, as a request that goes on
// where this run stopped.
package janitor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A Janitor works off requests. Open must be set; the zero value of the rest is the safe one.
type Janitor struct {
	// Open returns the store that a bucket is in. It is called once a request.
	Open func(b mpu.Bucket) (*store.Store, error)
	// Apply aborts. Without it every run is a plan.
	Apply bool
	// MinAge is the age that no request can undercut but one that names the upload. Zero means DefaultMinAge; it cannot
	// be less than a second.
	MinAge time.Duration
	// MaxAborts is the most that one run aborts. Zero means DefaultMaxAborts.
	MaxAborts int
	// Workers is how many uploads of one request are in hand at once, at most. Zero means DefaultWorkers.
	Workers int
	// Uninspected leaves out the look at the parts of what a sweep finds: age then counts from initiation, which says
	// nothing of an upload that is slow, and the bytes are not known. What a request names by its ID or
	// key, and what a plan names, is looked at all the same.
	Uninspected bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives every outcome as it happens. Default: none.
	Log *slog.Logger
	// Outcome, where it is set, is given every outcome as it happens, by many goroutines.
	Outcome func(mpu.Outcome)
	// Stop, where it is set, ends the run early when it is done: nothing new is begun, and what is under way is finished.
	Stop context.Context
	// Margin is the time kept free ahead of the context's deadline. Zero means a fifth of what is left, at most 10 s.
	Margin time.Duration
	// Pause is the wait before an abort is repeated because parts landed. Zero means one second; it doubles each round.
	Pause time.Duration
}

// What a Janitor does unless told otherwise.
const (
	DefaultMinAge    = 24 * time.Hour
	DefaultMaxAborts = 1_000_000
	DefaultWorkers   = 384

	sideBySide   = 8  // requests in hand at once
	rounds       = 3  // aborts of one upload, at most
	deniedInARow = 10 // refusals in a row after which a request is given up
)

// A Task is a request and whether it may do more than plan.
type Task struct {
	Request  mpu.Request
	PlanOnly bool
	// Uploads, where it is set, takes the place of the bucket's listing: these are looked at, as they are now, and no others.
	// The request says which bucket they are in and since when nothing must have happened to them.
	Uploads iter.Seq[mpu.Upload]
}

// isSweep reports whether nobody has named what the task is about.
func (t Task) isSweep() bool { return t.Request.IsSweep() && t.Uploads == nil }

// Run works the tasks off and reports. It returns when everything is done, or ahead of the context's deadline.
func (j *Janitor) Run(ctx context.Context, tasks []Task) *Report {
	r := j.start(ctx, tasks)
	defer r.cancel()
	var wg sync.WaitGroup
	places := make(chan struct{}, sideBySide)
	for i, t := range tasks {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			r.do(i, t)
		})
	}
	wg.Wait()
	if r.report.Mode == "plan" && overlap(tasks) {
		r.report.Note("requests overlap, so an upload that several of them name is counted once for each")
	}
	if j.Uninspected && slices.ContainsFunc(tasks, Task.isSweep) {
		r.report.Note("uploads were not inspected: their age counts from initiation, so slow live ones may be among those that are too old, and bytes are not known")
	}
	if n := r.report.Totals.BytesUnconfirmed; n > 0 {
		r.report.Note(fmt.Sprintf("%d bytes more may have been freed, by aborts whose answers were lost or that were not seen to have worked", n))
	}
	r.report.Took = j.now().Sub(r.report.Started).Round(time.Millisecond).String()
	return r.report
}

// overlap reports whether two tasks are about the same uploads, as far as their requests tell. An abort happens once
// whatever asks for it; a plan cannot tell.
func overlap(tasks []Task) bool {
	inBucket := map[[2]string][]mpu.Request{}
	for _, t := range tasks {
		a := t.Request
		id := [2]string{a.Bucket.Store, a.Bucket.Name}
		for _, b := range inBucket[id] {
			if (a.UploadID == b.UploadID || a.UploadID == "" || b.UploadID == "") &&
				(strings.HasPrefix(a.Key+a.Prefix, b.Prefix) && b.Key == "" || strings.HasPrefix(b.Key+b.Prefix, a.Prefix) && a.Key == "" || a.Key != "" && a.Key == b.Key) {
				return true
			}
		}
		inBucket[id] = append(inBucket[id], a)
	}
	return false
}

// A run is one call of Run: what its requests share.
type run struct {
	*Janitor
	ctx    context.Context // ends a little ahead of the caller's deadline: nothing outlives it
	soft   context.Context // ends well ahead of it: nothing new is begun afterwards
	cancel context.CancelFunc
	clock  time.Time // the run's idea of now, so that all of its cutoffs agree
	aborts atomic.Int64
	hired  atomic.Int64 // workers of all requests
	hands  hands
	report *Report
}

func (j *Janitor) start(ctx context.Context, tasks []Task) *run {
	r := &run{Janitor: j, ctx: ctx, clock: j.now(), report: &Report{
		Mode: j.mode(tasks), Requests: len(tasks), Services: map[string]*Totals{}, tasks: make([]taskResult, len(tasks)),
	}}
	r.report.Started = r.clock.UTC()
	soft, cancel := r.deadlines(ctx)
	stoppable, stop := context.WithCancelCause(soft)
	r.soft = stoppable
	unhook := func() bool { return true }
	if j.Stop != nil {
		if j.Stop.Err() != nil { // AfterFunc would get to it a little later
			stop(errStopped)
		}
		unhook = context.AfterFunc(j.Stop, func() { stop(errStopped) })
	}
	r.cancel = func() { unhook(); stop(nil); cancel() }
	return r
}

// deadlines sets the run's own deadlines, ahead of the caller's, and returns the context in which something new may be begun.
func (r *run) deadlines(ctx context.Context) (soft context.Context, cancel func()) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	margin := min(time.Until(deadline)/5, 10*time.Second)
	if r.Margin > 0 {
		margin = r.Margin
	}
	// What is under way gets half of the margin to end by itself. The other half is for the report.
	hard, cancelHard := context.WithDeadline(ctx, deadline.Add(-margin/2))
	soft, cancelSoft := context.WithDeadline(hard, deadline.Add(-margin))
	r.ctx = hard
	return soft, func() { cancelSoft(); cancelHard() }
}

func (j *Janitor) mode(tasks []Task) string {
	plans := 0
	for _, t := range tasks {
		if t.PlanOnly {
			plans++
		}
	}
	switch {
	case !j.Apply || plans > 0 && plans == len(tasks):
		return "plan"
	case plans > 0:
		return "mixed"
	}
	return "apply"
}

func (j *Janitor) now() time.Time {
	if j.Now != nil {
		return j.Now()
	}
	return time.Now()
}

func (j *Janitor) log() *slog.Logger {
	if j.Log != nil {
		return j.Log
	}
	return slog.New(slog.DiscardHandler)
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// A job is one request of a run.
type job struct {
	*run
	task     int // its place among the run's tasks
	request  mpu.Request
	store    *store.Store
	apply    bool
	before   time.Time
	named    bool         // the request names one upload by its ID
	planned  bool         // a plan names its uploads
	swept    bool         // it names neither an upload nor a key, and no plan does for it
	denied   atomic.Int64 // refusals in a row
	aborted  atomic.Int64 // aborts that were accepted
	passes   int          // how often the listing has been read
	found    bool         // the listing had something that was asked for; only the lister writes it
	proven   atomic.Bool  // an abort has been seen to work
	failures failures
	giveUp   context.Context
	stop     context.CancelCauseFunc
}

var (
	errTooManyDenied = fmt.Errorf("given up after %d refusals in a row", deniedInARow)
	errCapped        = errors.New("the maximum number of aborts in a run is reached")
	errStopped       = errors.New("it was interrupted")
)

// do works one task off. Whatever goes wrong stays in this request.
func (r *run) do(task int, t Task) {
	err := t.Request.Validate()
	var st *store.Store
	if err == nil {
		st, err = r.Open(t.Request.Bucket)
	}
	if err != nil {
		r.failRequest(task, t.Request, err)
		return
	}
	j := r.job(task, t, st)
	if asked := t.Request.At(r.clock).Before; !j.named && !asked.IsZero() && j.before.Before(asked) {
		r.report.Note(fmt.Sprintf("%s: held to the minimum age, %s (PARTSWEEP_MIN_AGE)", t.Request, mpu.FormatAge(r.minAge())))
	}
	defer j.stop(nil)
	j.log().Info("request", "request", t.Request.String(), "before", j.before, "apply", j.apply)
	switch {
	case t.Uploads != nil:
		j.workOff(t.Uploads)
	case t.Request.Bucket.Store == "mps":
		j.deleteMedia()
	case j.direct():
		j.handle(j.upload())
	default:
		j.sweep()
	}
}

// job is one task while it is being worked off. Its stop is to be called.
func (r *run) job(task int, t Task, st *store.Store) *job {
	j := &job{
		run: r, task: task, request: t.Request, store: st, apply: r.Apply && !t.PlanOnly,
		before: cutoff(t.Request, r.minAge(), r.clock), named: t.Request.UploadID != "",
		planned: t.Uploads != nil, swept: t.isSweep(),
	}
	j.giveUp, j.stop = context.WithCancelCause(r.soft)
	return j
}

func (j *Janitor) minAge() time.Duration { return max(orDefault(j.MinAge, DefaultMinAge), time.Second) }

// direct reports whether the request names an upload that needs no listing to be found. VOD's media IDs are looked up.
func (j *job) direct() bool { return j.named && !mpu.ByMediaID(j.request.Bucket.Store) }

// leave hands what is left of the request to another run, with the cutoff that this one had.
func (j *job) leave(rest mpu.Request) {
	rest.Before, rest.OlderThan = j.before, 0
	j.report.leave(j.task, rest, j.apply)
	j.log().Warn("left to do", "request", rest.String(), "cause", fmt.Sprint(context.Cause(j.giveUp)))
}

// upload is the one that the request names.
func (j *job) upload() mpu.Upload {
	return mpu.Upload{Bucket: j.request.Bucket, Key: j.request.Key, UploadID: j.request.UploadID}
}

func (r *run) failRequest(task int, req mpu.Request, err error) {
	r.log().Error("request failed", "request", req.String(), "error", err)
	r.report.failTask(task, fmt.Errorf("%s: %w", req, err))
}

// record counts an outcome and logs it. When a listing is read again, what was kept or gone at first is so again, and not
// counted twice; nor is what was hidden then, since the two cannot be told apart without remembering them all.
func (j *job) record(o mpu.Outcome) {
	switch o.Result {
	case mpu.ResultKept, mpu.ResultGone:
		if j.passes > 0 && !j.named && !o.Unconfirmed {
			return
		}
	case mpu.ResultAborted:
		j.aborted.Add(1)
	case mpu.ResultFailed:
		j.failures.add(o.Upload)
	}
	o.Before = j.before
	j.report.record(j.task, o)
	if j.Outcome != nil {
		j.Outcome(o)
	}
	level := slog.LevelInfo
	switch {
	case o.Result == mpu.ResultFailed:
		level = slog.LevelError
	case (o.Result == mpu.ResultDeferred || o.Result == mpu.ResultKept) && o.Unconfirmed:
		level = slog.LevelWarn // it may be gone, and then no later run will name it
	case o.Result == mpu.ResultKept || o.Result == mpu.ResultDeferred:
		level = slog.LevelDebug
	}
	if l := j.log(); l.Enabled(j.ctx, level) {
		attrs := append(make([]slog.Attr, 0, 8), slog.String("target", o.Upload.String()), slog.String("reason", string(o.Reason)),
			slog.String("detail", o.Detail), slog.Bool("verified", o.Verified))
		if o.Inspected { // 0 would be a word about what nobody has seen
			attrs = append(attrs, slog.Int("parts", o.Parts), slog.Int64("bytes", o.Bytes))
		}
		if o.Unconfirmed {
			attrs = append(attrs, slog.Bool("unconfirmed", true))
		}
		if o.BytesUnconfirmed > 0 {
			attrs = append(attrs, slog.Int64("bytesUnconfirmed", o.BytesUnconfirmed))
		}
		if o.Err != nil {
			attrs = append(attrs, slog.String("error", o.Err.Error()))
		}
		line := slog.NewRecord(time.Now(), level, string(o.Result), 0) // nobody needs to know where in the source it was written
		line.AddAttrs(attrs...)
		l.Handler().Handle(j.ctx, line)
	}
}
