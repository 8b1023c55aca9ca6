// Package handler puts the parts together: an event becomes requests, the settings say which of them are allowed, the
// janitor works them off, and a report comes back. Every platform's function is a few lines around [Handler.Handle].
//
// The function returns nil if and only if nothing is left to do. An event that cannot be read, a request that the
// settings do not allow, an upload that could not be aborted: each makes the call fail, so that the platform's own
// redelivery and dead letters do their work.
package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/trigger"
)

// Platform is what a function's main supplies.
type Platform struct {
	// Name of the platform, for the log.
	Name string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Open opens a driver by its scheme.
	Open func(scheme string, cfg store.Config) (store.Driver, error)
	// Credentials returns the platform's own credentials for a store, taken from the call where the platform renews them
	// with every call. It returns ErrNoCredentials for a store that the platform has none for, or an *mpu.Error with a hint
	// that is better than the handler's.
	Credentials func(ctx context.Context, scheme string) (store.Credentials, error)
	// Log receives the log lines, one JSON object each, within a tenth of a second. Default os.Stdout.
	Log io.Writer
	// Now is the clock of the cutoffs. Default time.Now.
	Now func() time.Time
	// RequestID returns the platform's name for a call, which every log line of it then carries. Nil: it has none.
	RequestID func(ctx context.Context) string
	// Outcome, where it is set, is given every outcome as it happens, by many goroutines.
	Outcome func(mpu.Outcome)
	// Layer, where it is set, is put around every request, inside of all others.
	Layer store.Layer
	// Stop, where it is set, ends runs early when it is done: nothing new is begun, and what is under way is finished.
	Stop context.Context
	// Concurrency is how many requests the platform has use for in flight, where the settings do not say how many there may be.
	// Zero and whatever is above it mean janitor.DefaultWorkers.
	Concurrency int
	// PlanOnly lets nothing be aborted, whatever the settings say.
	PlanOnly bool
	// OpenQueue opens the queue that the settings name, for what is to be handed on to other runs. Nil: the platform has none,
	// and what is left to do makes the call fail.
	OpenQueue func(url string) (relay.Queue, error)
}

// ErrNoCredentials is returned by Platform.Credentials for a store that the platform has no credentials for.
var ErrNoCredentials = errors.New("the platform has no credentials for it")

// A Handler handles events. It is safe for use by many goroutines, and worth keeping from call to call: it keeps
// connections, learnt regions and rate limiters.
type Handler struct {
	platform Platform
	settings Settings
	log      *slog.Logger
	lines    *lines // what log is written through
	mu       sync.Mutex
	services map[string]*service
	budget   *store.Budget
	queue    relay.Queue // nil: nothing is handed on
	counters counters
}

// A service is one opened driver, and what all of its buckets share.
type service struct {
	driver store.Driver
	pace   store.Layer
	gates  map[string]store.Layer // by bucket: what one bears, whoever asks
}

// New reads the settings and makes a handler. It opens the drivers that the settings name, so that what is wrong with a
// setting stops the start, and sends nothing.
func New(p Platform) (*Handler, error) {
	settings, err := ParseSettings(p.Environ)
	if err != nil {
		return nil, err
	}
	if p.Log == nil {
		p.Log = os.Stdout
	}
	settings.Concurrency = cmp.Or(settings.Concurrency, min(p.Concurrency, janitor.DefaultWorkers), janitor.DefaultWorkers)
	lines := newLines(p.Log)
	log := slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: settings.LogLevel}))
	p.Environ = nil // it holds secrets, and has been read
	h := &Handler{platform: p, settings: settings, log: log, lines: lines, services: map[string]*service{}, budget: store.NewBudget(settings.Concurrency)}
	for _, b := range settings.Buckets {
		if _, err := h.service(b.Bucket.Store); err != nil {
			return nil, nameSetting(b.Bucket.Store, err)
		}
	}
	if settings.Queue != "" {
		err := errors.New("this function cannot hand anything on; leave it out")
		if p.OpenQueue != nil {
			h.queue, err = p.OpenQueue(settings.Queue)
		}
		if err != nil {
			return nil, &mpu.Error{Kind: mpu.Invalid, Op: "setting", Target: Prefix + "QUEUE", Err: err}
		}
	}
	return h, nil
}

// nameSetting says which variable a driver complains about.
func nameSetting(scheme string, err error) error {
	name := Prefix + strings.ToUpper(scheme) + "_…"
	for field, setting := range map[string]string{"Region": "REGION", "Endpoint": "ENDPOINT", "PathStyle": "PATH_STYLE", "Signature": "SIGNATURE"} {
		if e := (*mpu.Error)(nil); errors.As(err, &e) && strings.HasPrefix(e.Target, field) {
			name = Prefix + strings.ToUpper(scheme) + "_" + setting
		}
	}
	return &mpu.Error{Kind: mpu.Invalid, Op: "setting", Target: name, Err: err}
}

// Format keeps a Handler from printing what it holds, credentials among it.
func (h *Handler) Format(w fmt.State, _ rune) { io.WriteString(w, "handler on "+h.platform.Name) }

// Settings returns what the environment said.
func (h *Handler) Settings() Settings { return h.settings }

// Handle handles one event and answers in the shape that the platform wants: the report for most, the unfinished messages
// for SQS, a result for each task for S3 Batch Operations, a response for a web request. Where the shape itself says what
// is unfinished, the error is nil.
func (h *Handler) Handle(ctx context.Context, event []byte) (any, error) {
	e, err := trigger.Parse(event)
	switch {
	case e.HTTP != nil && err != nil:
		return h.refuseHTTP(e.HTTP, err), nil
	case e.HTTP != nil:
		return h.answerHTTP(ctx, e.HTTP), nil
	}
	report, errs := h.run(ctx, e, err)
	switch {
	case e.Answer == trigger.AnswerSQS && h.settings.SQSPartial:
		return answerSQS(e.Items, errs), nil
	case e.Answer == trigger.AnswerS3Batch:
		return answerS3Batch(e, errs, report.Mode), nil
	}
	return report, report.Err()
}

// Run handles one event and reports, whatever shape the platform would want. The report is complete even where the error
// is not nil.
func (h *Handler) Run(ctx context.Context, event []byte) (*Report, error) {
	e, err := trigger.Parse(event)
	if err == nil && e.HTTP != nil {
		e, err = h.believe(e.HTTP)
	}
	report, _ := h.run(ctx, e, err)
	return report, report.Err()
}

// A Report is the janitor's, with the source of the event and what the freed bytes cost.
type Report struct {
	Source string `json:"source"`
	*janitor.Report
	MonthlyUSD float64 `json:"monthlyUSD"` // estimated cost a month of the bytes that were freed or, in a plan, would be
}

// run works off what is allowed of an event, and returns the report and, for each item, what of it is not done. A problem
// is an error that came up before, about the event as a whole.
func (h *Handler) run(ctx context.Context, e trigger.Event, problem error) (*Report, []error) {
	log := h.logFor(ctx)
	errs := make([]error, len(e.Items))
	var tasks []janitor.Task
	var owner []int // the item of each task
	chain := newChain(e.Items, h.wallClock())
	spread := 0
	for i, item := range e.Items {
		requests, err := h.requests(ctx, item)
		if err == nil && h.spreads(item, requests) {
			err = h.send(ctx, requests, chain)
			spread, requests = spread+len(requests), nil
		}
		errs[i] = err
		for _, r := range requests {
			tasks = append(tasks, janitor.Task{Request: r, PlanOnly: item.PlanOnly})
			owner = append(owner, i)
		}
	}
	report := &Report{Source: e.Source, Report: h.janitor(log).Run(ctx, tasks)}
	for _, err := range append(slices.Clone(errs), problem) {
		switch {
		case errors.Is(err, mpu.Ignored):
			report.Ignore(err)
		case err != nil:
			report.Fail(err)
		}
	}
	h.notePlanned(report, tasks)
	h.handOn(ctx, report, chain)
	if spread > 0 {
		report.Note(fmt.Sprintf("%d buckets were handed on to the queue, one message each", spread))
	}
	for task, i := range owner {
		if errs[i] == nil {
			errs[i] = report.TaskErr(task)
		}
	}
	h.price(report)
	h.conclude(ctx, log, report)
	return report, errs
}

// notePlanned says why what asked to be done was only planned. Whoever made the platform plan knows.
func (h *Handler) notePlanned(report *Report, tasks []janitor.Task) {
	asked := slices.ContainsFunc(tasks, func(t janitor.Task) bool { return !t.PlanOnly })
	switch {
	case h.platform.PlanOnly || len(tasks) == 0:
	case !h.settings.Apply && asked:
		report.Note("planned only, because " + Prefix + "MODE is not apply")
	case h.settings.Apply && !asked:
		report.Note(`planned only, because that is what was asked for; to act, send {"request":"…","apply":true}`)
	}
}

// price says what the freed bytes cost, or those that would be freed.
func (h *Handler) price(report *Report) {
	for name, t := range report.Services {
		report.MonthlyUSD += h.settings.Price(name).MonthlyCost(t.BytesFreed + t.BytesPlanned)
	}
}

// logFor returns the log of one call, whose lines say which call it is.
func (h *Handler) logFor(ctx context.Context) *slog.Logger {
	if h.platform.RequestID == nil {
		return h.log
	}
	if id := h.platform.RequestID(ctx); id != "" {
		return h.log.With("requestId", id)
	}
	return h.log
}

// requests are those of an item that the settings allow.
func (h *Handler) requests(ctx context.Context, item trigger.Item) ([]mpu.Request, error) {
	r, err := item.Request, item.Err
	if err == nil && item.URLJob != "" {
		r, err = h.lookUp(ctx, item)
	}
	if err == nil {
		err = h.withinLookback(r)
	}
	if err != nil {
		return nil, err
	}
	requests, err := h.settings.allowed(r, func(in mpu.Bucket) ([]mpu.Bucket, error) {
		st, err := h.open(in)
		if err != nil {
			return nil, err
		}
		return st.Buckets(ctx, in)
	})
	if err == nil {
		err = h.checkHops(item)
	}
	if err != nil {
		return nil, err
	}
	return requests, nil
}

// withinLookback refuses a sweep of records that would look for older ones than it lists, and so find none.
func (h *Handler) withinLookback(r mpu.Request) error {
	back := h.settings.lookback(r.Bucket.Store)
	oldest := r.At(h.wallClock()).Before
	if back == 0 || !r.IsSweep() || oldest.IsZero() || oldest.After(h.wallClock().Add(-back)) {
		return nil
	}
	return &mpu.Error{Kind: mpu.Invalid, Op: "request", Target: r.String(),
		Hint: fmt.Sprintf("records older than %s are not looked for; raise %s%s_LOOKBACK", mpu.FormatAge(back), Prefix, strings.ToUpper(r.Bucket.Store))}
}

func (h *Handler) janitor(log *slog.Logger) *janitor.Janitor {
	return &janitor.Janitor{
		Open: func(b mpu.Bucket) (*store.Store, error) { return h.openFor(b, log) }, Apply: h.settings.Apply && !h.platform.PlanOnly, MinAge: h.settings.MinAge, MaxAborts: h.settings.MaxAborts,
		Workers: h.settings.Concurrency, Uninspected: h.settings.Uninspected, Now: h.platform.Now, Log: log, Outcome: h.platform.Outcome, Stop: h.platform.Stop,
	}
}

// conclude writes the report as the last line of the log.
func (h *Handler) conclude(ctx context.Context, log *slog.Logger, report *Report) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("platform", h.platform.Name), slog.Any("report", report)}
	if err := report.Err(); err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(ctx, level, "report", attrs...)
	h.counters.add(report, h.wallClock())
	if h.settings.Metrics {
		h.writeMetrics(report)
	}
	h.lines.flush()
}

// openFor returns the store that a bucket is in: its driver, and around every request, from the outside in, a retry, the
// pace that the service publishes, the gate that finds out what this bucket bears, and the log.
func (h *Handler) openFor(b mpu.Bucket, log *slog.Logger) (*store.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.service(b.Store)
	if err != nil {
		return nil, err
	}
	if len(s.gates) > 10_000 {
		clear(s.gates) // a warm function that was asked about ever new buckets
	}
	if s.gates[b.Name] == nil {
		s.gates[b.Name] = store.NewGate(h.budget).Layer()
	}
	layers := []store.Layer{
		store.Retry(8, 200*time.Millisecond, 20*time.Second),
		s.pace,
		s.gates[b.Name],
		store.Log(log),
	}
	if h.platform.Layer != nil {
		layers = append(layers, h.platform.Layer)
	}
	return store.New(s.driver, layers...), nil
}

func (h *Handler) open(b mpu.Bucket) (*store.Store, error) { return h.openFor(b, h.log) }

// service opens a driver. The caller holds the lock.
func (h *Handler) service(scheme string) (*service, error) {
	if s := h.services[scheme]; s != nil {
		return s, nil
	}
	of := h.settings.Stores[scheme]
	driver, err := h.platform.Open(scheme, store.Config{
		Region: of.Region, Endpoint: of.Endpoint, PathStyle: of.PathStyle, Signature: of.Signature, Lookback: h.settings.lookback(scheme),
		Credentials: func(ctx context.Context) (store.Credentials, error) { return h.credentials(ctx, scheme) },
	})
	if err != nil {
		return nil, err
	}
	s := &service{driver: driver, pace: store.Pace(nil), gates: map[string]store.Layer{}}
	if rated, ok := driver.(store.RatedDriver); ok {
		s.pace = store.Pace(rated.Rates())
	}
	h.services[scheme] = s
	return s, nil
}

// credentials are the settings' where they have some for the store, and otherwise the platform's own.
func (h *Handler) credentials(ctx context.Context, scheme string) (store.Credentials, error) {
	if c := h.settings.Stores[scheme].Credentials; c.AccessKeyID != "" {
		return c, nil
	}
	err := ErrNoCredentials
	if h.platform.Credentials != nil {
		var c store.Credentials
		if c, err = h.platform.Credentials(ctx, scheme); err == nil && c.AccessKeyID != "" && c.SecretAccessKey != "" {
			return c, nil
		}
	}
	if err == nil {
		err = ErrNoCredentials
	}
	if e := (*mpu.Error)(nil); errors.As(err, &e) && e.Hint != "" {
		return store.Credentials{}, err // the platform knows better what to do
	}
	return store.Credentials{}, &mpu.Error{Kind: mpu.Denied, Op: "credentials for " + scheme, Err: err,
		Hint: fmt.Sprintf("give it a role, or set %[1]s%[2]s_ACCESS_KEY_ID and %[1]s%[2]s_SECRET_ACCESS_KEY", Prefix, strings.ToUpper(scheme))}
}
