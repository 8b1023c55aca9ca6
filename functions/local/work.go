package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	mode     string // plan or apply
	asked    []string
	html     string // where the page goes, empty for none
	out      string // where the plan goes, empty for none
	total    int    // uploads, where it is known before
	progress *progress
	figures  *page.Collector
	plan     *plan.Writer
	planFile *draft
	handler  *handler.Handler
	began    time.Time
}

// flags adds what every work has.
func (w *work) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.html, "html", "", "write the report as a page to `FILE`")
	cmd.Flags().BoolVarP(&w.quiet, "quiet", "q", false, "write nothing but what went wrong")
}

// begin opens what the outcomes go to, and the handler. It is to be ended.
func (w *work) begin(p handler.Platform) error {
	w.began = time.Now()
	if w.json && w.out == "-" || w.out == "-" && w.html == "-" || w.json && w.html == "-" {
		return usage(errors.New("standard output can take one of the plan, the page and the JSON report"), "name a file for the others")
	}
	w.progress = newProgress(w.err, w.total, w.quiet || w.verbose)
	p.Layer = w.progress.layer
	p.Outcome = func(o mpu.Outcome) {
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
	w.figures = page.NewCollector(w.began, func(store string) float64 { return h.Settings().Price(store).Price })
	if w.out != "" {
		if w.planFile, err = newDraft(w.out, w.console.out); err != nil {
			return err
		}
		w.plan = plan.NewWriter(w.planFile, plan.Header{Made: w.began.UTC().Truncate(time.Second), Requests: w.asked})
	}
	w.progress.start()
	return nil
}

// A result is what a program gets.
type result struct {
	Reports   []*handler.Report `json:"reports"` // one for the requests together, one for each event
	Breakdown page.Breakdown    `json:"breakdown"`
	Prices    []page.Price      `json:"prices"`
}

// end shows what was done, and returns what is left to do.
func (w *work) end(sum summary, reports []*handler.Report, problem error) error {
	w.progress.end()
	errs := []error{problem}
	if w.plan != nil {
		errs = append(errs, w.plan.Close(problem == nil && w.stop.Err() == nil), w.planFile.keep())
	}
	figures := w.figures.Breakdown()
	if w.html != "" {
		errs = append(errs, w.writePage(figures, sum))
	}
	toOut := w.out == "-" || w.html == "-" // what is there is the plan or the page, and nothing else
	switch {
	case w.json:
		enc := json.NewEncoder(w.console.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		errs = append(errs, enc.Encode(result{reports, figures, w.prices(figures)}))
	case w.quiet:
		sum.printProblems(w.err)
	default:
		out := w.console.out
		if toOut {
			out = w.err
		}
		w.show(out, sum, figures)
	}
	return errors.Join(errs...)
}

// show writes what people read.
func (w *work) show(out io.Writer, sum summary, figures page.Breakdown) {
	sum.print(out, w.handler.Settings())
	var more bytes.Buffer
	sum.printExamples(&more)
	if w.mode == "plan" {
		w.showLargest(&more, figures)
	}
	section(out, &more)
	if figures.Total.MonthlyUSD > 0 {
		for _, p := range w.prices(figures) {
			fmt.Fprintf(&more, "  %s at $%v a GB and month: %s\n", p.Store, p.USD, p.Source)
		}
	}
	section(out, &more)
	for _, f := range []struct{ what, name string }{{"plan", w.out}, {"page", w.html}} {
		if f.name != "" && f.name != "-" {
			fmt.Fprintf(&more, "  the %s is in %s\n", f.what, f.name)
		}
	}
	if w.mode == "plan" && w.out != "" && w.out != "-" && figures.Total.Stale > 0 {
		fmt.Fprintf(&more, "  to abort %s: partsweep apply %s\n", page.Count(figures.Total.Stale), w.out)
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
			fmt.Fprintf(out, "  would be aborted: %s, %s, begun %s\n", page.Short(e.Upload), page.Size(e.Bytes), e.Initiated.Format(time.RFC3339))
			shown++
		}
	}
	if more := figures.Total.Stale - shown; more > 0 && shown > 0 {
		fmt.Fprintf(out, "  and %s more\n", page.Count(more))
	}
}

// prices are what the costs of the services that were looked at were worked out with.
func (w *work) prices(figures page.Breakdown) (list []page.Price) {
	for _, name := range mpu.Stores() {
		if slices.ContainsFunc(figures.Services, func(r page.Row) bool { return r.Name == name }) {
			p := w.handler.Settings().Price(name)
			list = append(list, page.Price{Store: name, USD: p.Price, Source: p.Source, Date: p.Date})
		}
	}
	return list
}

func (w *work) writePage(figures page.Breakdown, sum summary) error {
	file, err := newDraft(w.html, w.console.out)
	if err != nil {
		return err
	}
	p := page.Page{Breakdown: figures, Made: w.began, Mode: w.mode, Requests: w.asked, Notes: sum.notes, Failures: sum.failures, Prices: w.prices(figures)}
	if err := p.Write(file); err != nil {
		return err
	}
	return file.keep()
}

// A draft becomes a file when it is whole, so that nothing half written takes the place of what was there. The name - is
// standard output.
type draft struct {
	io.Writer
	file *os.File
	name string
}

func newDraft(name string, stdout io.Writer) (*draft, error) {
	if name == "-" {
		return &draft{Writer: stdout}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return nil, usage(err, "name a file in a folder that can be written to")
	}
	return &draft{f, f, name}, nil
}

// keep gives the draft its name.
func (d *draft) keep() error {
	if d.file == nil {
		return nil
	}
	err := errors.Join(d.file.Chmod(0o644), d.file.Close())
	if err == nil {
		err = os.Rename(d.file.Name(), d.name)
	}
	if err != nil {
		os.Remove(d.file.Name()) // it is of no use to anyone
	}
	return err
}
