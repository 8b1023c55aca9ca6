// Package handler puts the parts together: an event becomes requests, the settings say which of them are allowed, the
// janitor works them off, and a report comes back. Every platform's function is a few lines around [Handler.Handle].
//
// The function returns nil if and only if nothing is left to do. An event that cannot be read, a request that the
// settings do not allow, an upload that could not be aborted: each makes the call fail, so that the platform's own
// redelivery and dead letters do their work.
package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
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
	// with every call. It returns ErrNoCredentials for a store that the platform has none for.
	Credentials func(ctx context.Context, scheme string) (store.Credentials, error)
	// Log receives the log lines, one JSON object each. Default os.Stdout.
	Log io.Writer
	// Now is the clock of the cutoffs. Default time.Now.
	Now func() time.Time
	// HandOn gives requests that are left to do to another run, and returns how many it took. Default: none; what is left
	// makes the call fail.
	HandOn func(ctx context.Context, rest []mpu.Request) (int, error)
}

// ErrNoCredentials is returned by Platform.Credentials for a store that the platform has no credentials for.
var ErrNoCredentials = errors.New("the platform has no credentials for it")

// A Handler handles events. It is safe for use by many goroutines, and worth keeping from call to call: it keeps
// connections, learnt regions and rate limiters.
type Handler struct {
	platform Platform
	settings Settings
	log      *slog.Logger
	mu       sync.Mutex
	services map[string]*service
}

// A service is one opened driver, and what all of its buckets share.
type service struct {
	driver store.Driver
	pace   store.Layer
}

// New reads the settings and makes a handler. It opens nothing and sends nothing.
func New(p Platform) (*Handler, error) {
	settings, err := ParseSettings(p.Environ)
	if err != nil {
		return nil, err
	}
	if p.Log == nil {
		p.Log = os.Stdout
	}
	log := slog.New(slog.NewJSONHandler(p.Log, &slog.HandlerOptions{Level: settings.LogLevel}))
	return &Handler{platform: p, settings: settings, log: log, services: map[string]*service{}}, nil
}

// Settings returns what the environment said.
func (h *Handler) Settings() Settings { return h.settings }

// Handle handles one event as a platform delivers it. The report is complete even where the error is not nil.
func (h *Handler) Handle(ctx context.Context, event []byte) (*Report, error) {
	parsed, err := trigger.Parse(event)
	if err != nil {
		return h.run(ctx, "unknown", nil, []error{err})
	}
	var tasks []janitor.Task
	var errs []error
	for _, item := range parsed.Items {
		if item.Err != nil {
			errs = append(errs, item.Err)
			continue
		}
		tasks = append(tasks, janitor.Task{Request: item.Request, PlanOnly: item.PlanOnly})
	}
	return h.run(ctx, parsed.Source, tasks, errs)
}

// Do works off requests that need no event, such as those typed at a terminal.
func (h *Handler) Do(ctx context.Context, tasks []janitor.Task) (*Report, error) {
	return h.run(ctx, "by hand", tasks, nil)
}

// A Report is the janitor's, with the source of the event and what the freed bytes cost.
type Report struct {
	Source string `json:"source"`
	*janitor.Report
	MonthlyUSD float64 `json:"monthlyUSD"` // estimated cost of the freed bytes a month
}

// run works off what is allowed. Problems are errors that came up before.
func (h *Handler) run(ctx context.Context, source string, tasks []janitor.Task, problems []error) (*Report, error) {
	var allowed []janitor.Task
	for _, t := range tasks {
		requests, err := h.settings.allowed(t.Request)
		if err != nil {
			problems = append(problems, err)
		}
		for _, r := range requests {
			allowed = append(allowed, janitor.Task{Request: r, PlanOnly: t.PlanOnly})
		}
	}
	report := &Report{Source: source, Report: h.janitor().Run(ctx, allowed)}
	for _, err := range problems {
		if errors.Is(err, mpu.Ignored) {
			report.Ignore(err)
		} else {
			report.Fail(err)
		}
	}
	h.handOn(ctx, report)
	for name, t := range report.Services {
		report.MonthlyUSD += h.settings.Price(name).MonthlyCost(t.BytesFreed)
	}
	err := report.Err()
	h.conclude(ctx, report, err)
	return report, err
}

func (h *Handler) janitor() *janitor.Janitor {
	return &janitor.Janitor{
		Open: h.open, Apply: h.settings.Apply, MinAge: h.settings.MinAge, MaxAborts: h.settings.MaxAborts,
		Workers: h.settings.Concurrency, Now: h.platform.Now, Log: h.log,
	}
}

func (h *Handler) handOn(ctx context.Context, report *Report) {
	rest := report.Unfinished()
	if len(rest) == 0 || h.platform.HandOn == nil {
		return
	}
	n, err := h.platform.HandOn(ctx, rest)
	report.MarkHandedOn(n)
	if err != nil {
		report.Fail(fmt.Errorf("hand on %d requests: %w", len(rest)-n, err))
	}
}

// conclude writes the report as the last line of the log.
func (h *Handler) conclude(ctx context.Context, report *Report, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("platform", h.platform.Name), slog.Any("report", report)}
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.log.LogAttrs(ctx, level, "report", attrs...)
}

// open returns the store that a bucket is in: its driver, and around every request, from the outside in, a retry, the
// pace that the service publishes, a bound on what is in flight to this bucket, and the log.
func (h *Handler) open(b mpu.Bucket) (*store.Store, error) {
	s, err := h.service(b.Store)
	if err != nil {
		return nil, err
	}
	return store.New(s.driver,
		store.Retry(8, 200*time.Millisecond, 20*time.Second),
		s.pace,
		store.Bound(h.settings.Concurrency),
		store.Log(h.log),
	), nil
}

// service opens a driver when it is first needed.
func (h *Handler) service(scheme string) (*service, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.services[scheme]; s != nil {
		return s, nil
	}
	of := h.settings.Stores[scheme]
	driver, err := h.platform.Open(scheme, store.Config{
		Region: of.Region, Endpoint: of.Endpoint, PathStyle: of.PathStyle, Signature: of.Signature,
		Credentials: func(ctx context.Context) (store.Credentials, error) { return h.credentials(ctx, scheme) },
	})
	if err != nil {
		return nil, err
	}
	s := &service{driver: driver, pace: store.Pace(nil)}
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
	return store.Credentials{}, &mpu.Error{Kind: mpu.Denied, Op: "credentials for " + scheme, Err: err,
		Hint: fmt.Sprintf("give the function a role, or set %[1]s%[2]s_ACCESS_KEY_ID and %[1]s%[2]s_SECRET_ACCESS_KEY", Prefix, strings.ToUpper(scheme))}
}
