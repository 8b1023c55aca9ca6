package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
)

func (c *console) runCommand() *cobra.Command {
	w := &work{console: c, mode: toApply}
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
				w.mode = toPlan
			}
			w.asked = args
			return w.act(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be done, and do nothing")
	w.flags(cmd)
	return cmd
}

// act works the arguments off. All are read before anything is sent.
func (w *work) act(cmd *cobra.Command, args []string) error {
	var rs []mpu.Request
	var files [][]byte
	for _, arg := range args {
		if strings.Contains(arg, "://") {
			r, err := w.request(arg)
			if err != nil {
				return err
			}
			if !slices.Contains(rs, r) {
				rs = append(rs, r)
			}
			continue
		}
		event, err := w.readEvent(arg)
		if err != nil {
			return err
		}
		files = append(files, event)
		w.read = append(w.read, arg)
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
		done(w.handler.Do(cmd.Context(), rs))
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
	return w.end(sum, reports, join(errs...))
}

// mostEvent is the largest event file that is read: more than any platform delivers.
const mostEvent = 16 << 20

func (c *console) readEvent(name string) ([]byte, error) {
	event, err := c.readFile(name, mostEvent, "an event file, or a request such as 's3://bucket?olderThan=2d', can stand here")
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(event), []byte(`{"plan":`)) {
		return nil, usage(fmt.Errorf("%s is a plan", name), "apply it with partsweep apply "+quoted(name))
	}
	if err == nil && !readable(event) {
		err = usage(fmt.Errorf("%s is neither an event nor a request", name), "an event is JSON, and a request is as in s3://bucket?olderThan=2d")
	}
	return event, err
}

// readable reports whether a text may be an event: JSON, or requests in the notation. It keeps what is neither from being
// reported as a request that nobody wrote.
func readable(event []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(event, []byte("\ufeff")))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	return len(text) == 0 || bytes.IndexByte([]byte(`{["`), text[0]) >= 0 || bytes.Contains(first, []byte("://"))
}

// readFile reads what is named by an argument. The name - is standard input.
func (c *console) readFile(name string, most int64, hint string) ([]byte, error) {
	in := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage(fmt.Errorf("cannot read %s: %w", name, bare(err)), hint)
		}
		defer f.Close()
		in = f
	}
	text, err := interruptibly(c, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, most+1)) })
	if c.stop.Err() != nil {
		return nil, errors.New("interrupted; nothing was done")
	}
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it is larger than %d bytes", most)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("cannot read %s: %w", name, bare(err)), hint)
	}
	return text, nil
}
