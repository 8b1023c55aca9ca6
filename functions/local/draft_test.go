package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/plan"
)

// Where a report cannot be written is known before anything is aborted.
func TestFilesAreOpenedFirst(t *testing.T) {
	w, environ := inWorld(t, 0)
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", file); exit != 0 {
		t.Fatal(out, errs)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	before, _ := w.held()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a page in no folder", []string{"run", "s3://media-in", "--html", "/nowhere/page.html"}, "cannot write /nowhere/page.html"},
		{"a page that is a folder", []string{"run", "s3://media-in", "--html", dir}, "it is a folder"},
		{"a page in no folder, of a plan", []string{"apply", file, "--html", "/nowhere/page.html"}, "cannot write /nowhere/page.html"},
		{"a plan that is a folder", []string{"plan", "s3://media-in", "-o", dir}, "it is a folder"},
		{"one name for both", []string{"plan", "s3://media-in", "-o", filepath.Join(dir, "x"), "--html", dir + "/./x"}, "named twice"},
		{"a page in the place of the plan", []string{"apply", file, "--html", file}, "named twice"},
		{"a page in the place of the plan, by a link", []string{"apply", file, "--html", link}, "named twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exit, out, errs := invoke(t, environ, tt.args...)
			if after, _ := w.held(); exit != 2 || !strings.Contains(errs, tt.want) || after != before {
				t.Errorf("exit %d, %d of %d are left\n%s%s", exit, after, before, out, errs)
			}
		})
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("drafts are left: %v, %v", names, err)
	}
}

// What is no ordinary file is written to and not replaced, and a link stays one.
func TestDraftKeepsWhatIsThere(t *testing.T) {
	_, environ := inWorld(t, 0)
	dir := t.TempDir()
	file, link := filepath.Join(dir, "plan.jsonl"), filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{os.DevNull, file, link} {
		if exit, out, errs := invoke(t, environ, "plan", "s3://media-in", "-o", name); exit != 0 {
			t.Fatal(name, out, errs)
		}
	}
	if info, err := os.Lstat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is %v now, %v", os.DevNull, info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v now, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := plan.Read(text); err != nil || p.Abort != 3 {
		t.Errorf("%+v, %v", p, err)
	}
}

// What cannot be printed is an error, whatever prints it.
func TestFullStandardOutput(t *testing.T) {
	_, environ := inWorld(t, 0)
	for _, args := range [][]string{
		{"plan", "s3://media-in"}, {"plan", "s3://media-in", "--json"}, {"plan", "s3://media-in", "-o", "-"}, {"explain", "s3://media-in/raw/2026/11/again.mxf"},
		{"lifecycle", "s3://media-in"}, {"version"}, {"demo", "--dry-run"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err) // Linux has it
		}
		var errs bytes.Buffer
		c := &console{in: strings.NewReader(""), out: full, err: &errs, environ: environ}
		if exit := c.run(t.Context(), args); exit != 1 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%q: exit %d, %s", args, exit, errs.String())
		}
		full.Close()
	}
}

// A plan that was refused leaves the one that was there alone, and one that names nothing because it is not whole is no success.
func TestRefusedPlan(t *testing.T) {
	_, environ := inWorld(t, 0)
	file := write(t, "plan.jsonl", "a plan of old")
	if exit, out, errs := invoke(t, environ, "plan", "s3://nope", "-o", file); exit != 1 || strings.Contains(out, "the plan is in") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a plan of old" {
		t.Errorf("%v %s", err, text)
	}
	exit, text, errs := invoke(t, environ, "plan", "s3://nope", "-o", "-", "-q")
	if exit != 1 {
		t.Errorf("exit %d %s", exit, errs)
	}
	if exit, out, errs := invokeWith(t, text, environ, "apply", "-"); exit != 1 || !strings.Contains(errs, "not complete") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}

// A plan comes from standard input as well, and one upload that two requests name stands for one.
func TestApplyStandardInput(t *testing.T) {
	w, environ := inWorld(t, 0)
	exit, text, errs := invoke(t, environ, "plan", "s3://media-in", "s3://media-in", "s3://media-in?olderThan=2d", "-o", "-", "-q")
	if exit != 0 {
		t.Fatal(errs)
	}
	if n := strings.Count(text, `"verdict":"abort"`); n != 3 {
		t.Errorf("%d lines say abort\n%s", n, text)
	}
	before, _ := w.held()
	exit, out, errs := invokeWith(t, text, environ, "apply", "-")
	if after, _ := w.held(); exit != 0 || before-after != 3 || !strings.Contains(out, "A plan of 3 uploads, 3.0 MiB") {
		t.Errorf("exit %d, %d gone\n%s%s", exit, before-after, out, errs)
	}
}
