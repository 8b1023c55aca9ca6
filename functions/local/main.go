// Command local is partsweep by hand: a demonstration with no account, and requests and event files on the sandbox or on
// real clouds.
//
//	go run ./functions/local                            the demonstration
//	go run ./functions/local 's3://media-in?olderThan=1d'        a request, on the sandbox
//	go run ./functions/local events/aws/scheduler.json           an event, on the sandbox
//	go run ./functions/local -live -plan 's3://videos?olderThan=7d'   on real clouds
//
// The exit status is 0 if nothing is left to do, 1 if something is, and 2 if the command line is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
)

const usage = `usage: partsweep [-live] [-plan] [-v] [REQUEST | EVENT-FILE]...

Without an argument: a demonstration on six services in memory. No account, no network but 127.0.0.1.

  REQUEST     s3://bucket?olderThan=2d                       a sweep
              s3://bucket?prefix=raw/&olderThan=2d           of what lies under a prefix
              s3://bucket/key?uploadId=ID&before=TIME        one upload
  EVENT-FILE  a file with an event, as a platform delivers it; - is standard input

They act on the demonstration's sandbox, or with -live on real clouds.

`

func main() {
	handler.SetUp()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// options are the command line.
type options struct {
	live, plan, verbose bool
	args                []string
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (exit int) {
	o, err := parseArgs(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "partsweep:", err)
		return 2
	}
	logs := io.Discard
	if o.verbose {
		logs = stderr
	}
	switch {
	case len(o.args) == 0:
		err = demonstrate(ctx, stdout, logs, o.plan)
	case o.live:
		err = act(ctx, o, livePlatform(o, environ, logs), stdout)
	default:
		err = actOnSandbox(ctx, o, stdout, logs)
	}
	if err != nil {
		fmt.Fprintln(stderr, "partsweep:", brief(err))
		if mpu.KindOf(err) == mpu.Invalid {
			return 2
		}
		return 1
	}
	return 0
}

// brief leaves out what the report has already said.
func brief(err error) string {
	if unfinished := janitor.UnfinishedError(""); errors.As(err, &unfinished) {
		text, _, _ := strings.Cut(unfinished.Error(), "; first: ")
		return text + ", as said above"
	}
	return err.Error()
}

func parseArgs(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.live, "live", false, "act on real clouds, with the settings and credentials of the environment")
	flags.BoolVar(&o.plan, "plan", false, "show what would be done, and do nothing")
	flags.BoolVar(&o.verbose, "v", false, "write the log, one JSON object a line, to standard error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.args = flags.Args()
	for _, a := range o.args {
		if strings.HasPrefix(a, "-") && a != "-" {
			return o, fmt.Errorf("flag %s stands behind an argument; put flags first", a)
		}
	}
	if o.live && len(o.args) == 0 {
		return o, errors.New("-live needs a REQUEST or an EVENT-FILE")
	}
	return o, nil
}

// act works the arguments off and prints one table. Requests are read before anything is sent, so that a typing error in
// the last one stops the first.
func act(ctx context.Context, o options, p handler.Platform, stdout io.Writer) error {
	var requests []mpu.Request
	var files [][]byte
	for _, arg := range o.args {
		if strings.Contains(arg, "://") {
			r, err := mpu.Parse(arg)
			if err != nil {
				return err
			}
			requests = append(requests, r)
			continue
		}
		event, err := readEvent(arg)
		if err != nil {
			return err
		}
		files = append(files, event)
	}
	h, err := handler.New(p)
	if err != nil {
		return err
	}
	var sum summary
	var errs []error
	if len(requests) > 0 {
		report, err := h.Do(ctx, requests, o.plan)
		errs = append(errs, err)
		sum.add(report)
	}
	for _, event := range files {
		report, err := h.Run(ctx, event)
		errs = append(errs, err)
		sum.add(report)
	}
	sum.print(stdout, h.Settings())
	fmt.Fprintln(stdout)
	sum.printExamples(stdout)
	sum.printHints(stdout, requests)
	return errors.Join(errs...)
}

// mostEvent is the largest event file that is read: more than any platform delivers.
const mostEvent = 16 << 20

func readEvent(name string) ([]byte, error) {
	in := io.Reader(os.Stdin)
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
