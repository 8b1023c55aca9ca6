// Package scenarios tells whole journeys as text: what lies in the stores, what reaches the function, what is left. The
// functions are the binaries that are deployed, each in a process of its own under its platform's runtime protocol; the
// stores are the sandbox's. The journeys are in testdata/script, and README.md lists their words.
package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestScenarios(t *testing.T) {
	binaries := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			w, err := newWorld(binaries)
			if err != nil {
				return err
			}
			env.Values[worldKey{}] = w
			env.Defer(func() {
				if err := w.close(); err != nil {
					env.T().Fatal(err)
				}
			})
			return nil
		},
		Cmds: commands(),
	})
}

// build builds the functions as for deployment, for this machine, into one directory.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for name := range platforms {
		args = append(args, "github.com/partsweep/partsweep/functions/"+name)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// commands are the words of the scenarios, with a line that shows how each is used.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for _, c := range []struct {
		usage string
		may   string // "!" if it can be expected to fail
		least int    // arguments
		run   func(w *world, ts *testscript.TestScript, neg bool, args []string) error
	}{
		{"seed UPLOAD age=AGE [parts=N]", "", 2, (*world).seed},
		{"part UPLOAD age=AGE", "", 2, (*world).part},
		{"complete UPLOAD", "", 1, (*world).complete},
		{"look BUCKET", "", 1, (*world).look},
		{"script SERVICE OPERATION [CODE] [wait=DURATION] [times=N]", "", 3, (*world).script},
		{"requests SERVICE OPERATION|all N", "", 3, (*world).requests},
		{"connections SERVICE [at-most] N", "", 2, (*world).countConnections},
		{"rotate", "", 0, (*world).rotate},
		{"start PLATFORM [FILE] [NAME=VALUE...]", "!", 1, (*world).start},
		{"credentials PLATFORM first|rotated", "", 2, (*world).credentials},
		{"invoke PLATFORM FILE [timeout=DURATION] [deadline=none]", "!", 2, (*world).invoke},
		{"report FIELD=VALUE...", "", 1, (*world).report},
		{"log PLATFORM PATTERN", "", 2, (*world).logged},
	} {
		name, _, _ := strings.Cut(c.usage, " ")
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if len(args) < c.least || neg && c.may != "!" {
				ts.Fatalf("usage: %s", c.usage)
			}
			w := ts.Value(worldKey{}).(*world)
			if err := saidBySandbox(func() error { return c.run(w, ts, neg, args) }); err != nil {
				ts.Fatalf("%v", err)
			}
		}
	}
	return all
}

// saidBySandbox turns a panic of the sandbox, which takes a wrong name for a mistake of the programmer's, into an error: here
// it is a line of a scenario that is wrong, and only that one should fail.
func saidBySandbox(run func() error) (err error) {
	defer func() {
		p := recover()
		if text, ok := p.(string); ok && strings.HasPrefix(text, "sandbox: ") {
			err = errors.New(text)
		} else if p != nil {
			panic(p)
		}
	}()
	return run()
}

// options reads words of the form NAME=VALUE. Every name must be known.
func options(args []string, known ...string) (map[string]string, error) {
	given := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		known := " " + strings.Join(known, " ") + " "
		if !ok || !strings.Contains(known, " "+name+" ") {
			return nil, fmt.Errorf("%q: use %s", arg, cmp.Or(strings.TrimSpace(known), "no options"))
		}
		given[name] = value
	}
	return given, nil
}
