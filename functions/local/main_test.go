package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/test/sandbox"
)

// invoke runs the command and returns what it printed.
func invoke(t *testing.T, environ []string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = run(t.Context(), args, environ, &out, &errs)
	return exit, out.String(), errs.String()
}

// cell returns a number of a table: in the n-th table, the row of a service, the column of a name.
func cell(t *testing.T, out string, table int, service, column string) (n int) {
	t.Helper()
	tables := regexp.MustCompile(`(?m)^ *service .*(\n.+)+`).FindAllString(out, -1)
	if table >= len(tables) {
		t.Fatalf("no table %d in\n%s", table, out)
	}
	joined := strings.NewReplacer("would abort", "would-abort", "could free", "could-free", "a month", "a-month",
		" B ", "B ", " KiB", "KiB", " MiB", "MiB").Replace(tables[table])
	lines := strings.Split(joined, "\n")
	for i, name := range strings.Fields(lines[0]) {
		for _, line := range lines[1:] {
			if f := strings.Fields(line); name == column && f[0] == service {
				if _, err := fmt.Sscan(f[i], &n); err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("no %s of %s in\n%s", column, service, tables[table])
	return 0
}

func TestDemonstration(t *testing.T) {
	exit, out, errs := invoke(t, nil)
	if exit != 0 || errs != "" {
		t.Fatalf("exit %d, %s\n%s", exit, errs, out)
	}
	for _, name := range mpu.Stores() {
		if n := cell(t, out, 0, name, "aborted"); n == 0 {
			t.Errorf("nothing was removed on %s after a report", name)
		}
		if name == "mps" {
			continue
		}
		if n := cell(t, out, 1, name, "aborted"); n == 0 {
			t.Errorf("nothing was removed on %s by the timer", name)
		}
		if n := cell(t, out, 1, name, "kept"); n == 0 {
			t.Errorf("nothing was kept on %s", name)
		}
		if n := cell(t, out, 2, name, "aborted"); n != 0 {
			t.Errorf("the second tick removed %d on %s", n, name)
		}
	}
	for _, want := range []string{"active", "last part uploaded", "too young", "all of them alive"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

var update = flag.Bool("update", false, "write the transcript into the README")

// The README shows what the demonstration really prints.
func TestReadmeTranscript(t *testing.T) {
	const readme, begin, end = "../../README.md", "$ go run ./functions/local\n", "```\n"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	shown, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the README has no transcript")
	}
	_, out, _ := invoke(t, nil)
	if *update {
		if err := os.WriteFile(readme, []byte(head+begin+out+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(shown, out); diff != "" {
		t.Errorf("the README's transcript is not what is printed (go test ./functions/local -run Readme -update):\n%s", diff)
	}
}

func TestDemonstrationPlan(t *testing.T) {
	exit, out, errs := invoke(t, nil, "-plan")
	if exit != 0 || errs != "" || cell(t, out, 1, "s3", "would-abort") == 0 || !strings.Contains(out, "still holds all") {
		t.Errorf("exit %d, %s\n%s", exit, errs, out)
	}
}

func TestArguments(t *testing.T) {
	event := filepath.Join(t.TempDir(), "event.json")
	write := func(s string) {
		if err := os.WriteFile(event, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"type":"upload-failed","request":"s3://media-in/raw/2026/11/a%20b%2Bc.mxf?uploadId=VXBsb2FkSWRFeGFtcGxlLjAwMQ--","failedAt":"2026-11-03T08:59:58Z"}`)
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		exit int
		out  string // in what was printed, on either side
	}{
		{"a request", []string{"s3://media-in?olderThan=1d"}, 0, "s3"},
		{"two requests", []string{"oss://media-oss?olderThan=1d", "vod://cn-shanghai?olderThan=1d"}, 0, "vod"},
		{"a plan", []string{"-plan", "s3://media-in?olderThan=1d"}, 0, "would abort"},
		{"an event file", []string{event}, 0, "1.0 MiB"},
		{"help", []string{"-h"}, 0, "usage"},
		{"unknown scheme", []string{"gs://b?olderThan=1d"}, 2, `store "gs"`},
		{"unknown parameter", []string{"s3://media-in?olderthan=1d"}, 2, "olderthan"},
		{"one wrong among two", []string{"s3://media-in?olderThan=1d", "s3://media-in?olderThan=soon"}, 2, "soon"},
		{"unknown flag", []string{"-force"}, 2, "-force"},
		{"flag behind an argument", []string{"s3://media-in?olderThan=1d", "-plan"}, 2, "-plan"},
		{"no such file", []string{"nowhere.json"}, 2, "nowhere.json"},
		{"empty event", []string{empty}, 1, "invalid"},
		{"bucket that is not there", []string{"s3://other?olderThan=1d"}, 1, "-live"},
		{"a prefix written as a key", []string{"s3://media-in/raw/?olderThan=1d"}, 0, "s3://media-in?prefix=raw/&olderThan=1d"},
		{"live with nothing to do", []string{"-live"}, 2, "-live"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exit, out, errs := invoke(t, nil, tt.args...)
			if exit != tt.exit || !strings.Contains(out+errs, tt.out) {
				t.Errorf("exit %d, want %d with %q\n%s%s", exit, tt.exit, tt.out, out, errs)
			}
		})
	}
}

// liveEnviron makes a sandbox pass for a real cloud.
func liveEnviron(sb *sandbox.Sandbox) []string {
	return []string{"PARTSWEEP_S3_ENDPOINT=" + sb.URL(sandbox.S3), "PARTSWEEP_S3_PATH_STYLE=true",
		"PARTSWEEP_S3_ACCESS_KEY_ID=" + sandbox.AccessKeyID, "PARTSWEEP_S3_SECRET_ACCESS_KEY=" + sandbox.SecretAccessKey}
}

func TestLive(t *testing.T) {
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		script  sandbox.Fault
		exit    int
		left    int
		out     []string
	}{
		{"does what is typed", nil, []string{"s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 1, []string{"active"}},
		{"plans with -plan", nil, []string{"-plan", "s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 2, []string{"would abort"}},
		{"plans by setting", []string{"PARTSWEEP_MODE=plan"}, []string{"s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 2, []string{"would abort"}},
		{"keeps to the allow-list", []string{"PARTSWEEP_BUCKETS=s3://other"}, []string{"s3://media?olderThan=2d"}, sandbox.Fault{}, 1, 2, []string{"refused", "s3://media"}},
		{"every bucket must be allowed", nil, []string{"s3://*?olderThan=2d"}, sandbox.Fault{}, 2, 2, []string{"PARTSWEEP_BUCKETS"}},
		{"unknown setting", []string{"PARTSWEEP_MODUS=x"}, []string{"s3://media?olderThan=2d"}, sandbox.Fault{}, 2, 2, []string{"PARTSWEEP_MODUS"}},
		{"a refused abort fails the run", nil, []string{"s3://media?olderThan=2d"},
			sandbox.Fault{Service: sandbox.S3, Op: sandbox.OpAbort, Code: "AccessDenied"}, 1, 2,
			[]string{"failed: ", "HTTP 403", "AccessDenied", "s3:AbortMultipartUpload", "SANDBOX-s3-"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sb, err := sandbox.Start(sandbox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer sb.Close()
			old := time.Now().Add(-72 * time.Hour)
			sb.CreateBucket(sandbox.S3, "media", "us-east-1")
			sb.Seed(sandbox.S3, "media", "stale", old, sandbox.Part{Number: 1, Size: 9, Modified: old})
			sb.Seed(sandbox.S3, "media", "slow", old, sandbox.Part{Number: 1, Size: 9, Modified: time.Now().Add(-time.Minute)})
			if tt.script.Code != "" {
				sb.Script(tt.script)
			}
			exit, out, errs := invoke(t, append(liveEnviron(sb), tt.environ...), append([]string{"-live"}, tt.args...)...)
			if left := len(sb.Uploads(sandbox.S3, "media")); exit != tt.exit || left != tt.left {
				t.Errorf("exit %d, want %d; %d left, want %d\n%s%s", exit, tt.exit, left, tt.left, out, errs)
			}
			for _, want := range tt.out {
				if !strings.Contains(out+errs, want) {
					t.Errorf("no %q in\n%s%s", want, out, errs)
				}
			}
		})
	}
}
