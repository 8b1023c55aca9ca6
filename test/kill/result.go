package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A result is what came of a trial.
type result struct {
	kills     map[string]int // by what the process was doing
	runs      int
	idle      int // runs that were killed before they had aborted anything
	carried   int // aborts that the sandbox carried out
	logged    int // lines of the log that say so
	twice     int // of them, those that a run had said before
	unlogged  int // uploads whose abort no run lived to log
	stale     int
	untouched int // live ones, at the end
	live      int
	landed    int      // parts that landed behind an abort
	more      []string // what else there is to say
	wrong     []string
}

func (r *result) killed() (n int) {
	for _, k := range r.kills {
		n += k
	}
	return n
}

func (r *result) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func (r *result) say(format string, args ...any) {
	r.more = append(r.more, fmt.Sprintf(format, args...))
}

// String is for people.
func (r *result) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	line("%d kills, %d runs; %d of the kills before anything was aborted, and at", r.killed(), r.runs, r.idle)
	for _, what := range slices.Sorted(maps.Keys(r.kills)) {
		line("  %4d  %s", r.kills[what], what)
	}
	line("%d aborts carried out, %d logged, %d logged twice by a run; of %d uploads no run lived to log the abort", r.carried, r.logged, r.twice, r.unlogged)
	line("%d stale uploads; a part landed behind the abort of %d of them", r.stale, r.landed)
	line("%d of %d live uploads untouched", r.untouched, r.live)
	for _, m := range r.more {
		line("%s", m)
	}
	if len(r.wrong) == 0 {
		line("right: every stale upload is gone, nothing else was touched, nothing was claimed that was not done")
		return b.String()
	}
	line("WRONG, %d times:", len(r.wrong))
	for _, w := range r.wrong[:min(len(r.wrong), 20)] {
		line("  %s", w)
	}
	return b.String()
}
