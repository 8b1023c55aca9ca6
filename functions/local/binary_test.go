package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built builds the command: what concerns its own standard output and its end can only be seen from outside.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "partsweep")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// What stands in the file that standard output goes to is not lost to a plan that goes there too.
func TestPlanToStandardOutputByName(t *testing.T) {
	bin := built(t)
	_, environ := inWorld(t, 0)
	for _, name := range []string{"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"} {
		if _, err := os.Stat("/proc/self/fd/1"); err != nil {
			t.Skip("no /proc here")
		}
		log := filepath.Join(t.TempDir(), "log")
		f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("precious\n")
		cmd := exec.Command(bin, "plan", "s3://media-in", "-o", name)
		cmd.Env, cmd.Stdout = environ, f
		err = cmd.Run()
		f.Close()
		text, _ := os.ReadFile(log)
		if err != nil || !bytes.HasPrefix(text, []byte("precious\n")) || !bytes.Contains(text, []byte(`{"end":true`)) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// Whoever reads no further costs neither an error's text nor a draft that is left behind.
func TestClosedPipe(t *testing.T) {
	bin := built(t)
	_, environ := inWorld(t, 0)
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file); exit != 0 {
		t.Fatal(out, errs)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var errs bytes.Buffer
	cmd := exec.Command(bin, "apply", "--dry-run", "--html", filepath.Join(dir, "page.html"), file)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, w, &errs
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) || errs.Len() > 0 {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	names, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// Whoever ends the sandbox ends what runs in it, and nothing is left.
func TestSandboxTerminated(t *testing.T) {
	bin := built(t)
	dir := t.TempDir()
	cmd := exec.Command(bin, "sandbox", "sh", "-c", "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var out bytes.Buffer
	ready := make(chan struct{})
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		n, err := out.Write(p)
		if strings.Contains(out.String(), "ready") {
			select {
			case <-ready:
			default:
				close(ready)
			}
		}
		return n, err
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		t.Fatal("it does not start")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 || !strings.Contains(out.String(), "told") {
		t.Errorf("exit %d\n%s", code, &out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "partsweep-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
