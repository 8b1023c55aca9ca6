package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
	"github.com/partsweep/partsweep/shared/plan"
)

// A work is one command that lists, inspects and perhaps aborts: where its outcomes go while it runs, and what is shown of them
// in the end.
type work struct {
	*console
	mode     string // toApply or toPlan
	asked    []string
	read     []string // files that are read, and so must not be written
	intro    string   // what people read first
	html     string   // where the page goes, empty for none
	out      string   // where the plan goes, empty for none
	total    int      // uploads, where it is known before
	progress *progress
	figures  *page.Collector
	plan     *plan.Writer
	planFile *draft
	page     *draft
	complete bool // the plan has all that was asked for
	handler  *handler.Handler
	began    time.Time
}

// flags adds what every work has.
func (w *work) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.html, "html", "", "write the report as a page to `FILE`")
	cmd.Flags().BoolVarP(&w.quiet, "quiet", "q", false, "write nothing but what went wrong; --json is written all the same")
}

// begin opens what the outcomes go to, and the handler. It is to be ended.
func (w *work) begin(p handler.Platform) error {
	w.began = time.Now()
	if w.json && w.out == "-" || w.out == "-" && w.html == "-" || w.json && w.html == "-" {
		return usage(errors.New("standard output can take one of the plan, the page and the JSON report"), "name a file for the others")
	}
	if err := differ(w.read, w.out, w.html); err != nil {
		return err
	}
	w.progress = newProgress(w.err, w.total, w.quiet || w.verbose)
	p.Layer = w.progress.layer
	once := w.once()
	p.Outcome = func(o mpu.Outcome) {
		if !once(o) {
			return
		}
		w.progress.add(o)
		w.figures.Add(o)
		if w.plan != nil {
			w.plan.Add(o)
		}
	}
	h, err := handler.New(p)
	if err != nil {
		return err
	}
	w.handler = h
	if w.intro != "" && !w.quiet && !w.json {
		fmt.Fprintf(w.told(), "%s\n\n", w.intro)
	}
	if err := w.open(); err != nil {
		return err
	}
	w.figures = page.NewCollector(w.began, func(store string) float64 { return h.Settings().Price(store).Price })
	w.progress.start()
	return nil
}

// once returns what tells the first outcome of its kind that an upload has from those that other requests which name it lead to.
// One request alone leads to no other, and need not be remembered.
func (w *work) once() func(mpu.Outcome) bool {
	all := func(request string) bool { return strings.Contains(request, "://"+mpu.AnyBucket) } // the settings may name a bucket twice
	if len(w.asked) < 2 && !slices.ContainsFunc(w.asked, all) {
		return func(mpu.Outcome) bool { return true }
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(o mpu.Outcome) bool {
		name := o.Upload.String() + " " + string(o.Result)
		mu.Lock()
		defer mu.Unlock()
		if seen[name] {
			return false
		}
		seen[name] = true
		return true
	}
}

// open opens the files that are to be written, before anything is done.
func (w *work) open() (err error) {
	if w.html != "" {
		if w.page, err = newDraft(w.html, w.console.out); err != nil {
			return err
		}
	}
	if w.out != "" {
		if w.planFile, err = newDraft(w.out, w.console.out); err != nil {
			w.page.discard()
			return err
		}
		w.plan = plan.NewWriter(w.planFile, plan.Header{Made: w.began.UTC().Truncate(time.Second), Requests: w.asked})
	}
	return nil
}

// abandon ends what did nothing.
func (w *work) abandon() {
	w.progress.end()
	w.planFile.discard()
	w.page.discard()
}

// A result is what a program gets.
type result struct {
	Reports   []*handler.Report `json:"reports"` // one for the requests together, one for each event
	Breakdown page.Breakdown    `json:"breakdown"`
	Prices    []page.Price      `json:"prices"`
}

func (w *work) writeResult(r result) error {
	enc := json.NewEncoder(w.console.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// end shows what was done, and returns what is left to do.
func (w *work) end(sum summary, reports []*handler.Report, problem error) error {
	w.progress.end()
	errs := []error{problem}
	figures := w.figures.Breakdown()
	written := map[string]string{}
	if w.plan != nil {
		w.complete = problem == nil && w.stop.Err() == nil
		switch err := w.writePlan(figures); {
		case err != nil:
			errs = append(errs, err)
		case w.complete || figures.Total.Uploads > 0:
			written["plan"] = w.out
		}
	}
	if w.page != nil {
		if err := w.writePage(figures, sum); err != nil {
			errs = append(errs, err)
		} else {
			written["page"] = w.html
		}
	}
	switch {
	case w.json:
		errs = append(errs, w.writeResult(result{reports, figures, w.prices(figures)}))
	case w.quiet:
		sum.printProblems(w.err, w.mode)
	default:
		w.show(w.told(), sum, figures, written)
	}
	return join(errs...)
}

// told is where people read what is said: not where the plan or the page goes.
func (w *work) told() io.Writer {
	if w.out == "-" || w.html == "-" {
		return w.err
	}
	return w.console.out
}

// show writes what people read.
func (w *work) show(out io.Writer, sum summary, figures page.Breakdown, written map[string]string) {
	sum.print(out, w.handler.Settings())
	var more bytes.Buffer
	sum.printExamples(&more)
	if sum.mode == toPlan {
		w.showLargest(&more, figures)
	}
	section(out, &more)
	if figures.Total.MonthlyUSD > 0 {
		for _, p := range w.prices(figures) {
			fmt.Fprintf(&more, "  %s at $%v a GB and month: %s\n", p.Store, p.USD, p.Source)
		}
	}
	section(out, &more)
	for _, what := range []string{"plan", "page"} {
		if name := written[what]; name != "" && name != "-" {
			not := ""
			if what == "plan" && !w.complete {
				not = ", and is not complete"
			}
			fmt.Fprintf(&more, "  the %s is in %s%s\n", what, name, not)
		}
	}
	if name := written["plan"]; name != "" && name != "-" && figures.Total.Stale > 0 {
		fmt.Fprintf(&more, "  to abort %s: partsweep apply %s\n", page.Count(figures.Total.Stale), quoted(name))
	}
	section(out, &more)
}

// section writes what has been gathered, with a line in front, and nothing if there is nothing.
func section(out io.Writer, text *bytes.Buffer) {
	if text.Len() > 0 {
		fmt.Fprintln(out)
		text.WriteTo(out)
	}
}

// mostLargest is how many of the largest uploads are named.
const mostLargest = 5

// showLargest names the largest of the uploads that would be aborted.
func (w *work) showLargest(out io.Writer, figures page.Breakdown) {
	list := figures.Largest
	if figures.Total.StaleBytes == 0 {
		list = figures.Oldest
	}
	shown := 0
	for _, e := range list {
		if e.Result == mpu.ResultPlanned && shown < mostLargest {
			size := "not looked at"
			if e.Inspected {
				size = page.Size(e.Bytes)
			}
			begun := ""
			if !e.Initiated.IsZero() {
				begun = ", begun " + e.Initiated.Format(time.RFC3339)
			}
			fmt.Fprintf(out, "  would be aborted: %s, %s%s\n", page.Short(e.Upload), size, begun)
			shown++
		}
	}
	if more := figures.Total.Stale - shown; more > 0 && shown > 0 {
		fmt.Fprintf(out, "  and %s more\n", page.Count(more))
	}
}

// prices are what the costs of the services that were looked at were worked out with.
func (w *work) prices(figures page.Breakdown) []page.Price {
	list := []page.Price{}
	for _, name := range mpu.Stores() {
		if slices.ContainsFunc(figures.Services, func(r page.Row) bool { return r.Name == name }) {
			p := w.handler.Settings().Price(name)
			list = append(list, page.Price{Store: name, USD: p.Price, Source: p.Source, Date: p.Date})
		}
	}
	return list
}

// writePlan ends the plan. One that has found nothing because something went wrong is no plan, and leaves what is there alone.
func (w *work) writePlan(figures page.Breakdown) error {
	if !w.complete && figures.Total.Uploads == 0 && w.out != "-" {
		w.planFile.discard()
		return nil
	}
	if err := w.plan.Close(w.complete); err != nil {
		w.planFile.discard()
		return fmt.Errorf("cannot write %s: %w", w.out, bare(err))
	}
	return w.planFile.keep()
}

// writePage writes the report as a page.
func (w *work) writePage(figures page.Breakdown, sum summary) error {
	p := page.Page{Breakdown: figures, Made: w.began, Mode: sum.mode, Requests: w.asked, Notes: sum.notes, Failures: sum.failures, Prices: w.prices(figures)}
	if err := p.Write(w.page); err != nil {
		w.page.discard()
		return fmt.Errorf("cannot write %s: %w", w.html, bare(err))
	}
	return w.page.keep()
}
