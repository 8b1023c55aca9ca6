package scenarios

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/transcript"
)

// platforms are the hosts of the functions, by the name of the function's folder.
var platforms = map[string]func() (runtimes.Host, error){
	"lambda": func() (runtimes.Host, error) { return runtimes.StartLambda() },
	"fc":     func() (runtimes.Host, error) { return runtimes.StartFC() },
	"scf":    func() (runtimes.Host, error) { return runtimes.StartSCF() },
}

const (
	startTime = 30 * time.Second // for a process to ask for its first event
	callTime  = time.Minute      // for a call that says nothing else
	logTime   = 10 * time.Second // for what a process wrote to arrive
	stopTime  = 5 * time.Second  // between SIGTERM and SIGKILL
)

// A function is a binary that runs under its host.
type function struct {
	host   runtimes.Host
	role   runtimes.Credentials // that the host hands over with the next call
	log    output
	errors output
	alive  context.Context // ends with the process, and says why
	end    context.CancelFunc
	ended  chan struct{}
}

// output is what a process wrote so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start starts a function under its platform's host, with settings. It is ready when it asks for an event.
func (w *world) start(ts *testscript.TestScript, neg bool, args []string) error {
	name := args[0]
	open := platforms[name]
	if open == nil || w.functions[name] != nil {
		return fmt.Errorf("no platform %s, or it runs already", name)
	}
	settings, err := readSettings(ts, args[1:])
	if err != nil {
		return err
	}
	host, err := open()
	if err != nil {
		return err
	}
	f := &function{host: host, role: firstRole, ended: make(chan struct{})}
	env := append(append(host.Environ(firstRole), w.environment()...), settings...)
	if err := f.run(filepath.Join(w.binaries, name), env); err != nil {
		return errors.Join(err, host.Close())
	}
	w.functions[name] = f
	ctx, cancel := context.WithTimeout(f.alive, startTime)
	defer cancel()
	err = host.Ready(ctx)
	fmt.Fprint(ts.Stderr(), f.errors.String())
	switch {
	case neg && err == nil:
		return errors.New("it started")
	case neg:
		delete(w.functions, name)
		return errors.Join(f.stop(), f.refused(err))
	}
	return err
}

// refused is nil if the process ended by itself, with an exit status that says so.
func (f *function) refused(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return nil
	}
	return err
}

// readSettings returns settings, which stand in the line, or in a file with a line for each.
func readSettings(ts *testscript.TestScript, args []string) (settings []string, err error) {
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			settings = append(settings, arg)
			continue
		}
		text, err := os.ReadFile(ts.MkAbs(arg))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				settings = append(settings, os.Expand(line, credential))
			}
		}
	}
	return settings, nil
}

// credential returns one of the sandbox's first credentials by its name in a file of settings. They are no variables of the
// scenario, because those are written down where it runs.
func credential(name string) string {
	return map[string]string{"ACCESS_KEY_ID": firstRole.AccessKeyID, "SECRET_ACCESS_KEY": firstRole.SecretAccessKey}[name]
}

// environment says where the stores are.
func (w *world) environment() (env []string) {
	for _, s := range sandbox.Services {
		name := "PARTSWEEP_" + strings.ToUpper(string(s))
		env = append(env, name+"_ENDPOINT="+w.URL(s))
		if s == sandbox.S3 || s == sandbox.OBS || s == sandbox.OSS {
			env = append(env, name+"_PATH_STYLE=true")
		}
	}
	return env
}

// run starts the process. Its environment is what it is given and nothing else.
func (f *function) run(path string, env []string) error {
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, transcript.To(&f.log, path), transcript.To(&f.errors, path)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		stop()
		return err
	}
	alive, died := context.WithCancelCause(context.Background())
	f.alive, f.end = alive, stop
	go func() {
		err := cmp.Or(cmd.Wait(), errors.New("exit status 0"))
		died(fmt.Errorf("the process ended: %w\n%s", err, &f.errors))
		close(f.ended)
	}()
	return nil
}

// stop ends the process, and then its host. No secret may be in what the process has written.
func (f *function) stop() error {
	f.end()
	<-f.ended
	err := f.host.Close()
	if leaked := secret(f.log.String() + f.errors.String()); leaked != "" {
		err = errors.Join(err, fmt.Errorf("%q is in the log", leaked))
	}
	return err
}

// credentials says which credentials a platform hands over from now on.
func (w *world) credentials(_ *testscript.TestScript, _ bool, args []string) error {
	f := w.functions[args[0]]
	role, ok := map[string]runtimes.Credentials{"first": firstRole, "rotated": rotatedRole}[args[1]]
	if f == nil || !ok {
		return fmt.Errorf("%s does not run, or there are no credentials %s", args[0], args[1])
	}
	f.role = role
	return nil
}

// invoke hands an event to a function. A call that is expected to fail must fail by the function's own report, and not
// by a timeout or the end of the process.
func (w *world) invoke(ts *testscript.TestScript, neg bool, args []string) error {
	f := w.functions[args[0]]
	if f == nil {
		return fmt.Errorf("%s does not run", args[0])
	}
	call, err := f.call(args[2:])
	if err != nil {
		return err
	}
	event, err := readEvent(ts.MkAbs(args[1]))
	if err != nil {
		return err
	}
	w.result, err = f.host.Invoke(f.alive, event, call)
	var reported *runtimes.FunctionError
	if errors.As(err, &reported) {
		fmt.Fprintln(ts.Stderr(), reported)
	}
	fmt.Fprintln(ts.Stdout(), string(w.result))
	transcript.Keep(args[0], fmt.Appendln(w.result, err))
	if leaked := secret(string(w.result) + fmt.Sprint(err)); leaked != "" {
		return fmt.Errorf("%q is in the result or the error", leaked)
	}
	switch {
	case neg && err == nil:
		return errors.New("the function reported no error")
	case neg && reported != nil:
		return nil
	}
	return err
}

// call is what the platform says beside the event.
func (f *function) call(args []string) (runtimes.Call, error) {
	call := runtimes.Call{Timeout: callTime, Credentials: f.role}
	given, err := options(args, "timeout", "deadline")
	if err != nil {
		return call, err
	}
	if given["timeout"] != "" {
		if call.Timeout, err = time.ParseDuration(given["timeout"]); err != nil {
			return call, err
		}
	}
	if d := given["deadline"]; d != "" && d != "none" {
		return call, fmt.Errorf("deadline %q: use none", d)
	}
	call.NoDeadline = given["deadline"] == "none"
	return call, nil
}

// relative is a time in an event: <now>, or <72h ago>.
var relative = regexp.MustCompile(`<(now|\w+ ago)>`)

// readEvent reads an event and puts in the times.
func readEvent(path string) ([]byte, error) {
	event, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	event = relative.ReplaceAllFunc(event, func(word []byte) []byte {
		at := time.Now()
		if age, ok := strings.CutSuffix(strings.Trim(string(word), "<>"), " ago"); ok {
			var bad error
			if at, bad = ago(age); bad != nil {
				err = errors.Join(err, bad)
			}
		}
		return []byte(at.UTC().Format(time.RFC3339))
	})
	return bytes.TrimSpace(event), err
}

// secret returns the first secret that stands in a text.
func secret(text string) string {
	for _, c := range []runtimes.Credentials{firstRole, rotatedRole} {
		for _, s := range []string{c.SecretAccessKey, c.SessionToken} {
			if strings.Contains(text, s) {
				return s
			}
		}
	}
	return ""
}

// report checks fields of the report that the last call returned: those of its totals by their name alone.
func (w *world) report(_ *testscript.TestScript, _ bool, args []string) error {
	var report map[string]any
	d := json.NewDecoder(bytes.NewReader(w.result))
	d.UseNumber()
	if err := d.Decode(&report); err != nil {
		return fmt.Errorf("the result is no report: %w", err)
	}
	for _, arg := range args {
		name, want, _ := strings.Cut(arg, "=")
		got := field(report, "totals."+name)
		if got == nil {
			got = field(report, name)
		}
		if fmt.Sprint(got) != want {
			return fmt.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	return nil
}

// field returns what is at a path of names with dots between them.
func field(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// logged waits until a function has written a line that matches: what it wrote before it answered may come after that.
func (w *world) logged(_ *testscript.TestScript, _ bool, args []string) error {
	f := w.functions[args[0]]
	if f == nil {
		return fmt.Errorf("%s does not run", args[0])
	}
	pattern, err := regexp.Compile("(?m)" + strings.Join(args[1:], " "))
	if err != nil {
		return err
	}
	for end := time.Now().Add(logTime); !pattern.MatchString(f.log.String()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("no match of %q in\n%s", pattern, &f.log)
		}
	}
	return nil
}
