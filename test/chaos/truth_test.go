package main

import (
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// An abort is judged by its own run's look and cutoff. Another run's excuse nothing and accuse of nothing.
func TestAbortIsJudgedByItsOwnRun(t *testing.T) {
	stale, cutoff := start.Add(-48*time.Hour), start.Add(-24*time.Hour)
	look := func(run string, active time.Time, bytes int64) sandbox.Happening {
		return sandbox.Happening{What: sandbox.Looked, Active: active, Bytes: bytes, By: run}
	}
	abort := func(run string) sandbox.Happening {
		return sandbox.Happening{What: sandbox.Aborted, Active: start, Bytes: 12, By: run}
	}
	for _, tt := range []struct {
		name        string
		happened    []sandbox.Happening
		wrong       int
		races       int
		racedInSize int64
	}{
		{"a part came since the look", []sandbox.Happening{look("a", stale, 5), abort("a")}, 0, 1, 7},
		{"and another run has seen it", []sandbox.Happening{look("a", stale, 5), look("b", start, 12), abort("a")}, 0, 1, 7},
		{"the run has seen it", []sandbox.Happening{look("a", stale, 5), look("a", start, 12), abort("a")}, 1, 0, 0},
		{"the run has not looked", []sandbox.Happening{look("b", stale, 5), abort("a")}, 1, 0, 0},
		{"another run's later cutoff", []sandbox.Happening{look("a", cutoff.Add(time.Hour), 5), abort("a")}, 1, 0, 0},
		{"the later cutoff's own run", []sandbox.Happening{look("b", cutoff.Add(time.Hour), 5), abort("b")}, 0, 1, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			truth := newTruth()
			every := func(name) bool { return true }
			truth.begin(&order{"a", every, cutoff}, &order{"b", every, cutoff.Add(2 * time.Hour)})
			truth.observe(sandbox.Happening{What: sandbox.Begun, At: stale})
			for _, h := range tt.happened {
				truth.observe(h)
			}
			s := truth.sums()
			if len(s.wrong) != tt.wrong || s.races != tt.races || s.raced != tt.racedInSize {
				t.Errorf("wrong %q, %d races of %d bytes", s.wrong, s.races, s.raced)
			}
		})
	}
}
