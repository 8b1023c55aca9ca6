package store

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Budget is how many requests a process has in flight, shared fairly by the buckets that have something to send: none
// has more than its share while others want theirs.
type Budget struct {
	total  int
	active atomic.Int64 // gates with something in flight or waiting
}

// NewBudget returns a budget of so many requests, at least one.
func NewBudget(total int) *Budget { return &Budget{total: max(total, 1)} }

// share is what one bucket may have in flight now.
func (b *Budget) share() int { return max(1, b.total/max(1, int(b.active.Load()))) }

// A Gate finds out how much one bucket bears, and lets no more through. All operations on a bucket go through one gate.
//
// It starts with a few in flight. Every answer that does not take much longer than is usual lets one more in, so that their
// number doubles every round trip for as long as that brings more through; where a service, or a function's share of the CPU,
// only queues, it stops. From above it is bounded by Little's law: what got through in the last
// moment, times how long each operation usually takes, is what was really at work; twice that may be in flight.
//
// A service that asks to slow down sets a pace for the operation that it refused: while it refuses, what it lets through is its
// limit. The pace stays just under that and rises slowly, so that a limit which has risen is found again. That fails a
// handful of requests each time, far less than a limit on those in flight would, whose steps are too coarse.
//
// None of the limiters of failsafe-go fits: its adaptive one looks at latency alone, and a service that refuses does so fast.
type Gate struct {
	budget *Budget
	now    func() time.Time

	mu       sync.Mutex
	inFlight int
	waiting  []chan struct{} // first in, first out
	limit    int
	began    time.Time     // of the moment that is being measured
	work     time.Duration // done in it, at each operation's best
	ops      map[Op]*pacer
}

const (
	firstLimit = 16
	moment     = 50 * time.Millisecond
)

// NewGate returns a gate for one bucket.
func NewGate(b *Budget) *Gate {
	return &Gate{budget: b, now: time.Now, limit: firstLimit, ops: map[Op]*pacer{}}
}

// Layer is the gate as a layer. Those that wait to be sent again are not in flight.
func (g *Gate) Layer() Layer {
	return func(next Send) Send {
		return func(ctx context.Context, c Call) error {
			held := ctx.Value(placeOf{g}) != nil
			if err := g.enter(ctx, c.Op, held); err != nil {
				return waitError(ctx, c, err)
			}
			if c.again != nil && g.now().Sub(c.looked) > stale {
				if err := c.again(context.WithValue(ctx, placeOf{g}, true), nil); err != nil {
					g.giveBack(held)
					return err
				}
			}
			begun := g.now()
			err := next(ctx, c)
			g.leave(c.Op, begun, held, err)
			return err
		}
	}
}

// stale is how old the look at an upload may be when its abort is sent. Where a service lets few through, an abort waits for
// its turn for longer, and the upload is then looked at again.
const stale = 2 * time.Second

// placeOf is in the context of what is sent from within a call that has a place in the gate: one waits for the other, so that
// the two need one place.
type placeOf struct{ gate *Gate }

// enter waits for a place, unless one is held, and for the operation's pace.
func (g *Gate) enter(ctx context.Context, op Op, held bool) error {
	if err := g.place(ctx, held); err != nil {
		return err
	}
	g.mu.Lock()
	wait := g.pacer(op).turn(g.now())
	g.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		g.giveBack(held)
		return ctx.Err()
	}
}

// place waits for a place.
func (g *Gate) place(ctx context.Context, held bool) error {
	if held {
		return nil
	}
	g.mu.Lock()
	if g.inFlight == 0 && len(g.waiting) == 0 {
		g.budget.active.Add(1)
	}
	if g.inFlight < g.room() && len(g.waiting) == 0 {
		g.inFlight++
		g.mu.Unlock()
		return nil
	}
	place := make(chan struct{})
	g.waiting = append(g.waiting, place)
	g.mu.Unlock()
	select {
	case <-place: // whoever gave it has counted it
		return nil
	case <-ctx.Done():
		g.giveUp(place)
		return ctx.Err()
	}
}

// giveBack gives a place back that nothing was sent in.
func (g *Gate) giveBack(held bool) {
	if held {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free()
}

// giveUp takes a place in the queue back, or hands it on if it has just been given.
func (g *Gate) giveUp(place chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, p := range g.waiting {
		if p == place {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			g.rest()
			return
		}
	}
	g.free()
}

func (g *Gate) room() int { return min(g.limit, g.budget.share()) }

func (g *Gate) pacer(op Op) *pacer {
	p := g.ops[op]
	if p == nil {
		p = &pacer{}
		g.ops[op] = p
	}
	return p
}

// leave takes in how a request went.
func (g *Gate) leave(op Op, begun time.Time, held bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	p := g.pacer(op)
	if wait, throttled := slowDown(err); throttled {
		p.refused(now, wait)
	} else {
		p.passed(now)
		if !errors.Is(err, mpu.Transient) {
			g.answered(p, now.Sub(begun))
		}
	}
	g.measure(now)
	if !held {
		g.free()
	}
}

// answered takes in how long an answer took, and lets one more in flight if all places are taken, nothing else limits them,
// and answers do not take longer for it.
func (g *Gate) answered(p *pacer, took time.Duration) {
	usual := p.latency.add(took)
	g.work += usual
	if took < 2*usual && g.inFlight >= g.limit && p.rate == 0 {
		g.limit = min(g.limit+1, g.budget.total)
	}
}

// measure ends a moment, and bounds how many may be in flight by what was done in it. Where an operation has a pace, answers
// tell nothing of how many there could be, and the bound is the limit.
func (g *Gate) measure(now time.Time) {
	passed, least := now.Sub(g.began), moment
	for _, p := range g.ops {
		least = max(least, 4*p.latency.low) // answers to what was sent together come together
	}
	if passed < least {
		return
	}
	paced := false
	for _, p := range g.ops {
		p.latency.endMoment(now)
		paced = paced || p.rate > 0
	}
	if passed < 10*least { // or else it was idle, which says nothing
		bound := min(2*int(g.work/passed)+firstLimit/2, g.budget.total)
		if !paced {
			bound = min(bound, g.limit)
		}
		g.limit = max(firstLimit, bound)
	}
	g.began, g.work = now, 0
}

// free gives a place up, to whoever waits for it.
func (g *Gate) free() {
	g.inFlight--
	for len(g.waiting) > 0 && g.inFlight < g.room() {
		place := g.waiting[0]
		g.waiting = g.waiting[1:]
		g.inFlight++
		close(place)
	}
	g.rest()
}

// rest leaves the budget to others when there is nothing to do.
func (g *Gate) rest() {
	if g.inFlight == 0 && len(g.waiting) == 0 {
		g.budget.active.Add(-1)
	}
}

// slowDown reports whether an answer asks to slow down, and for how long to stop.
func slowDown(err error) (wait time.Duration, throttled bool) {
	if err == nil || !errors.Is(err, mpu.Transient) {
		return 0, false
	}
	var e *mpu.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	throttled = e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable || e.RetryAfter > 0
	return min(e.RetryAfter, time.Minute), throttled
}

// A pacer is the pace of one operation, once a service has asked to slow down.
type pacer struct {
	rate float64 // a second; 0 is as fast as it goes
	next time.Time

	// The limit is measured while the service refuses.
	measuring time.Time     // since when, zero if it does not
	count     int           // got through since then
	refusals  int           // were refused since then
	silenced  bool          // it asked to wait, so that nothing was sent that could be measured
	asked     time.Duration // how long it last asked to wait, zero if it never did
	resumed   time.Time     // when that is over
	known     float64       // the limit that was measured last, zero for none
	raised    time.Time     // when the rate was last raised
	quiet     time.Time     // since when nothing was refused

	recent      int // got through in the last moments
	recentSince time.Time
	lastRate    float64 // a second, in the moments before

	odd, of int // refused, of so many that got through lately

	latency latency
}

const (
	spell      = 10 * time.Second
	measureFor = 300 * time.Millisecond
	under      = 0.99 // of the limit that was measured
	slack      = 5 * time.Millisecond
)

// turn returns how long to wait for one's turn.
func (p *pacer) turn(now time.Time) time.Duration {
	if p.next.After(now) && p.rate == 0 {
		return p.next.Sub(now) // it asked to wait
	}
	if p.rate == 0 {
		return 0
	}
	if earliest := now.Add(-slack); p.next.Before(earliest) {
		p.next = earliest
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(time.Second) / p.rate))
	return wait
}

// passed takes in an answer that does not ask to slow down.
func (p *pacer) passed(now time.Time) {
	p.count++
	p.recent++
	if p.of++; p.of == 1000 {
		p.odd, p.of = p.odd/2, p.of/2
	}
	if p.recentSince.IsZero() {
		p.recentSince = now
	}
	if since := now.Sub(p.recentSince); since >= 200*time.Millisecond {
		p.lastRate = float64(p.recent) / since.Seconds()
		p.recent, p.recentSince = 0, now
	}
	switch {
	case p.rate == 0:
	case !p.measuring.IsZero():
		p.settle(now)
	default:
		p.raise(now)
	}
}

// refused takes in an answer that asks to slow down.
func (p *pacer) refused(now time.Time, wait time.Duration) {
	p.odd++
	if wait == 0 && p.odd*100 < max(p.of, 100) {
		return // one or two among hundreds are nobody's limit
	}
	if p.silenced {
		p.settle(now)
	}
	p.quiet = now
	if p.measuring.IsZero() {
		p.measuring, p.count, p.refusals = now, 0, 0
		switch {
		case p.rate > 0 && wait > 0:
			less := 0.8
			if now.Sub(p.resumed) < wait {
				less = 0.5 // it is far too fast, and each step costs a wait
			}
			p.rate = max(p.rate*less, 1)
			p.known = p.rate
		case p.rate > 0:
			// It has crept up to the limit; or the service refuses some at random, which no pace helps against.
			p.rate = max(p.rate*0.97, p.known*0.9)
			if p.known == 0 {
				p.known = p.rate
			}
		default:
			p.rate = max(p.throughput(now)/2, 10)
		}
	}
	if now.Sub(p.measuring) > measureFor/3 { // what was under way when the pace fell says nothing
		p.refusals++
	}
	p.settle(now)
	if wait == 0 {
		return
	}
	p.asked, p.silenced = wait, true
	if until := now.Add(wait); until.After(p.next) {
		p.next, p.resumed = until, until
	}
}

// throughput is how many a second have got through of late.
func (p *pacer) throughput(now time.Time) float64 {
	if since := now.Sub(p.recentSince); p.lastRate == 0 && since > 0 {
		return float64(p.recent) / since.Seconds()
	}
	return p.lastRate
}

// settle ends the measuring after a while. What got through is the limit if the service went on to refuse; a few refusals are
// of what was sent before.
func (p *pacer) settle(now time.Time) {
	passed := now.Sub(p.measuring)
	if passed < measureFor {
		return
	}
	if p.silenced {
		p.silenced, p.measuring, p.raised = false, time.Time{}, now
		return
	}
	if p.refusals > p.count/20 {
		p.known = float64(p.count) / passed.Seconds()
	}
	if p.known > 0 {
		p.rate = max(min(p.rate, p.known*under), 1)
	}
	p.measuring, p.raised = time.Time{}, now
}

// raise lets the pace rise: quickly up to what is known to be borne, slowly beyond, and faster the longer nothing is
// refused.
func (p *pacer) raise(now time.Time) {
	since := now.Sub(p.raised)
	if since < 100*time.Millisecond {
		return
	}
	patience := 5 / (5 + p.asked.Seconds()) // the limit is passed seldom where that costs a long wait
	slope := min(0.003*patience*math.Pow(2, patience*now.Sub(p.quiet).Seconds()/5), 1)
	switch {
	case p.known == 0:
		slope = 3
	case p.rate < p.known*under:
		slope = 0.1
	}
	p.rate *= 1 + slope*min(since.Seconds(), 1)
	p.raised = now
	if p.known > 0 && p.rate > 4*p.known {
		p.rate, p.known = 0, 0 // the limit is gone
	}
}

// A latency is how long an operation takes while the service is at ease: the least of the means of recent moments. The
// least of single answers would not do: a store's slowest answers take ten times as long as its fastest, however little it
// is asked.
type latency struct {
	sum time.Duration
	n   int // answers in this moment

	low, lowBefore time.Duration // in this spell and in the one before, zero for none
	lowSince       time.Time
}

// enough answers make a mean.
const enough = 8

// add takes an answer in, and returns what is usual, which is what it took itself while nothing is known.
func (l *latency) add(took time.Duration) (usual time.Duration) {
	l.sum, l.n = l.sum+took, l.n+1
	if l.low == 0 && l.n >= enough {
		l.low = l.sum / time.Duration(l.n)
	}
	switch {
	case l.low == 0 && l.lowBefore == 0:
		return took
	case l.low == 0 || l.lowBefore > 0 && l.lowBefore < l.low:
		return l.lowBefore
	}
	return l.low
}

func (l *latency) endMoment(now time.Time) {
	if l.n < enough {
		return
	}
	if now.Sub(l.lowSince) > spell {
		l.lowBefore, l.low, l.lowSince = l.low, 0, now
	}
	if mean := l.sum / time.Duration(l.n); l.low == 0 || mean < l.low {
		l.low = mean
	}
	l.sum, l.n = 0, 0
}
