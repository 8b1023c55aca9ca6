package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
)

// mixed is the mode of reports of which some acted and some only planned.
const mixed = "mixed"

// A summary adds reports up for one table.
type summary struct {
	totals   map[string]*janitor.Totals
	monthly  float64
	kept     []janitor.Example
	lines    []string // notes, ignored events and failures
	notes    []string
	failures []string
	hints    []string // what a request that found nothing may have meant
	mode     string   // toApply or toPlan, or mixed
}

func (s *summary) add(r *handler.Report) {
	o := summary{totals: r.Services, monthly: r.MonthlyUSD, kept: r.Kept, mode: r.Mode, notes: r.Notes, failures: r.Failures}
	for _, list := range []struct {
		title string
		lines []string
	}{{"ignored: ", r.Ignored}, {"note: ", r.Notes}, {failed, r.Failures}} {
		for _, line := range list.lines {
			o.lines = append(o.lines, list.title+strings.ReplaceAll(line, "\n", " "))
		}
	}
	for _, request := range r.Rest {
		o.lines = append(o.lines, askAgain(r.Mode, request))
	}
	s.merge(o)
}

// askAgain says with which command a request that is left to do is done.
func askAgain(mode, request string) string {
	command := "run"
	if mode == toPlan {
		command = "plan"
	}
	return leftToDo + "partsweep " + command + " " + quoted(request)
}

// quoted writes an argument as a shell takes it.
func quoted(arg string) string {
	if !strings.ContainsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\n'\"\\&|;<>()$`*?[]#~!{}", r) }) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

func (s *summary) merge(o summary) {
	if s.totals == nil {
		s.totals = map[string]*janitor.Totals{}
	}
	for name, t := range o.totals {
		if s.totals[name] == nil {
			s.totals[name] = &janitor.Totals{}
		}
		s.totals[name].Add(*t)
	}
	s.monthly += o.monthly
	if s.mode != "" && s.mode != o.mode {
		o.mode = mixed
	}
	s.mode = o.mode
	s.kept = append(s.kept, o.kept...)
	s.lines = append(s.lines, o.lines...)
	s.notes = append(s.notes, o.notes...)
	s.failures = append(s.failures, o.failures...)
}

// leave notes what was handed on and nobody takes up.
func (s *summary) leave(message []byte) {
	var m struct{ Request string }
	if err := json.Unmarshal(message, &m); err != nil {
		m.Request = string(message)
	}
	s.lines = append(s.lines, askAgain(toApply, m.Request))
}

// printProblems writes what went wrong, what is left to do, and why nothing was done where something was to be.
func (s *summary) printProblems(out io.Writer, mode string) {
	for _, line := range s.lines {
		if strings.HasPrefix(line, failed) || strings.HasPrefix(line, leftToDo) || mode == toApply && s.mode == toPlan {
			fmt.Fprintln(out, line)
		}
	}
}

// What lines of a summary begin with.
const (
	failed   = "failed: "
	leftToDo = "left to do: "
)

func (s *summary) total() janitor.Totals {
	var sum janitor.Totals
	for _, t := range s.totals {
		sum.Add(*t)
	}
	return sum
}

// print writes the table, unless there is nothing to stand in it but what went wrong, and what else is to be said.
func (s *summary) print(out io.Writer, settings handler.Settings) {
	if len(s.totals) > 0 || len(s.failures) == 0 {
		s.printTable(out, settings)
		if len(s.lines) > 0 {
			fmt.Fprintln(out)
		}
	}
	for _, line := range s.lines {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

// printTable writes for each service what was found and what became of it, and why uploads were kept.
func (s *summary) printTable(out io.Writer, settings handler.Settings) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	total := s.total()
	columns := "service\tfound\taborted\tgone\tfailed\tdeferred\tfreed\ta month\tkept\t  why"
	switch s.mode {
	case toPlan:
		columns = strings.NewReplacer("aborted", "would abort", "freed", "could free").Replace(columns)
	case mixed:
		columns = strings.NewReplacer("aborted", "(would be) aborted", "freed", "(to be) freed").Replace(columns)
	}
	fmt.Fprintln(w, columns)
	row := func(name string, t janitor.Totals, monthly float64) {
		size, cost := page.Size(t.BytesFreed+t.BytesPlanned), page.Money(monthly)
		if monthly == 0 && t.Aborted+t.Planned > 0 && settings.Uninspected {
			size, cost = "unknown", "unknown"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t  %s\n", name, t.Found, t.Aborted+t.Planned, t.Gone, t.Failed,
			t.Deferred, size, cost, t.Kept, why(t))
	}
	monthly := 0.0
	for _, name := range mpu.Stores() {
		if t := s.totals[name]; t != nil {
			cost := settings.Price(name).MonthlyCost(t.BytesFreed + t.BytesPlanned)
			monthly += cost
			row(name, *t, cost)
		}
	}
	row("all", total, monthly)
	w.Flush()
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

// why counts what was kept by its reason.
func why(t janitor.Totals) string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(t.KeptBy)) {
		reasons = append(reasons, fmt.Sprintf("%d %s", t.KeptBy[reason], reason))
	}
	return strings.Join(reasons, ", ")
}

// printExamples writes one upload for each reason to keep.
func (s *summary) printExamples(out io.Writer) {
	byName := func(a, b janitor.Example) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(page.Short(a.Upload), page.Short(b.Upload)), cmp.Compare(a.Detail, b.Detail))
	}
	var last mpu.Reason
	total := s.total()
	for _, e := range slices.SortedFunc(slices.Values(s.kept), byName) {
		if e.Reason != last {
			more := ""
			if n := total.KeptBy[e.Reason]; n > 1 {
				more = " (and " + page.Count(n-1) + " more)"
			}
			fmt.Fprintf(out, "  kept, %s: %s, %s%s\n", e.Reason, page.Short(e.Upload), e.Detail, more)
		}
		last = e.Reason
	}
	if total.Gone > 0 {
		fmt.Fprintln(out, "  gone: no longer there, aborted or completed before; nothing is left to do for them")
	}
	for _, h := range s.hints {
		fmt.Fprintf(out, "  %s\n", h)
	}
}

// hint says what requests that found nothing may have meant.
func (s *summary) hint(requests []mpu.Request) {
	if s.total().Found > 0 || len(s.lines) > 0 {
		return
	}
	s.hints = append(s.hints, "nothing was found: no upload is open there")
	for _, r := range requests {
		if key, ok := strings.CutSuffix(strings.TrimSuffix(r.Key, "*"), "/"); ok || key != r.Key {
			r.Prefix, r.Key = strings.TrimSuffix(r.Key, "*"), ""
			s.hints = append(s.hints, "for all that lies under a prefix, write "+quoted(r.String()))
		}
	}
}
