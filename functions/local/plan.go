package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
	"github.com/partsweep/partsweep/shared/plan"
)

func (c *console) planCommand() *cobra.Command {
	w := &work{console: c, mode: toPlan}
	cmd := &cobra.Command{
		Use:   "plan REQUEST...",
		Short: "show what would be aborted, and why; abort nothing",
		Long: `Lists the uploads that the requests name, looks into each that is old enough, and shows what would be aborted, what is kept and
why, and what it costs. Nothing is aborted.`,
		Example: `  partsweep plan 's3://videos?olderThan=7d'
  partsweep plan 's3://videos?olderThan=7d' 'oss://media?region=cn-shanghai' -o plan.jsonl --html plan.html`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, err := w.requests(args)
			if err != nil {
				return err
			}
			if w.out == "" && cmd.Flags().Changed("out") {
				return usage(errors.New("--out is empty, and the plan would be lost"), "name a file, or - for standard output")
			}
			w.asked = args
			return w.do(cmd.Context(), rs)
		},
	}
	cmd.Flags().StringVarP(&w.out, "out", "o", "", "write the plan to `FILE`, an upload a line, for partsweep apply; - is standard output")
	w.flags(cmd)
	return cmd
}

// do plans requests.
func (w *work) do(ctx context.Context, rs []mpu.Request) error {
	if err := w.begin(w.platform(w.mode, rs)); err != nil {
		return err
	}
	report, err := w.handler.Do(ctx, rs)
	var sum summary
	sum.add(report)
	sum.hint(rs)
	return w.end(sum, []*handler.Report{report}, err)
}

func (c *console) applyCommand() *cobra.Command {
	w := &work{console: c, mode: toApply}
	dry := false
	cmd := &cobra.Command{
		Use:   "apply PLAN-FILE",
		Short: "abort what a plan says, after looking again",
		Long: `Aborts the uploads that a plan names, and no others. Each is looked at again: one that something has happened to since the plan's
cutoff is kept, and one that is gone is gone. Lines that you strike out of the file, or whose verdict you change to "keep", are
left alone. It can be repeated. A PLAN-FILE of - is standard input.`,
		Example: `  partsweep apply plan.jsonl
  partsweep apply --dry-run plan.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(errors.New("name one plan"), "make one with partsweep plan -o FILE")
			}
			if strings.Contains(args[0], "://") {
				return usage(fmt.Errorf("%s is a request, and apply takes a plan", quoted(args[0])),
					"make one with partsweep plan -o FILE, or act at once with partsweep run")
			}
			if dry {
				w.mode = toPlan
			}
			return w.apply(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "look again, and abort nothing")
	w.flags(cmd)
	return cmd
}

// mostPlan is the largest plan that is read, some millions of uploads.
const mostPlan = 4 << 30

// apply works off the plan in a file.
func (w *work) apply(ctx context.Context, name string) error {
	text, err := w.readFile(name, mostPlan, "make a plan with partsweep plan -o FILE")
	if err != nil {
		return err
	}
	f, err := plan.Read(text)
	if err != nil {
		return err
	}
	tasks := make([]janitor.Task, len(f.Groups))
	var rs []mpu.Request
	for i, g := range f.Groups {
		tasks[i] = janitor.Task{Request: g.Request, Uploads: g.Uploads}
		rs = append(rs, g.Request)
	}
	if len(tasks) == 0 && !f.End.Complete {
		return errors.New("the plan names no upload to abort, and is not complete: not all that was asked for was looked at; make it again")
	}
	if len(tasks) == 0 {
		switch {
		case w.json:
			nothing := page.NewCollector(time.Now(), nil).Breakdown()
			return w.writeResult(result{[]*handler.Report{}, nothing, []page.Price{}})
		case !w.quiet:
			fmt.Fprintln(w.console.out, "The plan names no upload to abort.")
		}
		return nil
	}
	w.asked, w.total = f.Header.Requests, f.Abort
	size, made := page.Size(f.Bytes), "made "+roughly(time.Since(f.Header.Made))+" ago"
	if f.Unknown > 0 && f.Bytes == 0 {
		size = "of unknown size"
	}
	if f.Header.Made.After(time.Now().Add(time.Minute)) {
		made = "made at " + f.Header.Made.Format(time.RFC3339) + ", which is still to come by this machine's clock"
	}
	w.intro = fmt.Sprintf("A plan of %s, %s, %s.", plural(f.Abort, "upload"), size, made)
	if !f.End.Complete {
		w.intro += " It is not complete: not all that was asked for was looked at then."
	}
	w.read = []string{name}
	if err := w.begin(w.platform(w.mode, rs)); err != nil {
		return err
	}
	report, err := w.handler.ApplyPlan(ctx, tasks)
	if report == nil {
		w.abandon()
		return err
	}
	var sum summary
	sum.add(report)
	return w.end(sum, []*handler.Report{report}, err)
}
