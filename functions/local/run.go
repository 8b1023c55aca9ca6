package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
)

func (c *console) runCommand() *cobra.Command {
	w := &work{console: c, mode: "apply"}
	dry := false
	cmd := &cobra.Command{
		Use:   "run REQUEST|EVENT-FILE...",
		Short: "act on requests, or on events as a platform delivers them",
		Long: `Does at once what a function would do with the request or the event: stale uploads are aborted. An EVENT-FILE is a file with an
event, as a platform delivers it; - is standard input. PARTSWEEP_MODE=plan makes it plan only.`,
		Example: `  partsweep run 's3://videos?olderThan=7d'
  partsweep run --dry-run event.json
  aws sqs receive-message … | partsweep run -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("a request or an event file is missing"), "write one, as in 's3://videos?olderThan=7d'")
			}
			if dry {
				w.mode = "plan"
			}
			w.asked = args
			return w.act(cmd, args, dry)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be done, and do nothing")
	w.flags(cmd)
	return cmd
}

// act works the arguments off. All are read before anything is sent.
func (w *work) act(cmd *cobra.Command, args []string, dry bool) error {
	var rs []mpu.Request
	var files [][]byte
	for _, arg := range args {
		if strings.Contains(arg, "://") {
			r, err := mpu.Parse(arg)
			if err != nil {
				return err
			}
			rs = append(rs, r)
			continue
		}
		event, err := w.readEvent(arg)
		if err != nil {
			return err
		}
		files = append(files, event)
	}
	p := w.platform(w.mode, rs)
	if err := w.begin(p); err != nil {
		return err
	}
	var sum summary
	var reports []*handler.Report
	var errs []error
	done := func(r *handler.Report, err error) {
		sum.add(r)
		reports, errs = append(reports, r), append(errs, err)
	}
	if len(rs) > 0 {
		done(w.handler.Do(cmd.Context(), rs, dry))
		sum.hint(rs)
	}
	for _, event := range files {
		done(w.handler.Run(cmd.Context(), event))
	}
	for event, ok := w.queue.Next(); ok; event, ok = w.queue.Next() {
		if w.stop.Err() != nil {
			sum.leave(event)
			continue
		}
		done(w.handler.Run(cmd.Context(), event))
	}
	return w.end(sum, reports, errors.Join(errs...))
}

// mostEvent is the largest event file that is read: more than any platform delivers.
const mostEvent = 16 << 20

func (c *console) readEvent(name string) ([]byte, error) {
	in := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &mpu.Error{Kind: mpu.Invalid, Op: "argument", Err: err, Hint: "an event file, or a request such as s3://bucket?olderThan=2d"}
		}
		defer f.Close()
		in = f
	}
	event, err := io.ReadAll(io.LimitReader(in, mostEvent+1))
	if err == nil && len(event) > mostEvent {
		err = fmt.Errorf("%s is larger than %d bytes", name, mostEvent)
	}
	return event, err
}
