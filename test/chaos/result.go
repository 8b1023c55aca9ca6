package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/partsweep/partsweep/shared/janitor"
)

// A result is what a simulation came to.
type result struct {
	config
	sums
	counts
	totals janitor.Totals
	failed map[string]int
	lost   []string // stale uploads that are left, and live ones that are not
	left   int      // live ones that are left, as they should be
}

func (s *simulation) result() *result {
	r := &result{config: s.config, sums: s.truth.sums(), counts: s.count, totals: s.totals, failed: s.failed}
	live := map[name]bool{}
	for _, n := range s.steady {
		live[n] = true
	}
	for _, p := range places {
		for _, u := range s.Uploads(p.service, p.bucket) {
			n := name{p.service, p.bucket, u.Key, u.UploadID}
			if !live[n] {
				r.lost = append(r.lost, fmt.Sprintf("%+v is left", n))
			}
			delete(live, n)
			r.left++
		}
	}
	for n := range live {
		r.lost = append(r.lost, fmt.Sprintf("%+v lived and is gone", n))
	}
	r.left -= len(r.lost)
	return r
}

// wrong lists everything that must not be.
func (r *result) wrong() []string {
	wrong := slices.Concat(r.sums.wrong, r.lost)
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"bytes that the reports say are freed, against the log", r.totals.BytesFreed, r.claimed},
		{"bytes that the reports say may be freed, against the log", r.totals.BytesUnconfirmed, r.maybe},
		{"aborts in the reports, against the log", int64(r.totals.Aborted), int64(r.claims)},
		{"bytes freed", r.claimed + r.confirmedLater + r.raced, r.removed},
	} {
		if c.got != c.want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, want %d", c.what, c.got, c.want))
		}
	}
	return wrong
}

func (r *result) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n any, what string) { fmt.Fprintf(w, "%v\t %s\n", n, what) }
	fmt.Fprintf(out, "%d simulated days, seed %d, %d uploads a page\n\n", r.days, r.seed, r.page)
	line(r.begun, "uploads begun")
	line(r.completed, "completed by their clients")
	line(r.gaveUp, "aborted by their clients")
	line(r.aborted, "aborted by partsweep")
	line(r.left, "alive to the end, and left alone")
	line(r.sweeps, "sweeps of 4 buckets")
	line(r.events, "failure events, late, repeated, in any order, some of them wrong")
	line(r.counts.faults, "faults")
	line(r.deadlines, "runs that met a deadline")
	line(r.refused, "runs that ended with something left to do, and said so")
	line(r.races, "parts that came between the last look and the abort")
	fmt.Fprintf(w, "\t\n")
	line(len(r.sums.wrong), "wrongly aborted or wrongly reported")
	line(len(r.lost), "lost")
	line(r.removed, "bytes removed by aborts, as the stores count")
	line(r.claimed, "bytes reported freed")
	line(r.confirmedLater, "bytes reported as perhaps freed, that were")
	line(r.raced, "bytes in parts that came between the last look and the abort")
	w.Flush()
	for _, what := range slices.Sorted(maps.Keys(r.failed)) {
		fmt.Fprintf(out, "  left to do %d times: %s\n", r.failed[what], what)
	}
	wrong := r.wrong()
	if len(wrong) == 0 {
		fmt.Fprintf(out, "\nright: wrongly aborted 0, lost 0, bytes equal (%d)\n", r.removed)
		return
	}
	fmt.Fprintf(out, "\nWRONG, %d times:\n  %s\n", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n  "))
}
