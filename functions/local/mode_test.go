package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
)

// PARTSWEEP_MODE=plan lets no command act, and says so; any other word than its two stops every command.
func TestMode(t *testing.T) {
	w, environ := inWorld(t, 0)
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file); exit != 0 {
		t.Fatal(out, errs)
	}
	event := write(t, "event.json", `{"sweep":"s3://media-in?olderThan=1d"}`)
	before, _ := w.held()
	for _, tt := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"run", "s3://media-in"}, 0, "planned only, because PARTSWEEP_MODE is not apply"},
		{[]string{"run", event}, 0, "planned only, because PARTSWEEP_MODE is not apply"},
		{[]string{"apply", file}, 0, "planned only, because PARTSWEEP_MODE is not apply"},
		{[]string{"lifecycle", "--install", "--yes", "s3://media-in"}, 1, "not written, because PARTSWEEP_MODE is plan"},
		{[]string{"plan", "s3://media-in"}, 0, "would abort"},
		{[]string{"apply", "--dry-run", file}, 0, "would abort"},
		{[]string{"explain", "s3://media-in/raw/2026/10/abandoned.mxf"}, 0, "stale"},
		{[]string{"lifecycle", "s3://media-in"}, 0, "not covered"},
	} {
		exit, out, errs := invoke(t, append(environ, "PARTSWEEP_MODE=plan"), tt.args...)
		if exit != tt.exit || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", tt.args, exit, tt.exit, tt.want, out, errs)
		}
		if strings.Contains(strings.Join(tt.args, " "), "dry-run") && strings.Contains(out, "note:") {
			t.Errorf("%q: a reason that nobody asked for\n%s", tt.args, out)
		}
		for _, wrong := range []string{"plna", "yes", "APPLY"} {
			if exit, out, errs := invoke(t, append(environ, "PARTSWEEP_MODE="+wrong), tt.args...); exit != 2 || !strings.Contains(errs, "PARTSWEEP_MODE") || out != "" {
				t.Errorf("%q under %s: exit %d\n%s%s", tt.args, wrong, exit, out, errs)
			}
		}
	}
	if document, _ := w.Lifecycle(sandbox.S3, "media-in"); len(document) > 0 {
		t.Errorf("a rule was written\n%s", document)
	}
	if after, _ := w.held(); after != before {
		t.Errorf("%d were aborted", before-after)
	}
}

// Quiet, a command that was kept from acting says so.
func TestQuietMode(t *testing.T) {
	_, environ := inWorld(t, 0)
	for _, args := range [][]string{{"run", "-q", "s3://media-in"}, {"plan", "-q", "s3://media-in"}, {"run", "-q", "--dry-run", "s3://media-in"}} {
		exit, out, errs := invoke(t, append(environ, "PARTSWEEP_MODE=plan"), args...)
		want := ""
		if args[0] == "run" && args[2] != "--dry-run" {
			want = "note: planned only, because PARTSWEEP_MODE is not apply\n"
		}
		if exit != 0 || out != "" || errs != want {
			t.Errorf("%q: exit %d, %q, %q", args, exit, out, errs)
		}
	}
	if exit, out, errs := invoke(t, append(environ, "PARTSWEEP_MAX_ABORTS=1"), "run", "-q", "s3://media-in"); exit != 1 || out != "" ||
		!strings.Contains(errs, "left to do: partsweep run 's3://media-in?") {
		t.Errorf("exit %d, %q, %q", exit, out, errs)
	}
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file, "-q"); exit != 0 {
		t.Fatal(out, errs)
	}
	if exit, out, errs := invoke(t, environ, "run", file); exit != 2 || !strings.Contains(errs, "partsweep apply "+file) {
		t.Errorf("exit %d, %q, %q", exit, out, errs)
	}
	wrong := write(t, "wrong.json", "[]")
	if exit, out, errs := invoke(t, environ, "run", wrong, wrong); exit != 1 || strings.Count(errs, "1 request failed") != 2 {
		t.Errorf("exit %d, %q, %q", exit, out, errs)
	}
}

// A bare request in an event plans, and says how to act.
func TestBareRequest(t *testing.T) {
	w, environ := inWorld(t, 0)
	before, _ := w.held()
	exit, out, errs := invokeWith(t, `"s3://media-in"`, environ, "run", "-")
	if after, _ := w.held(); exit != 0 || after != before || !strings.Contains(out, `{"request":"…","apply":true}`) || !strings.Contains(out, "would abort") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	if exit, out, errs := invokeWith(t, `"s3://media-in"`, environ, "run", "-", "--html", page); exit != 0 {
		t.Fatal(out, errs)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "3 stale uploads would be aborted") {
		t.Errorf("%v\n%.2000s", err, text)
	}
}

// The failure that the sandbox proposes to report is one that there is.
func TestSandboxFailure(t *testing.T) {
	w, environ := inWorld(t, 0)
	exit, out, errs := invokeWith(t, w.failure(), environ, "run", "-")
	if exit != 0 || cell(t, out, 0, "s3", "aborted") != 1 || len(w.killed()) > 0 {
		t.Errorf("exit %d, killed %q\n%s%s", exit, w.killed(), out, errs)
	}
}

// Without PARTSWEEP_INSPECT nobody knows how much is freed, and nobody says it is nothing.
func TestUninspected(t *testing.T) {
	_, environ := inWorld(t, 0)
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	exit, out, errs := invoke(t, append(environ, "PARTSWEEP_INSPECT=false"), "plan", "s3://media-in", "-o", file)
	if exit != 0 || !strings.Contains(out, "unknown") || strings.Contains(out, "0 B") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), `"parts"`) {
		t.Errorf("%v\n%s", err, text)
	}
}
