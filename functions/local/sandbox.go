package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/page"
)

func (c *console) sandboxCommand() *cobra.Command {
	more := 0
	cmd := &cobra.Command{
		Use:   "sandbox [COMMAND [ARGUMENT...]]",
		Short: "a shell in which the clouds are in memory",
		Long: `Starts the six services in memory, on 127.0.0.1, with buckets that clients have left uploads in, and a shell, or a command, in which
partsweep acts on them. No account is needed, and nothing leaves this machine. They end with the shell.`,
		Example: `  partsweep sandbox
  partsweep sandbox --uploads 5000 partsweep plan 's3://*' --html page.html`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.sandbox(cmd.Context(), more, args) },
	}
	cmd.Flags().SetInterspersed(false) // what stands behind the command is the command's
	cmd.Flags().Var(&number{value: &more, most: mostMore}, "uploads", "put so `MANY` more abandoned uploads into s3://media-in")
	return cmd
}

// sandbox runs a command in an environment whose clouds are in memory, and returns its exit status as an error.
func (c *console) sandbox(ctx context.Context, more int, args []string) error {
	w, err := newWorld(ctx, time.Now())
	if err != nil {
		return err
	}
	defer w.Close()
	if more >= 100_000 {
		fmt.Fprintf(c.err, "Putting %s uploads into the sandbox.\n", page.Count(more))
	}
	w.addMany(c.stop, more)
	bin, err := selfOnPath()
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if c.stop.Err() != nil {
		return nil
	}
	if len(args) == 0 {
		fmt.Fprintf(c.err, "Six services in memory, on 127.0.0.1, until this shell ends. Buckets:\n  %s\n"+
			"Try: partsweep plan 's3://*'\nA client reports an upload that failed:\n  echo %s | partsweep run -\n",
			strings.Join(w.buckets(), "\n  "), quoted(w.failure()))
		args = []string{cmp.Or(os.Getenv("SHELL"), "sh")}
	}
	environ := w.environ(c.environ, bin)
	command := exec.Command(args[0], args[1:]...)
	if args[0] == "partsweep" {
		command = exec.Command(filepath.Join(bin, args[0]), args[1:]...)
	}
	command.Env, command.Stdin, command.Stdout, command.Stderr = environ, c.in, c.terminal, c.err
	// Ctrl-C is for the command, and the services end when that does. The signal is caught and not ignored: what is ignored here would
	// be ignored there. Who ends this process with SIGTERM means the command as well, and does not reach it.
	signal.Stop(c.signals)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	defer close(caught)
	defer signal.Stop(caught)
	if err = command.Start(); err == nil {
		go func() {
			for s := range caught {
				if s == syscall.SIGTERM {
					command.Process.Signal(s)
				}
			}
		}()
		err = command.Wait()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return exitError(128 + int(s.Signal())) // as a shell says it
		}
		return exitError(exit.ExitCode())
	case err != nil:
		return usage(err, "name a command that there is")
	}
	return nil
}

// selfOnPath makes a folder in which this program is called partsweep, however it was started.
func selfOnPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "partsweep-")
	if err != nil {
		return "", err
	}
	return dir, os.Symlink(self, filepath.Join(dir, "partsweep"))
}

// environ is an environment in which partsweep acts on the world, and finds nobody's credentials but the world's.
func (w *world) environ(outer []string, bin string) []string {
	env := slices.DeleteFunc(slices.Clone(outer), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return name == "PATH" || slices.ContainsFunc([]string{handler.Prefix, "AWS_", "ALIBABA_CLOUD_", "TENCENTCLOUD_", "OBS_"},
			func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	env = append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return append(env, w.settings()...)
}
