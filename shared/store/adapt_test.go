package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A service takes a while for each request, and can bear so many a second, as a bucket of tokens that a tenth of a second
// fills; or it has so many hands, and the rest waits in line.
type service struct {
	script
	takes time.Duration
	tail  bool          // some take a third of that, and some many times as long, as stores do
	cap   float64       // a second, 0 for none
	moody int           // it refuses every so many-th, whatever it bears; 0 for none
	hands chan struct{} // nil for as many as it takes
	after time.Duration // what it asks to wait

	mu       sync.Mutex
	full     time.Time // when the tokens are all back
	inFlight int
	peak     int
	done     int
	asked    int
	refused  int
	last     time.Time
}

func (s *service) AbortUpload(ctx context.Context, _ mpu.Upload) error {
	s.mu.Lock()
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	}()
	if s.hands != nil {
		s.hands <- struct{}{}
		defer func() { <-s.hands }()
	}
	takes := s.takes
	if s.tail {
		takes = takes/3 + time.Duration(rand.ExpFloat64()*float64(takes)*2/3)
	}
	time.Sleep(takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.asked++; s.moody > 0 && s.asked%s.moody == 0 {
		s.refused++
		return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}
	}
	if s.cap > 0 {
		if s.full.Before(now) {
			s.full = now
		}
		if s.full.Sub(now) > 100*time.Millisecond {
			s.refused++
			return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown", RetryAfter: s.after}
		}
		s.full = s.full.Add(time.Duration(float64(time.Second) / s.cap))
	}
	s.done++
	s.last = now
	return ctx.Err()
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// work sends n requests through a store with 256 hands, and returns how long it took.
func work(t *testing.T, st *store.Store, n int) time.Duration {
	t.Helper()
	begun := time.Now()
	jobs := make(chan struct{})
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for range jobs {
				if err := st.Abort(t.Context(), upload("k", "u"), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	return time.Since(begun)
}

func gated(s *service, b *store.Budget) *store.Store {
	return store.New(s, store.Retry(8, 200*time.Millisecond, 20*time.Second), store.NewGate(b).Layer())
}

func TestGateOpensAsFarAsTheServiceGoes(t *testing.T) {
	for name, s := range map[string]*service{
		"near":             {takes: 5 * time.Millisecond},
		"usual":            {takes: 20 * time.Millisecond},
		"far":              {takes: 120 * time.Millisecond},
		"near, with tails": {takes: 6 * time.Millisecond, tail: true},
		"with tails":       {takes: 30 * time.Millisecond, tail: true},
		"far, with tails":  {takes: 120 * time.Millisecond, tail: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20_000
				took := work(t, gated(s, store.NewBudget(256)), n)
				if least := n / 256 * s.takes; took > least*6/5 || s.peak > 256 {
					t.Errorf("took %s, at least %s; %d in flight at most", took, least, s.peak)
				}
			})
		})
	}
}

func TestGateLeavesNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{takes: 20 * time.Millisecond, hands: make(chan struct{}, 10)}
		const n = 2_000
		took := work(t, gated(s, store.NewBudget(256)), n)
		if least := n / 10 * s.takes; took > least*21/20 || s.peak > 40 {
			t.Errorf("took %s, at least %s; %d in flight at most, of which 10 are worked at", took, least, s.peak)
		}
	})
}

func TestGateStaysJustUnderALimit(t *testing.T) {
	for name, limit := range map[string]float64{"low": 200, "usual": 3500} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{takes: 20 * time.Millisecond, cap: limit}
				n := int(limit * 60)
				took := work(t, gated(s, store.NewBudget(256)), n)
				if took > 61*time.Second || s.refused > n/200+256 || s.done != n { // what was in flight when it first said no
					t.Errorf("%d of %d in %s, %d refused", s.done, n, took, s.refused)
				}
			})
		})
	}
}

func TestGateFindsALimitThatHasRisen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{takes: 20 * time.Millisecond, cap: 300}
		st := gated(s, store.NewBudget(256))
		work(t, st, 3000)
		s.cap = 3000
		work(t, st, 300*60) // a minute's worth at the old limit
		took := work(t, st, 3000*10)
		if took > 15*time.Second {
			t.Errorf("took %s, 10 s at the new limit", took)
		}
	})
}

// A few refusals that have nothing to do with how much is asked do not slow a sweep down.
func TestGateLivesWithRandomRefusals(t *testing.T) {
	for _, share := range []int{1000, 300} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{takes: 20 * time.Millisecond, moody: share}
			const n = 60_000
			took := work(t, gated(s, store.NewBudget(256)), n)
			if least := n / 256 * s.takes; took > 4*least {
				t.Errorf("with every %dth refused it took %s, without %s", share, took, least)
			}
		})
	}
}

func TestGateWaitsAsLongAsItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{takes: time.Millisecond, cap: 100, after: 3 * time.Second}
		st := gated(s, store.NewBudget(1))
		for range 12 {
			if err := st.Abort(t.Context(), upload("k", "u"), nil); err != nil {
				t.Error(err)
			}
		}
		var wg sync.WaitGroup
		refusedAt := time.Now()
		s.full = time.Now().Add(time.Second) // nothing more for now
		wg.Go(func() { st.Abort(t.Context(), upload("k", "u"), nil) })
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		begun := s.count()
		wg.Go(func() { st.Abort(t.Context(), upload("k", "other"), nil) })
		time.Sleep(2900 * time.Millisecond)
		if s.count() != begun {
			t.Errorf("another request was sent %s after one was told to wait for 3 s", time.Since(refusedAt))
		}
		wg.Wait()
	})
}

// A giant does not starve those that come beside it.
func TestBudgetIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := store.NewBudget(64)
		giant, small := &service{takes: 20 * time.Millisecond}, &service{takes: 20 * time.Millisecond}
		giantDone := make(chan time.Duration)
		go func() { giantDone <- work(t, gated(giant, b), 20_000) }()
		time.Sleep(time.Second)
		took := work(t, gated(small, b), 1000)
		if fair := 1000 / 32 * small.takes; took > fair*3/2 {
			t.Errorf("the small one took %s beside the giant, its share is %s", took, fair)
		}
		// Alone again, the giant has it all.
		before, begun := giant.count(), time.Now()
		time.Sleep(time.Second)
		if rate := float64(giant.count()-before) / time.Since(begun).Seconds(); rate < 0.9*64/0.02 {
			t.Errorf("the giant alone does %.0f a second", rate)
		}
		<-giantDone
	})
}

// Whoever gives up while it waits takes nobody's place.
func TestGateForgetsWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{takes: time.Second}
		b := store.NewBudget(1)
		st := gated(s, b)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { st.Abort(t.Context(), upload("k", "u"), nil) })
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if err := st.Abort(ctx, upload("k", "u"), nil); !errors.Is(err, store.ErrNoTime) {
					t.Errorf("%v, want no time", err)
				}
			})
		}
		wg.Wait()
		if took := work(t, st, 2); took > 3*time.Second || s.peak > 1 {
			t.Errorf("two took %s, %d in flight", took, s.peak)
		}
	})
}

// A service that asks to wait is obeyed, and the pace is found all the same: what the waits cost is little beside the work.
func TestGateFindsThePaceOfOneThatAsksToWait(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		most  float64 // times what the limit takes
	}{
		{time.Second, 2},
		{5 * time.Second, 3},
		{30 * time.Second, 8},
	} {
		for _, limit := range []float64{100, 1000} {
			for _, takes := range []time.Duration{20 * time.Millisecond, 150 * time.Millisecond} {
				t.Run(fmt.Sprint(tt.after, ", ", limit, ", ", takes), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &service{takes: takes, cap: limit, after: tt.after}
						n := int(limit * 120)
						took := work(t, gated(s, store.NewBudget(320)), n)
						if times := took.Seconds() / 120; times > tt.most || s.refused*20 > n {
							t.Errorf("%.2f times as long as the limit takes, and %d refused of %d", times, s.refused, n)
						}
					})
				})
			}
		}
	}
}

// An abort that has waited for long is decided again, once, and one that is not sent after all leaves its place to others.
func TestAbortThatWaitedIsDecidedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(next store.Send) store.Send {
			return func(ctx context.Context, c store.Call) error {
				time.Sleep(3 * time.Second)
				return next(ctx, c)
			}
		}
		s := &service{takes: 20 * time.Millisecond}
		st := store.New(s, wait, store.NewGate(store.NewBudget(1)).Layer())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		alive := errors.New("it is alive")
		for range 3 {
			if err := st.Abort(ctx, upload("k", "u"), func(context.Context, error) error { return alive }); !errors.Is(err, alive) {
				t.Fatal(err)
			}
		}
		asked := 0
		if err := st.Abort(ctx, upload("k", "u"), func(context.Context, error) error { asked++; return nil }); err != nil || asked != 1 || s.done != 1 {
			t.Errorf("%v, asked %d times, %d sent", err, asked, s.done)
		}
	})
}

// What was decided again before it is sent another time is fresh.
func TestAbortIsDecidedOnceForEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := failing(1, &mpu.Error{Kind: mpu.Transient, Status: 503, RetryAfter: 10 * time.Second})
		st := store.New(d, store.Retry(4, time.Second, time.Second), store.NewGate(store.NewBudget(8)).Layer())
		asked := 0
		err := st.Abort(t.Context(), upload("k", "u"), func(context.Context, error) error { asked++; return nil })
		if err != nil || asked != 1 || len(d.aborted) != 2 {
			t.Errorf("%v, asked %d times, %d sent", err, asked, len(d.aborted))
		}
	})
}
