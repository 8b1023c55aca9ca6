package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A name names an upload. Regions are left out: not everybody tells them.
type name struct {
	service     sandbox.Service
	bucket, key string
	uploadID    string
}

func nameOf(u mpu.Upload) name {
	return name{sandbox.Service(u.Bucket.Store), u.Bucket.Name, u.Key, u.UploadID}
}

// A fact is what the stores know of one upload.
type fact struct {
	begun     time.Time
	looks     map[string]look // the last one of each run
	aborted   int             // aborts that were carried out
	removed   int64           // bytes in the parts that they removed
	raced     int64           // of those, what had come since the last look of the run that aborted
	claimed   int64           // bytes that partsweep says it freed
	claims    int             // aborts that it reports
	maybe     int64           // bytes of which it says that it may have freed them
	maybes    int
	completed bool
	gaveUp    bool
}

// A look is what a run saw of an upload: the newest sign of life, and the bytes in its parts.
type look struct {
	active time.Time
	bytes  int64
}

// An order is a request that is being worked off: which uploads it covers, and since when they must have been silent.
type order struct {
	run    string
	covers func(name) bool
	before time.Time
}

// truth is what is known of all uploads, from the stores alone.
type truth struct {
	mu     sync.Mutex
	facts  map[name]*fact
	orders map[string][]*order // of every run that ever was: what it sent last may arrive when it has ended
	active map[*order]bool
	wrong  []string
	races  int
}

func newTruth() *truth {
	return &truth{facts: map[name]*fact{}, orders: map[string][]*order{}, active: map[*order]bool{}}
}

// observe takes in what happened to an upload.
func (t *truth) observe(h sandbox.Happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := name{h.Service, h.Bucket, h.Key, h.UploadID}
	f := t.facts[n]
	switch h.What {
	case sandbox.Begun:
		t.facts[n] = &fact{begun: h.At, looks: map[string]look{}}
	case sandbox.Looked:
		f.looks[h.By] = look{h.Active, h.Bytes}
	case sandbox.Completed:
		f.completed = true
	case sandbox.GivenUp:
		f.gaveUp = true
	case sandbox.Aborted:
		t.judge(n, f, h)
	}
}

// judge looks at an abort that has just been carried out for a run. What counts is what that run had been shown: another may
// have looked in between, and have seen more.
func (t *truth) judge(n name, f *fact, h sandbox.Happening) {
	f.aborted++
	f.removed += h.Bytes
	before := t.cutoff(n, h.By)
	seen, looked := f.looks[h.By]
	switch {
	case f.aborted > 1: // its parts are gone already; what landed behind that goes too
		f.raced += max(h.Bytes-seen.bytes, 0)
	case before.IsZero():
		t.fault("%+v was aborted by %s, which had no order that covers it", n, h.By)
	case !looked:
		t.fault("%+v was aborted without a look at its parts", n)
	case !seen.active.Before(before):
		t.fault("%+v was aborted, and had shown a sign of life at %s: the cutoff was %s", n, seen.active, before)
	case h.Active.After(seen.active):
		t.races++
		f.raced += h.Bytes - seen.bytes
	}
}

// cutoff returns the latest cutoff of a run's orders that cover an upload, the zero time if there are none.
func (t *truth) cutoff(n name, run string) (latest time.Time) {
	for _, o := range t.orders[run] {
		if o.covers(n) && o.before.After(latest) {
			latest = o.before
		}
	}
	return latest
}

// covered counts the orders being worked off that cover an upload.
func (t *truth) covered(n name) (count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for o := range t.active {
		if o.covers(n) {
			count++
		}
	}
	return count
}

func (t *truth) begin(orders ...*order) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range orders {
		t.orders[o.run] = append(t.orders[o.run], o)
		t.active[o] = true
	}
}

func (t *truth) end(orders ...*order) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range orders {
		delete(t.active, o)
	}
}

// claim takes in what partsweep says of one upload.
func (t *truth) claim(n name, result mpu.Result, bytes int64, unconfirmed bool, perhaps int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.facts[n]
	switch {
	case f == nil:
		t.fault("partsweep speaks of %+v, which never was", n)
		return
	case result == mpu.ResultAborted:
		f.claims++
		f.claimed += bytes
	}
	if unconfirmed || perhaps > 0 {
		f.maybes++
		f.maybe += perhaps
	}
}

// reckon compares, upload by upload, what partsweep says with what was done.
func (t *truth) reckon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, f := range t.facts {
		surely := f.claimed + f.raced
		switch {
		case f.claims > 0 && f.aborted == 0:
			t.fault("%+v was reported aborted and never was", n)
		case f.aborted > 0 && f.claims+f.maybes == 0:
			t.fault("%+v was aborted and never reported", n)
		case f.removed < surely-f.raced || f.removed > surely+f.maybe:
			t.fault("%+v: %d bytes were removed, reported freed %d, perhaps %d, raced %d", n, f.removed, f.claimed, f.maybe, f.raced)
		case f.maybes == 1 && f.claims == 0 && f.removed != f.raced && f.removed != surely+f.maybe:
			t.fault("%+v: %d bytes were removed, reported perhaps freed %d, all or nothing, raced %d", n, f.removed, f.maybe, f.raced)
		case f.maybes == 0 && f.removed != surely:
			t.fault("%+v: %d bytes were removed, reported freed %d, raced %d", n, f.removed, f.claimed, f.raced)
		}
	}
}

func (t *truth) fault(format string, args ...any) {
	t.wrong = append(t.wrong, fmt.Sprintf(format, args...))
}

// complain adds a fault from outside.
func (t *truth) complain(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault(format, args...)
}

// sums adds up.
func (t *truth) sums() (s sums) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.facts {
		s.begun++
		if f.completed {
			s.completed++
		}
		if f.gaveUp {
			s.gaveUp++
		}
		if f.aborted > 0 {
			s.aborted++
		}
		s.removed += f.removed
		s.raced += f.raced
		s.claimed += f.claimed
		s.claims += f.claims
		s.confirmedLater += min(max(f.removed-f.claimed-f.raced, 0), f.maybe)
		s.maybe += f.maybe
	}
	s.races, s.wrong = t.races, slices.Clone(t.wrong)
	return s
}

type sums struct {
	begun, completed, gaveUp, aborted, claims int
	removed, raced, claimed, maybe            int64
	confirmedLater                            int64 // of the maybe, what really was freed
	races                                     int
	wrong                                     []string
}
