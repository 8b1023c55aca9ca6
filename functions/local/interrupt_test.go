package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// interrupt is Ctrl-C for this process.
func interrupt() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		self.Signal(os.Interrupt)
	}
}

// A stopper sends this process Ctrl-C once something has been printed.
type stopper struct {
	mu   sync.Mutex
	text bytes.Buffer
	at   string
	done bool
}

func (s *stopper) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if !s.done && strings.Contains(s.text.String(), s.at) {
		s.done = true
		interrupt()
		time.Sleep(50 * time.Millisecond) // it is delivered
	}
	return len(p), nil
}

func (s *stopper) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// never is a person who does not answer.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }

// Ctrl-C writes no rule: not to a bucket whose turn has not come, and not behind a question.
func TestLifecycleInterrupted(t *testing.T) {
	rules := func(environ []string) int {
		_, out, _ := invoke(t, environ, "lifecycle", "--json", "s3://media-in", "obs://media-obs")
		return strings.Count(out, `"covered":true`)
	}
	for _, tt := range []struct {
		name, at string
		in       io.Reader
		args     []string
	}{
		{"before it is written", "to be added", strings.NewReader(""), []string{"--yes"}},
		{"at the question", "write it?", never{}, nil},
		{"at the question, and yes", "write it?", strings.NewReader("y\n"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, environ := inWorld(t, 0)
			before := rules(environ)
			out := &stopper{at: tt.at}
			c := &console{in: tt.in, out: out, err: io.Discard, environ: environ}
			exit := c.run(t.Context(), append([]string{"lifecycle", "--install", "s3://media-in", "obs://media-obs"}, tt.args...))
			if after := rules(environ); exit != 130 || after != before || strings.Contains(out.String(), "written, and read back") {
				t.Errorf("exit %d, %d buckets are covered, %d were\n%s", exit, after, before, out)
			}
		})
	}
}

// What is typed without --install is not to be lost silently.
func TestLifecycleFlagsOfInstall(t *testing.T) {
	_, environ := inWorld(t, 0)
	for _, args := range [][]string{{"--yes"}, {"--days", "14"}} {
		exit, out, errs := invoke(t, environ, append([]string{"lifecycle", "s3://media-in"}, args...)...)
		if exit != 2 || !strings.Contains(errs, "--install") {
			t.Errorf("%v: exit %d\n%s%s", args, exit, out, errs)
		}
	}
}

// A plan or an event on standard input that does not come does not hold Ctrl-C up.
func TestInterruptedWhileReading(t *testing.T) {
	_, environ := inWorld(t, 0)
	for _, command := range []string{"apply", "run"} {
		time.AfterFunc(300*time.Millisecond, interrupt)
		var out bytes.Buffer
		began := time.Now()
		c := &console{in: never{}, out: &out, err: &out, environ: environ}
		if exit := c.run(t.Context(), []string{command, "-"}); exit != 130 || time.Since(began) > 20*time.Second || !strings.Contains(out.String(), "nothing was done") {
			t.Errorf("%s: exit %d after %s\n%s", command, exit, time.Since(began), &out)
		}
	}
}

// What a file was allowed to be read by, its successor is.
func TestDraftKeepsTheMode(t *testing.T) {
	_, environ := inWorld(t, 0)
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.jsonl")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file); exit != 0 {
		t.Fatal(out, errs)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 100 {
		t.Fatal(info, err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if exit, _, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file); exit != 2 || !strings.Contains(errs, "write-protected") {
		t.Errorf("exit %d: %s", exit, errs)
	}
	if exit, _, errs := invoke(t, environ, "plan", "s3://media-in", "-o", ""); exit != 2 || !strings.Contains(errs, "--out") {
		t.Errorf("exit %d: %s", exit, errs)
	}
}

// Nothing is changed by explain, so that the first Ctrl-C ends it, and nothing is explained by halves.
func TestExplainInterrupted(t *testing.T) {
	for _, op := range []string{sandbox.OpListUploads, sandbox.OpGetLifecycle} {
		w, environ := inWorld(t, 0)
		w.Script(sandbox.Fault{Service: sandbox.S3, Op: op, Latency: time.Minute, When: func(sandbox.Target) bool {
			time.AfterFunc(100*time.Millisecond, interrupt)
			return true
		}})
		var out, errs bytes.Buffer
		began := time.Now()
		c := &console{in: never{}, out: &out, err: &errs, environ: environ}
		exit := c.run(t.Context(), []string{"explain", "s3://media-in/raw/2026/10/slow-line.mxf"})
		if exit != 130 || time.Since(began) > 20*time.Second || out.Len() > 0 {
			t.Errorf("%s: exit %d after %s\n%s%s", op, exit, time.Since(began), &out, &errs)
		}
	}
}
