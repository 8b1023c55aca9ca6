package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/shared/trigger"
	"github.com/partsweep/partsweep/test/sandbox"
)

// config is what a simulation is made from.
type config struct {
	days, uploads int
	seed          uint64
	page          int           // uploads a page
	step          time.Duration // of the simulated clock
	sweepEvery    time.Duration
	spoil         func(store.Driver) store.Driver // breaks partsweep on purpose; nil leaves it as it is
}

const (
	minAge   = 24 * time.Hour
	partSize = 5 << 20
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// A simulation is one run.
type simulation struct {
	config
	*sandbox.Sandbox
	truth    *truth
	plan     *plan
	stores   map[string]*store.Store
	ids      []string // of each life; blank before it began
	parts    []int    // sent so far
	now      atomic.Int64
	runs     atomic.Int64 // begun so far
	landings atomic.Int64 // of parts behind aborts, in this step
	steady   []name       // uploads that live through it all

	mu     sync.Mutex
	dice   *rand.Rand // of the faults, and of deadlines
	count  counts
	totals janitor.Totals
	failed map[string]int // runs that said that something is left to do, and what
}

type counts struct{ sweeps, events, refused, faults, deadlines int }

func run(ctx context.Context, c config) (*result, error) {
	s := &simulation{config: c, truth: newTruth(), stores: map[string]*store.Store{}, failed: map[string]int{},
		dice: rand.New(rand.NewPCG(c.seed, 2))}
	r := rand.New(rand.NewPCG(c.seed, 1))
	s.plan = newPlan(r, c.uploads, time.Duration(c.days)*24*time.Hour)
	s.ids, s.parts = make([]string, len(s.plan.lives)), make([]int, len(s.plan.lives))
	if err := s.open(); err != nil {
		return nil, err
	}
	defer s.Close()
	s.populate()
	removeFaults := s.fault()
	end := s.days * 24 * int(time.Hour/s.step)
	for i := 0; i < end; i++ {
		if err := s.advance(ctx, r, i); err != nil {
			return nil, err
		}
	}
	removeFaults()
	// Whoever still lives ends, then it is quiet for as long as it takes to become stale.
	for i := end; i < end+6*24*int(time.Hour/s.step); i++ {
		if err := s.advance(ctx, r, i); err != nil {
			return nil, err
		}
	}
	s.truth.reckon()
	return s.result(), nil
}

// storeClock is the time where the stores are. A part that lands behind an abort is a second newer than the one before it: so
// long does partsweep wait until it aborts again, though not here, and by their times alone the two are told apart.
func (s *simulation) storeClock() time.Time {
	return s.clock().Add(time.Duration(s.landings.Load()) * time.Second)
}

// clock is the time where partsweep runs and where clients report; a store's own is a little off.
func (s *simulation) clock() time.Time { return start.Add(time.Duration(s.now.Load())) }

func (s *simulation) open() error {
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	sb, err := sandbox.Start(sandbox.Options{MaxPage: s.page, Observe: s.truth.observe, Now: s.storeClock})
	if err != nil {
		return err
	}
	s.Sandbox = sb
	for _, p := range places {
		s.CreateBucket(p.service, p.bucket, p.region)
		driver, err := all.Open(string(p.service), store.Config{
			Region: p.region, Endpoint: s.URL(p.service), PathStyle: p.service != sandbox.COS,
			Client: &http.Client{Transport: signed{transport}},
			Credentials: func(context.Context) (store.Credentials, error) {
				return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey}, nil
			},
		})
		if err != nil {
			return errors.Join(err, s.Close())
		}
		if s.spoil != nil {
			driver = s.spoil(driver)
		}
		s.stores[string(p.service)] = store.New(driver, store.Retry(8, time.Millisecond, 20*time.Millisecond))
	}
	return nil
}

// signed says with every request which run sends it.
type signed struct{ http.RoundTripper }

type runKey struct{}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	run, _ := r.Context().Value(runKey{}).(string)
	r.Header.Set("User-Agent", run)
	return s.RoundTripper.RoundTrip(r)
}

// populate begins what lives through it all: a page and a half of uploads in front of all others, and as many of the
// crowded key in front of all others of that key. Whatever is not seen past them is never seen.
func (s *simulation) populate() {
	for _, p := range places {
		for i := range s.page * 3 / 2 {
			for _, key := range []string{fmt.Sprintf("!live/%04d", i), crowdedKey} {
				id := s.Seed(p.service, p.bucket, key, start.Add(-10*24*time.Hour), sandbox.Part{Number: 1, Size: partSize, Modified: start})
				s.steady = append(s.steady, name{p.service, p.bucket, key, id})
			}
		}
	}
}

// fault scripts what goes wrong: about one request in thirty.
func (s *simulation) fault() (remove func()) {
	var removes []func()
	one := func(perMille float64, f sandbox.Fault) {
		f.When = func(t sandbox.Target) bool {
			s.mu.Lock()
			hit := s.dice.Float64()*1000 < perMille
			s.mu.Unlock()
			// Two orders at the same upload would both see the parts go that one of them removes.
			if hit && f.LandPart > 0 && s.truth.covered(name{t.Service, t.Bucket, t.Key, t.UploadID}) != 1 {
				return false
			}
			if hit {
				if f.LandPart > 0 {
					s.landings.Add(1)
				}
				s.mu.Lock()
				s.count.faults++
				s.mu.Unlock()
			}
			return hit
		}
		removes = append(removes, s.Script(f))
	}
	one(5, sandbox.Fault{Cut: true})
	one(5, sandbox.Fault{CutAfter: true})
	one(5, sandbox.Fault{Respond: plain(http.StatusServiceUnavailable)})
	one(3, sandbox.Fault{Respond: plain(http.StatusTooManyRequests)})
	one(3, sandbox.Fault{Code: "InternalError"})
	one(10, sandbox.Fault{Latency: 3 * time.Millisecond})
	one(10, sandbox.Fault{LandPart: 7, Op: sandbox.OpAbort})
	one(5, sandbox.Fault{LandPart: 7, CutAfter: true, Op: sandbox.OpAbort})
	return func() {
		for _, remove := range removes {
			remove()
		}
	}
}

func plain(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { http.Error(w, http.StatusText(status), status) }
}

// advance lets one step pass: what clients do in it, what reporters say and what the timer starts all happen at once.
func (s *simulation) advance(ctx context.Context, r *rand.Rand, step int) error {
	at := time.Duration(step) * s.step
	s.now.Store(int64(at))
	s.landings.Store(0)
	n, _ := slices.BinarySearchFunc(s.plan.acts, at, func(a act, at time.Duration) int {
		if a.at <= at {
			return -1
		}
		return 1
	})
	due := slices.Clone(s.plan.acts[:n])
	s.plan.acts = s.plan.acts[n:]
	// An upload's own acts stay in order; what different uploads do mixes.
	var deeds, reports []act
	for _, a := range due {
		if a.what >= report {
			reports = append(reports, a)
		} else {
			deeds = append(deeds, a)
		}
	}
	r.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	// Those that begin must be there before they are spoken of; most of the rest happens while the sweep runs.
	deeds = s.act(deeds, begin)
	var wg sync.WaitGroup
	if at%s.sweepEvery == 0 {
		wg.Go(func() { s.sweep(ctx) })
	}
	for _, batch := range split(reports, 3) {
		wg.Go(func() { s.report(ctx, batch) })
	}
	for _, share := range byUpload(deeds, 3) {
		wg.Go(func() {
			for _, a := range share {
				s.do(a)
			}
		})
	}
	wg.Wait()
	if at%(6*time.Hour) == 0 {
		for _, n := range s.steady {
			s.TryPart(n.service, n.bucket, n.key, n.uploadID, sandbox.Part{Number: 1, Size: partSize, Modified: s.clock()})
		}
		s.ForgetLedger()
	}
	return ctx.Err()
}

// act does the deeds of one kind and returns the others.
func (s *simulation) act(deeds []act, what deed) (rest []act) {
	for _, a := range deeds {
		if a.what == what {
			s.do(a)
		} else {
			rest = append(rest, a)
		}
	}
	return rest
}

// do does what a client does. One whose upload was aborted gives up.
func (s *simulation) do(a act) {
	l := s.plan.lives[a.upload]
	p := places[l.place]
	id := s.ids[a.upload]
	switch a.what {
	case begin:
		s.ids[a.upload] = s.Seed(p.service, p.bucket, l.key, s.stored(p.service))
	case sendPart:
		s.parts[a.upload]++
		s.TryPart(p.service, p.bucket, l.key, id, sandbox.Part{Number: s.parts[a.upload], Size: partSize, Modified: s.stored(p.service)})
	case complete:
		s.TryComplete(p.service, p.bucket, l.key, id)
	case giveUp:
		s.TryAbort(p.service, p.bucket, l.key, id)
	}
}

// stored is the time as a store writes it down: each has a clock of its own, a few seconds off, and another every day.
func (s *simulation) stored(service sandbox.Service) time.Time {
	day := uint64(s.now.Load()) / uint64(24*time.Hour)
	skew := rand.New(rand.NewPCG(s.seed+day, uint64(slices.Index(sandbox.Services, service)))).IntN(41) - 20
	return s.clock().Add(time.Duration(skew) * time.Second)
}

// sweep is the timer's tick.
func (s *simulation) sweep(ctx context.Context) {
	var requests []string
	for _, p := range places {
		requests = append(requests, fmt.Sprintf("%q", fmt.Sprintf("%s://%s?region=%s&olderThan=%s", p.service, p.bucket, p.region, mpu.FormatAge(minAge))))
	}
	s.handle(ctx, fmt.Appendf(nil, `{"sweep":[%s]}`, join(requests)), &s.count.sweeps)
}

// report sends failure events, one after the other.
func (s *simulation) report(ctx context.Context, acts []act) {
	for _, a := range acts {
		l := s.plan.lives[a.upload]
		p := places[l.place]
		request := mpu.Request{Bucket: mpu.Bucket{Store: string(p.service), Region: p.region, Name: p.bucket}, Key: l.key}
		if a.what != reportKey {
			request.UploadID = s.ids[a.upload]
		}
		failed := start.Add(l.dies).UTC().Format(time.RFC3339)
		s.handle(ctx, fmt.Appendf(nil, `{"type":"upload-failed","request":%q,"failedAt":%q}`, request, failed), &s.count.events)
	}
}

// handle works an event off as the function does: but for the waits, which are shorter here.
func (s *simulation) handle(ctx context.Context, event []byte, counter *int) {
	e, err := trigger.Parse(event)
	if err != nil {
		s.truth.complain("event %s: %v", event, err)
		return
	}
	var tasks []janitor.Task
	var orders []*order
	run := fmt.Sprintf("run %d", s.runs.Add(1))
	for _, item := range e.Items {
		tasks = append(tasks, janitor.Task{Request: item.Request})
		orders = append(orders, s.order(run, item.Request))
	}
	s.truth.begin(orders...)
	defer s.truth.end(orders...)
	ctx, cancel := s.deadline(context.WithValue(ctx, runKey{}, run))
	defer cancel()
	j := janitor.Janitor{
		Open:  func(b mpu.Bucket) (*store.Store, error) { return s.stores[b.Store], nil },
		Apply: true, MinAge: minAge, Workers: 32, Now: s.clock, Pause: time.Millisecond,
		Log: slog.New(&claims{truth: s.truth}),
	}
	report := j.Run(ctx, tasks)
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
	s.totals.Add(report.Totals)
	if err := report.Err(); err != nil {
		if _, hurried := ctx.Deadline(); hurried {
			s.count.deadlines++
		}
		s.count.refused++
		s.failed[firstWords(err)]++
	}
}

// deadline gives one run in twenty a deadline, as a platform has one, and mostly a short one: an event is done in a millisecond or
// two, a sweep in a hundred. Some meet it in the middle of what they do.
func (s *simulation) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dice.IntN(20) > 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Duration(math.Pow(s.dice.Float64(), 4)*float64(mostTime)))
}

const mostTime = 100 * time.Millisecond

// order is what a request covers and since when, worked out here from what the README says.
func (s *simulation) order(run string, r mpu.Request) *order {
	o := &order{run: run, before: s.clock().Add(-minAge)}
	if r.UploadID != "" && !r.Before.IsZero() {
		o.before = r.Before
	} else if asked := r.At(s.clock()).Before; !asked.IsZero() && asked.Before(o.before) {
		o.before = asked
	}
	o.covers = func(n name) bool {
		return string(n.service) == r.Bucket.Store && n.bucket == r.Bucket.Name &&
			(r.Key == "" || n.key == r.Key) && (r.UploadID == "" || n.uploadID == r.UploadID)
	}
	return o
}

// split deals acts out to at most n.
func split(acts []act, n int) (shares [][]act) {
	shares = make([][]act, n)
	for i, a := range acts {
		shares[i%n] = append(shares[i%n], a)
	}
	return shares
}

// byUpload deals acts out to n, all of one upload to the same.
func byUpload(acts []act, n int) (shares [][]act) {
	shares = make([][]act, n)
	for _, a := range acts {
		shares[a.upload%n] = append(shares[a.upload%n], a)
	}
	return shares
}
