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
// How many are in flight follows from Little's law: what got through in the last moment, times how long each operation takes
// at its best, is what is really at work; twice that may be in flight. So the number doubles every moment for as long as
// that brings more through, and where a service only queues it stops. It starts with a few.
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
	moment     = 25 * time.Millisecond
)

// NewGate returns a gate for one bucket.
func NewGate(b *Budget) *Gate {
	return &Gate{budget: b, now: time.Now, limit: firstLimit, ops: map[Op]*pacer{}}
}

// Layer is the gate as a layer. Those that wait to be sent again are not in flight.
func (g *Gate) Layer() Layer {
	return func(next Send) Send {
		return func(ctx context.Context, c Call) error {
			if err := g.enter(ctx, c.Op); err != nil {
				return waitError(ctx, c, err)
			}
			begun := g.now()
			err := next(ctx, c)
			g.leave(c.Op, begun, err)
			return err
		}
	}
}

// enter waits for a place and for the operation's pace.
func (g *Gate) enter(ctx context.Context, op Op) error {
	g.mu.Lock()
	if g.inFlight == 0 && len(g.waiting) == 0 {
		g.budget.active.Add(1)
	}
	if g.inFlight < g.room() && len(g.waiting) == 0 {
		g.inFlight++
	} else {
		place := make(chan struct{})
		g.waiting = append(g.waiting, place)
		g.mu.Unlock()
		select {
		case <-place: // whoever gave it has counted it
		case <-ctx.Done():
			g.giveUp(place)
			return ctx.Err()
		}
		g.mu.Lock()
	}
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
		g.mu.Lock()
		g.free()
		g.mu.Unlock()
		return ctx.Err()
	}
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
func (g *Gate) leave(op Op, begun time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	p := g.pacer(op)
	if wait, throttled := slowDown(err); throttled {
		p.refused(now, wait)
	} else {
		p.passed(now)
		if !errors.Is(err, mpu.Transient) {
			g.work += p.best(now, now.Sub(begun))
		}
	}
	g.measure(now)
	g.free()
}

// measure ends a moment and sets how many may be in flight from what was done in it.
func (g *Gate) measure(now time.Time) {
	passed := now.Sub(g.began)
	if passed < moment {
		return
	}
	if passed < 10*moment { // or else it was idle, which says nothing
		atWork := int(g.work / passed)
		g.limit = max(firstLimit, min(2*atWork+firstLimit/2, g.budget.total))
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
	measuring time.Time // since when, zero if it does not
	count     int       // got through since then
	refusals  int       // were refused since then
	known     float64   // the limit that was measured last, zero for none
	raised    time.Time // when the rate was last raised
	quiet     time.Time // since when nothing was refused

	recent      int // got through since the beginning of this second
	recentSince time.Time
	lastRate    float64 // in the second before

	low, lowBefore time.Duration // the least that it took, in this spell and in the one before
	lowSince       time.Time
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
	p.quiet = now
	if p.measuring.IsZero() {
		p.measuring, p.count, p.refusals = now, 0, 0
		if p.rate > 0 {
			p.rate *= 0.97 // it has crept up to the limit
		} else {
			p.rate = max(p.throughput(now)/2, 10)
		}
	}
	if now.Sub(p.measuring) > measureFor/6 { // what was under way when the pace fell says nothing
		p.refusals++
	}
	p.settle(now)
	if until := now.Add(wait); wait > 0 && until.After(p.next) {
		p.next = until
	}
}

// throughput is how many a second have got through of late.
func (p *pacer) throughput(now time.Time) float64 {
	if since := now.Sub(p.recentSince); p.lastRate == 0 && since > 0 {
		return float64(p.recent) / since.Seconds()
	}
	return p.lastRate
}

// settle ends the measuring after a while. What got through is the limit if the service went on to refuse.
func (p *pacer) settle(now time.Time) {
	passed := now.Sub(p.measuring)
	if passed < measureFor {
		return
	}
	if p.refusals > 1 {
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
	slope := 0.003 * math.Pow(2, now.Sub(p.quiet).Seconds()/10)
	switch {
	case p.known == 0:
		slope = 1
	case p.rate < p.known*under:
		slope = 0.1
	}
	p.rate *= 1 + min(slope, 1)*since.Seconds()
	p.raised = now
	if p.known > 0 && p.rate > 4*p.known {
		p.rate, p.known = 0, 0 // the limit is gone
	}
}

// best returns the least that the operation has taken of late.
func (p *pacer) best(now time.Time, took time.Duration) time.Duration {
	if now.Sub(p.lowSince) > spell {
		p.lowBefore, p.low, p.lowSince = p.low, took, now
	}
	p.low = min(p.low, took)
	if p.lowBefore > 0 {
		return min(p.low, p.lowBefore)
	}
	return p.low
}
