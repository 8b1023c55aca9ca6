// Command local is partsweep by hand: it shows what failed uploads have left behind, explains what the rules say of one, acts
// on a plan, and looks after lifecycle rules. A sandbox of the clouds in memory lets anyone try it.
//
//	go run ./functions/local                                     the demonstration
//	go run ./functions/local plan 's3://videos?olderThan=7d'     what would be aborted on real clouds
//	go run ./functions/local sandbox                             a shell in which the clouds are in memory
//
// The exit status is 0 if nothing is left to do, 1 if something is, 2 if the command line or a setting is wrong, and 130 if it
// was interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/relay"
)

func main() {
	handler.SetUp()
	c := &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(c.run(context.Background(), os.Args[1:]))
}

// A console is where a command is typed: what it reads and writes, and what its flags say.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	terminal io.Writer // what out was at first, for a command that is to see it

	stop                 context.Context // done once Ctrl-C has been pressed
	signals              chan os.Signal
	queue                relay.Local
	verbose, quiet, json bool
}

// run runs a command line and returns the exit status.
func (c *console) run(ctx context.Context, args []string) (exit int) {
	ctx, cancel := c.interruptible(ctx)
	defer cancel()
	c.terminal = c.out
	out := &checked{w: c.out}
	c.out = out
	root := c.root()
	root.SetArgs(append([]string{}, args...)) // nil would be the process's own
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	refuseUnknown(root) // they remember where the root writes
	// A reader that has gone away is an error of the write, and not the end of this process: drafts are to be taken back.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	err := root.ExecuteContext(ctx)
	if errors.Is(out.err, syscall.EPIPE) {
		return 128 + int(syscall.SIGPIPE) // as if it had been ended by the signal, and as silent
	}
	if out.err != nil {
		err = join(err, fmt.Errorf("cannot write to standard output: %w", bare(out.err)))
	}
	if status := (exitError)(0); errors.As(err, &status) {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(c.err, "partsweep:", brief(err))
	}
	switch {
	case c.stop.Err() != nil:
		return 130
	case err == nil:
		return 0
	case mpu.KindOf(err) == mpu.Invalid:
		return 2
	}
	return 1
}

// checked remembers the first error of a writer, which what prints does not look at.
type checked struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (c *checked) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// interruptible makes the first Ctrl-C stop cleanly, and the second at once.
func (c *console) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop, stopped := context.WithCancel(ctx)
	c.stop = stop
	ended := make(chan struct{})
	signals := make(chan os.Signal, 2)
	c.signals = signals
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		fmt.Fprintln(c.err, "\npartsweep: stopping; what is being changed is finished first (once more stops at once)")
		stopped()
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			return
		}
		select {
		case <-ended:
		case <-time.After(grace):
			os.Exit(130) // it hangs where no context reaches, such as a pipe that nobody opens
		}
	}()
	return ctx, func() { signal.Stop(signals); stopped(); cancel(); close(ended) }
}

// grace is how long a command that was interrupted twice may take to end.
const grace = 3 * time.Second

// interruptibly reads what a person or another process has to give, and does not wait for it once Ctrl-C has been pressed.
func interruptibly[T any](c *console, read func() (T, error)) (T, error) {
	type result struct {
		got T
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := read()
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-c.stop.Done():
		return *new(T), errors.New("interrupted")
	}
}

func (c *console) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "partsweep",
		Short: "finds what failed multipart uploads have left behind, and removes it",
		Long: `partsweep finds the parts that failed multipart uploads leave behind, which are billed and shown by no listing of
objects, and removes them. It looks at AWS S3 and what speaks it, Tencent COS, Huawei OBS, Alibaba OSS and Alibaba VOD.

Without an argument it shows all that on six services in memory: no account, no network but 127.0.0.1.`,
		Example: `  partsweep plan 's3://videos?olderThan=7d' -o plan.jsonl   what would be aborted, and why
  partsweep explain 's3://videos/raw/a.mxf'                 what is known of one upload
  partsweep apply plan.jsonl                                abort what the plan says, after looking again
  partsweep lifecycle s3://videos                           is there a rule that would do it?
  partsweep sandbox                                         try all of this on clouds in memory`,
		Args:          noArgs,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return c.writeVersion()
			}
			return c.demo(cmd.Context(), false)
		},
	}
	root.Flags().BoolVar(&version, "version", false, "say which version this is")
	flags := root.PersistentFlags()
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "write the log, one JSON object a line, to standard error")
	flags.BoolVar(&c.json, "json", false, "write the report as JSON")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(err, "see "+cmd.CommandPath()+" --help")
	})
	root.AddCommand(c.planCommand(), c.applyCommand(), c.runCommand(), c.explainCommand(), c.lifecycleCommand(), c.sandboxCommand(),
		c.demoCommand(), c.versionCommand())
	root.SetHelpTemplate(helpTemplate)
	return root
}

// refuseUnknown makes the two commands that the library adds refuse what they do not know, as all others do.
func refuseUnknown(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args = nil
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
			}
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usage(fmt.Errorf("no completion for %q", args[0]), "there is bash, zsh, fish and powershell")
				}
				return cmd.Help()
			}
		case "help":
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				topic, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return noArgs(root, args)
				}
				topic.InitDefaultHelpFlag()
				return topic.Help()
			}
		}
	}
}

// helpTemplate is cobra's, with what no command can say of itself behind it.
const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}{{if not .HasParent}}
A REQUEST is s3://bucket?olderThan=2d, s3://bucket?prefix=raw/&olderThan=2d or s3://bucket/key?uploadId=ID; the other services are
cos://, obs://, oss:// and vod://region. Quote it: an unquoted & ends a command. Settings and credentials come from the
environment: PARTSWEEP_…, and what each vendor's own tools read; README.md lists them.

The exit status is 0 if nothing is left to do, 1 if something is, 2 if the command line or a setting is wrong, 130 if interrupted.
{{end}}`

// usage is an error about what was typed, with what to type instead.
func usage(err error, hint string) error { return fmt.Errorf("%w%w; %s", err, usageError{}, hint) }

// A usageError makes an error one that is about what was typed, and adds no word to it.
type usageError struct{}

// Error returns nothing.
func (usageError) Error() string { return "" }

// Unwrap gives it its kind.
func (usageError) Unwrap() error { return mpu.Invalid }

// noArgs refuses arguments of a command that takes none, and says what was probably meant.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasParent():
		return usage(fmt.Errorf("unexpected %q", args[0]), cmd.CommandPath()+" takes no arguments")
	case strings.Contains(args[0], "://"):
		return usage(fmt.Errorf("unexpected %q", args[0]), "say what to do with it: partsweep plan, run, explain or lifecycle, and the request")
	}
	hint := "see partsweep --help"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "is it partsweep " + strings.Join(near, " or ") + "?"
	}
	return usage(fmt.Errorf("no such command: %q", args[0]), hint)
}

// requests reads arguments that must all be requests, before anything is sent, so that a typing error in the last one stops
// the first.
func (c *console) requests(args []string) ([]mpu.Request, error) {
	if len(args) == 0 {
		return nil, usage(errors.New("a request is missing"), "write one, as in the examples of --help")
	}
	var all []mpu.Request
	for _, arg := range args {
		r, err := c.request(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, r) { // asked twice is asked once
			all = append(all, r)
		}
	}
	return all, nil
}

// request reads one. Where it is must be said of a bucket that nothing else says it of.
func (c *console) request(arg string) (mpu.Request, error) {
	r, err := mpu.Parse(arg)
	if err != nil {
		return r, err
	}
	switch store := r.Bucket.Store; {
	case store == "s3" || r.Bucket.Region != "" || r.Bucket.Name == mpu.AnyBucket || setting(c.environ, "BUCKETS") != "" ||
		setting(c.environ, strings.ToUpper(store)+"_REGION") != "":
		return r, nil
	}
	r.Bucket.Region = "REGION"
	return r, usage(fmt.Errorf("%s: %s cannot be asked where a bucket is", quoted(arg), r.Bucket.Store), "write "+quoted(r.String()))
}

// several are errors of which each is one line.
type several []error

// join returns those of the errors that are some: none, the one, or several.
func join(errs ...error) error {
	var all several
	for _, err := range errs {
		if more, ok := err.(several); ok {
			all = append(all, more...)
		} else if err != nil {
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// Error returns the lines.
func (s several) Error() string { return errors.Join(s...).Error() }

// Unwrap shows them all.
func (s several) Unwrap() []error { return s }

// brief leaves out what the report has already said.
func brief(err error) string {
	if all, ok := err.(several); ok {
		var texts []string
		for _, err := range all {
			texts = append(texts, brief(err))
		}
		return strings.Join(texts, "\npartsweep: ")
	}
	if unfinished := janitor.UnfinishedError(""); errors.As(err, &unfinished) {
		text, _, _ := strings.Cut(unfinished.Error(), "; first: ")
		return text + ", as said above"
	}
	return err.Error()
}

// An exitError is the exit status of another command, which has said itself what went wrong.
type exitError int

// Error returns the status.
func (e exitError) Error() string { return fmt.Sprint("exit status ", int(e)) }
