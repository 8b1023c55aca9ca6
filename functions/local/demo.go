package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/events"
	"github.com/partsweep/partsweep/shared/handler"
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
		Args:    func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), plan) },
	}
	cmd.Flags().BoolVar(&plan, "dry-run", false, "abort nothing")
	cmd.Flags().BoolVarP(&c.quiet, "quiet", "q", false, "write nothing but what went wrong")
	return cmd
}

// demo shows the whole job on real HTTP traffic: failures that were reported, failures that nobody reported, and
// uploads that only look dead. It then asks the sandbox whether the report told the truth.
func (c *console) demo(ctx context.Context, plan bool) error {
	out := c.out
	if c.quiet {
		out = io.Discard
	}
	w, err := newWorld(ctx, tickAt)
	if err != nil {
		return err
	}
	defer w.Close()
	uploads, before := w.held()
	fmt.Fprintf(out, "partsweep on six services in memory: 127.0.0.1 only, signatures checked, no account.\n\n"+
		"1. Clients uploaded in parts and most of them died: %d left open, %s in parts, over %d requests.\n\n",
		uploads, page.Size(before), len(w.Ledger()))
	mode := "apply"
	if plan {
		mode = "plan"
	}
	h, err := handler.New(w.platform(c, mode))
	if err != nil {
		return err
	}
	failures, err := fs.Glob(events.Files, "partsweep/*.json")
	if err != nil {
		return err
	}
	var all summary
	var errs []error
	tick := []string{"aws/scheduler.json"}
	steps := []struct {
		title   string
		files   []string
		reasons bool
	}{
		{fmt.Sprintf("2. %d reports of a failure arrive (events/partsweep/*.json).", len(failures)), failures, true},
		{"3. The timer ticks (events/aws/scheduler.json) and finds what nobody reported.", tick, true},
		{"4. It ticks again: nothing is left to remove.", tick, false},
	}
	if plan {
		steps = steps[:2]
	}
	for _, step := range steps {
		fmt.Fprintf(out, "%s\n\n", step.title)
		sum, err := handleFiles(ctx, h, step.files)
		errs = append(errs, err)
		sum.print(out, h.Settings())
		fmt.Fprintln(out)
		if step.reasons {
			sum.printExamples(out)
			fmt.Fprintln(out)
		}
		all.merge(sum)
	}
	errs = append(errs, w.verdict(out, all, before))
	return errors.Join(errs...)
}

func handleFiles(ctx context.Context, h *handler.Handler, files []string) (sum summary, _ error) {
	var errs []error
	for _, name := range files {
		event, err := fs.ReadFile(events.Files, name)
		if err != nil {
			return sum, err
		}
		report, err := h.Run(ctx, event)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path.Base(name), err))
		}
		sum.add(report)
	}
	return sum, errors.Join(errs...)
}

// verdict holds the report against what the sandbox itself counted.
func (w *world) verdict(out io.Writer, all summary, before int64) error {
	uploads, after := w.held()
	total := all.total()
	if total.Planned > 0 {
		fmt.Fprintf(out, "A plan: %d would be removed and %s freed. The sandbox still holds all %d uploads, %s.\n",
			total.Planned, page.Size(total.BytesPlanned), uploads, page.Size(after))
	} else {
		fmt.Fprintf(out, "Removed %d, freed %s, which stops about %s a month at list prices.\n"+
			"The sandbox itself counts %s less, and %d uploads left, all of them alive.\n",
			total.Aborted, page.Size(total.BytesFreed), page.Money(all.monthly), page.Size(before-after), uploads)
	}
	if dead := w.killed(); len(dead) > 0 {
		return fmt.Errorf("live uploads were aborted: %q", dead)
	}
	if before-after != total.BytesFreed {
		return fmt.Errorf("the report says %d bytes were freed, the sandbox %d", total.BytesFreed, before-after)
	}
	return nil
}
