package janitor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

// A client sends a part again, and a smaller one, while an abort waits to be sent again. That it is smaller does not show that
// an abort has arrived.
func TestSmallerPartIsNoLostAbort(t *testing.T) {
	for name, refusal := range map[string]*mpu.Error{
		"throttled":      {Kind: mpu.Transient, Status: 503, Code: "SlowDown"},
		"nothing heard":  {Kind: mpu.Transient},
		"internal error": {Kind: mpu.Transient, Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			m := &storetest.Memory{}
			u := upload("k", "u", 72*time.Hour)
			m.Add(u, part(10, 72*time.Hour))
			tries := 0
			m.OnAbort = func(mpu.Upload) error {
				if tries++; tries > 1 {
					return nil
				}
				m.Add(u, part(9, time.Second))
				return refusal
			}
			j := janitorOver(m)
			j.Open = func(mpu.Bucket) (*store.Store, error) {
				return store.New(m, store.Retry(5, time.Nanosecond, time.Nanosecond)), nil
			}
			r := j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
			if len(m.Left()) != 1 || r.Totals.Aborted != 0 || r.Totals.Kept != 1 {
				t.Errorf("aborted after %d tries: %+v", tries, r.Totals)
			}
		})
	}
}

// Fewer parts are no sign of a lost abort where none was sent that may have arrived: a service that asks to slow down has done
// nothing. Whoever else aborted it, what has been uploaded since is alive.
func TestFewerPartsAfterARefusal(t *testing.T) {
	m := &storetest.Memory{}
	u := upload("k", "u", 72*time.Hour)
	m.Add(u, part(10, 72*time.Hour), part(10, 72*time.Hour))
	r := onceRefused(t, m, func() { m.Add(u, part(10, time.Second)) })
	if len(m.Left()) != 1 || r.Totals.Kept != 1 {
		t.Errorf("%+v", r.Totals)
	}
}

// What is freed is what was there at the last look.
func TestFreedIsWhatWasSeenLast(t *testing.T) {
	m := &storetest.Memory{}
	u := upload("k", "u", 72*time.Hour)
	m.Add(u, part(10, 72*time.Hour))
	r := onceRefused(t, m, func() { m.Add(u, part(9, 71*time.Hour)) })
	if r.Totals.Aborted != 1 || r.Totals.BytesFreed != 9 {
		t.Errorf("%+v", r.Totals)
	}
}

// onceRefused sweeps while something happens at the first abort, which is refused.
func onceRefused(t *testing.T, m *storetest.Memory, happens func()) *Report {
	tries := 0
	m.OnAbort = func(mpu.Upload) error {
		if tries++; tries > 1 {
			return nil
		}
		happens()
		return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}
	}
	j := janitorOver(m)
	j.Open = func(mpu.Bucket) (*store.Store, error) {
		return store.New(m, store.Retry(5, time.Nanosecond, time.Nanosecond)), nil
	}
	return j.Run(t.Context(), []Task{task(t, "s3://media?olderThan=2d")})
}

// Where a service lets few aborts through, one waits for its turn for long after its upload was looked at. It is looked at
// again then, so that no abort goes by an old look, and a client that comes back meanwhile keeps its upload.
func TestAbortGoesByAFreshLook(t *testing.T) {
	for name, budget := range map[string]int{"many in flight": 320, "one in flight": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { abortAtAPace(t, budget) })
		})
	}
}

func abortAtAPace(t *testing.T, budget int) {
	const uploads, perSecond, takes = 600, 20, 20 * time.Millisecond
	m := &storetest.Memory{}
	for i := range uploads {
		m.Add(upload(fmt.Sprintf("k%04d", i), "u", 72*time.Hour), part(10, 72*time.Hour))
	}
	var mu sync.Mutex
	looked := map[string]time.Time{}
	var oldest time.Duration
	begun := time.Now()
	free := begun
	m.OnParts = func(u mpu.Upload) error {
		mu.Lock()
		looked[u.Key] = time.Now()
		mu.Unlock()
		time.Sleep(takes)
		return nil
	}
	m.OnAbort = func(u mpu.Upload) error {
		mu.Lock()
		now := time.Now()
		oldest = max(oldest, now.Sub(looked[u.Key]))
		full := free.Sub(now) > 100*time.Millisecond
		if !full {
			free = maxTime(free, now).Add(time.Second / perSecond)
		}
		mu.Unlock()
		time.Sleep(takes)
		if full {
			return &mpu.Error{Kind: mpu.Transient, Status: 503, Code: "SlowDown"}
		}
		return nil
	}
	gate := store.NewGate(store.NewBudget(budget)).Layer()
	j := janitorOver(m)
	j.Open = func(mpu.Bucket) (*store.Store, error) {
		return store.New(m, store.Retry(8, 200*time.Millisecond, 20*time.Second), gate), nil
	}
	r := j.Run(context.Background(), []Task{task(t, "s3://media?olderThan=2d")})
	if r.Totals.Aborted+r.Totals.Failed != uploads || r.Totals.Failed > uploads/20 {
		t.Errorf("%+v", r.Totals)
	}
	if most := 2*time.Second + 4*takes; oldest > most {
		t.Errorf("an abort was sent %s after its upload was looked at", oldest)
	}
	if took, ideal := time.Since(begun), time.Second*uploads/perSecond; took > 2*ideal {
		t.Errorf("took %s, and the service needs %s", took, ideal)
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
