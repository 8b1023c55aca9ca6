package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/events"
	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
)

func (c *console) demoCommand() *cobra.Command {
	plan := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the whole job on six services in memory, with no account",
		Long: `Shows the whole job on six services in memory: 127.0.0.1 only, signatures checked, no account. It then asks the services whether
the report told the truth.`,
		Example: "  partsweep demo\n  partsweep demo --dry-run",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), plan) },
	}
	cmd.Flags().BoolVar(&plan, "dry-run", false, "abort nothing")
	cmd.Flags().BoolVarP(&c.quiet, "quiet", "q", false, "write nothing but what went wrong")
	return cmd
}

// A demonstration is the whole job on real HTTP traffic: failures that were reported, failures that nobody reported, and
// uploads that only look dead. In the end the sandbox is asked whether the report told the truth.
type demonstration struct {
	*world
	handler *handler.Handler
	out     io.Writer
	uploads int   // before anything was done
	bytes   int64 // in their parts
	all     summary
	reports []*handler.Report

	mu      sync.Mutex
	planned map[string]int64 // bytes by upload, of what would be aborted; two requests may name one upload
}

// demo shows it.
func (c *console) demo(ctx context.Context, plan bool) error {
	w, err := newWorld(ctx, tickAt)
	if err != nil {
		return err
	}
	defer w.Close()
	d := &demonstration{world: w, out: c.out, planned: map[string]int64{}}
	if c.quiet || c.json {
		d.out = io.Discard
	}
	d.uploads, d.bytes = w.held()
	fmt.Fprintf(d.out, "partsweep on six services in memory: 127.0.0.1 only, signatures checked, no account.\n\n"+
		"1. Clients uploaded in parts and most of them died: %d left open, %s in parts, over %d requests.\n\n",
		d.uploads, page.Size(d.bytes), len(w.Ledger()))
	p := w.platform(c)
	p.PlanOnly, p.Outcome = plan, d.note
	if d.handler, err = handler.New(p); err != nil {
		return err
	}
	problem := d.show(ctx, c.stop, plan)
	switch {
	case c.stop.Err() != nil:
		uploads, bytes := w.held()
		fmt.Fprintf(d.out, "Interrupted. The sandbox still holds %s, %s.\n", plural(uploads, "upload"), page.Size(bytes))
	default:
		problem = join(problem, d.verdict())
	}
	if c.json {
		return join(problem, d.writeJSON(c.out))
	}
	return problem
}

// note remembers what would be aborted.
func (d *demonstration) note(o mpu.Outcome) {
	if o.Result == mpu.ResultPlanned {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.planned[o.Upload.String()] = o.Bytes
	}
}

// show lets the events arrive, one step after the other, until it is stopped.
func (d *demonstration) show(ctx, stop context.Context, plan bool) error {
	failures, err := fs.Glob(events.Files, "partsweep/*.json")
	if err != nil {
		return err
	}
	tick := []string{"aws/scheduler.json"}
	steps := []struct {
		title   string
		files   []string
		reasons bool
	}{
		{fmt.Sprintf("2. %d reports of a failure arrive (events/partsweep/*.json).", len(failures)), failures, true},
		{"3. The timer ticks (events/aws/scheduler.json) and finds what nobody reported.", tick, true},
		{"4. It ticks again.", tick, false},
	}
	if plan {
		steps = steps[:2]
	}
	var errs []error
	for _, step := range steps {
		if stop.Err() != nil {
			break
		}
		fmt.Fprintf(d.out, "%s\n\n", step.title)
		sum, err := d.deliver(ctx, stop, step.files)
		errs = append(errs, err)
		sum.print(d.out, d.handler.Settings())
		fmt.Fprintln(d.out)
		if step.reasons {
			sum.printExamples(d.out)
			fmt.Fprintln(d.out)
		}
		d.all.merge(sum)
	}
	return join(errs...)
}

// deliver delivers events.
func (d *demonstration) deliver(ctx, stop context.Context, files []string) (sum summary, _ error) {
	var errs []error
	for _, name := range files {
		if stop.Err() != nil {
			break
		}
		event, err := fs.ReadFile(events.Files, name)
		if err != nil {
			return sum, err
		}
		report, err := d.handler.Run(ctx, event)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path.Base(name), err))
		}
		sum.add(report)
		d.reports = append(d.reports, report)
	}
	return sum, join(errs...)
}

// verdict holds the report against what the sandbox itself counted.
func (d *demonstration) verdict() error {
	uploads, after := d.held()
	total := d.all.total()
	if total.Planned > 0 {
		would := int64(0)
		for _, n := range d.planned {
			would += n
		}
		fmt.Fprintf(d.out, "A plan: %d would be removed and %s freed, each counted once. The sandbox still holds all %d uploads, %s.\n",
			len(d.planned), page.Size(would), uploads, page.Size(after))
		if uploads != d.uploads || after != d.bytes {
			return fmt.Errorf("a plan has changed something: %d uploads of %d and %d bytes of %d are left", uploads, d.uploads, after, d.bytes)
		}
		return nil
	}
	living := len(d.alive) - len(d.killed())
	alive := "all of them alive"
	if living != uploads {
		alive = fmt.Sprintf("%d of them alive", living)
	}
	fmt.Fprintf(d.out, "Removed %d, freed %s, which stops about %s a month at list prices.\n"+
		"The sandbox itself counts %s less, and %d uploads left, %s. VOD lists %s besides, whose parts are gone.\n",
		total.Aborted, page.Size(total.BytesFreed), page.Money(d.all.monthly), page.Size(d.bytes-after), uploads, alive,
		plural(d.emptyRecords(), "record"))
	switch dead := d.killed(); {
	case len(dead) > 0:
		return fmt.Errorf("live uploads were aborted: %q", dead)
	case d.bytes-after != total.BytesFreed:
		return fmt.Errorf("the report says %d bytes were freed, the sandbox %d", total.BytesFreed, d.bytes-after)
	case uploads != living:
		return fmt.Errorf("%d uploads are left that are not alive", uploads-living)
	}
	return nil
}

// writeJSON writes the reports, and what the sandbox counted.
func (d *demonstration) writeJSON(out io.Writer) error {
	uploads, bytes := d.held()
	type count struct {
		Uploads int   `json:"uploads"`
		Bytes   int64 `json:"bytes"`
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Reports []*handler.Report `json:"reports"` // one for each event
		Before  count             `json:"before"`  // what the sandbox held
		After   count             `json:"after"`
		Killed  []string          `json:"killed"` // live uploads that are gone
	}{append([]*handler.Report{}, d.reports...), count{d.uploads, d.bytes}, count{uploads, bytes}, append([]string{}, d.killed()...)})
}
