package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/lifecycle"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/page"
	"github.com/partsweep/partsweep/shared/plan"
	"github.com/partsweep/partsweep/test/sandbox"
	"github.com/partsweep/partsweep/test/sandbox/sandboxtest"
)

// invoke runs the command and returns what it printed.
func invoke(t *testing.T, environ []string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	return invokeWith(t, "", environ, args...)
}

// invokeWith has something on standard input.
func invokeWith(t *testing.T, in string, environ []string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &console{in: strings.NewReader(in), out: &out, err: &errs, environ: environ}
	exit = c.run(t.Context(), args)
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

// The README shows what is really printed: the demonstration, to the letter, and a newcomer's first commands, but for times, ages and
// upload IDs.
func TestReadmeTranscripts(t *testing.T) {
	const readme = "../../README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, environ := inWorld(t, 0)
	t.Chdir(t.TempDir())
	shown := 0
	written := regexp.MustCompile("(?ms)^```\n(\\$ .*?)^```$").ReplaceAllStringFunc(string(text), func(block string) string {
		var b strings.Builder
		b.WriteString("```\n")
		for _, m := range regexp.MustCompile(`(?m)^\$ (.*)\n`).FindAllStringSubmatch(block, -1) {
			args := words(m[1])
			var exit int
			var out, errs string
			switch {
			case m[1] == "go run ./functions/local":
				exit, out, errs = invoke(t, nil)
			case args[0] == "partsweep":
				exit, out, errs = invoke(t, environ, args[1:]...)
				out = vague(out, "VXBs")
			default:
				return block // go test: it is what runs this
			}
			if shown++; exit != 0 || errs != "" {
				t.Errorf("%s: exit %d, %s", m[1], exit, errs)
			}
			fmt.Fprintf(&b, "$ %s\n%s", m[1], out)
		}
		return b.String() + "```"
	})
	if shown < 6 {
		t.Errorf("%d commands were found", shown)
	}
	if *update {
		if err := os.WriteFile(path, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(vague(string(text), "ID"), vague(written, "ID")); diff != "" {
		t.Errorf("the README's transcripts are not what is printed (go test ./functions/local -run Readme -update):\n%s", diff)
	}
}

// words splits a command as a shell does, as far as single quotes go.
func words(command string) (all []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(command, -1) {
		all = append(all, m[1]+m[2])
	}
	return all
}

// vague replaces what is new in every run. In what a demonstration prints, whose days are past, nothing is.
func vague(s, id string) string {
	s = regexp.MustCompile(`uploadId=[^\s&,"]+`).ReplaceAllString(s, "uploadId="+id)
	if id != "ID" {
		return s
	}
	s = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`).ReplaceAllString(s, "TIME")
	return regexp.MustCompile(`\b(\d+d \d+h|\d+d|\d+h \d+m|\d+h|\d+m|\d+s) ago`).ReplaceAllString(s, "AGE ago")
}

func TestDemonstrationPlan(t *testing.T) {
	exit, out, errs := invoke(t, nil, "demo", "--dry-run")
	if exit != 0 || errs != "" || cell(t, out, 1, "s3", "would-abort") == 0 || !strings.Contains(out, "still holds all") {
		t.Errorf("exit %d, %s\n%s", exit, errs, out)
	}
}

// inWorld fills a sandbox as the sandbox command does, and returns an environment that points to it.
func inWorld(t *testing.T, more int) (*world, []string) {
	t.Helper()
	w, err := newWorld(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.addMany(t.Context(), more)
	return w, w.settings()
}

func write(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	event := write(t, "event.json", `{"sweep":"s3://media-in?olderThan=1d"}`)
	empty := write(t, "empty.json", "{}")
	_, environ := inWorld(t, 0)
	for _, tt := range []struct {
		name string
		args []string
		exit int
		out  string // in what was printed, on either side
	}{
		{"a plan", []string{"plan", "s3://media-in?olderThan=1d"}, 0, "would abort"},
		{"two requests", []string{"plan", "oss://media-oss?olderThan=1d", "vod://cn-shanghai?olderThan=1d"}, 0, "vod"},
		{"every bucket", []string{"plan", "s3://*"}, 0, "would abort"},
		{"an event file", []string{"run", "--dry-run", event}, 0, "would abort"},
		{"help", []string{"--help"}, 0, "Available Commands"},
		{"help of a command", []string{"help", "apply"}, 0, "Each is looked at again"},
		{"version", []string{"version"}, 0, "partsweep"},
		{"completion", []string{"completion", "bash"}, 0, "__start_partsweep"},
		{"quiet", []string{"plan", "-q", "s3://media-in"}, 0, ""},
		{"unknown command", []string{"sweep"}, 2, `no such command: "sweep"`},
		{"a mistyped command", []string{"plam"}, 2, "is it partsweep plan?"},
		{"help of a mistyped command", []string{"help", "plam"}, 2, "is it partsweep plan?"},
		{"completion of another shell", []string{"completion", "tcsh"}, 2, "tcsh"},
		{"--version", []string{"--version"}, 0, "partsweep"},
		{"version of something", []string{"version", "x"}, 2, "takes no arguments"},
		{"a request and no command", []string{"s3://media-in"}, 2, "partsweep plan"},
		{"no request", []string{"plan"}, 2, "a request is missing"},
		{"unknown scheme", []string{"plan", "gs://b?olderThan=1d"}, 2, `store "gs"`},
		{"unknown parameter", []string{"plan", "s3://media-in?olderthan=1d"}, 2, "olderthan"},
		{"one wrong among two", []string{"plan", "s3://media-in?olderThan=1d", "s3://media-in?olderThan=soon"}, 2, "soon"},
		{"unknown flag", []string{"plan", "--force", "s3://media-in"}, 2, "--force"},
		{"flag behind an argument", []string{"plan", "s3://media-in?olderThan=1d", "--json"}, 0, `"breakdown"`},
		{"no such file", []string{"run", "nowhere.json"}, 2, "nowhere.json"},
		{"empty event", []string{"run", empty}, 1, "invalid"},
		{"bucket that is not allowed", []string{"plan", "s3://other?olderThan=1d"}, 1, "PARTSWEEP_BUCKETS"},
		{"a prefix written as a key", []string{"plan", "s3://media-in/raw/?olderThan=1d"}, 0, "s3://media-in?prefix=raw/&olderThan=1d"},
		{"explain a sweep", []string{"explain", "s3://media-in"}, 2, "name one upload"},
		{"explain two", []string{"explain", "s3://media-in/a", "s3://media-in/b"}, 2, "name one upload"},
		{"explain what is not there", []string{"explain", "s3://media-in/none"}, 1, "no such upload"},
		{"apply no plan", []string{"apply", event}, 2, "this is no plan"},
		{"apply a request", []string{"apply", "s3://media-in"}, 2, "apply takes a plan"},
		{"apply a folder", []string{"apply", t.TempDir()}, 2, "is a directory"},
		{"run a folder", []string{"run", t.TempDir()}, 2, "is a directory"},
		{"run what is no event", []string{"run", "main.go"}, 2, "neither an event nor a request"},
		{"days in words", []string{"lifecycle", "--install", "s3://media-in", "--days", "7d"}, 1, "not covered"},
		{"fewer than no uploads", []string{"sandbox", "--uploads", "-5"}, 2, "at least 0"},
		{"apply nothing", []string{"apply"}, 2, "name one plan"},
		{"a lifecycle of no days", []string{"lifecycle", "--install", "--days", "0", "s3://media-in"}, 2, `"0" for "--days"`},
		{"a lifecycle of a key", []string{"lifecycle", "s3://media-in/a"}, 2, "only a bucket"},
		{"a lifecycle of vod", []string{"lifecycle", "vod://cn-shanghai"}, 2, "no lifecycle rules"},
		{"two things on standard output", []string{"plan", "s3://media-in", "-o", "-", "--json"}, 2, "standard output can take one"},
		{"a plan on standard output", []string{"plan", "s3://media-in", "-o", "-", "-q"}, 0, `"complete":true`},
		{"a folder that is not there", []string{"plan", "s3://media-in", "-o", "/nowhere/plan"}, 2, "nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exit, out, errs := invoke(t, environ, tt.args...)
			if exit != tt.exit || !strings.Contains(out+errs, tt.out) {
				t.Errorf("exit %d, want %d with %q\n%s%s", exit, tt.exit, tt.out, out, errs)
			}
			if tt.name == "quiet" && out+errs != "" {
				t.Errorf("quiet says %s%s", out, errs)
			}
		})
	}
}

// A plan is written, read by a person, and applied: what has been active since is kept, and nothing else is touched.
func TestPlanThenApply(t *testing.T) {
	w, environ := inWorld(t, 200)
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	exit, out, errs := invoke(t, environ, "plan", "s3://*", "cos://*", "obs://*", "oss://*", "vod://cn-shanghai", "-o", file)
	if exit != 0 || !strings.Contains(out, "partsweep apply "+file) {
		t.Fatalf("exit %d\n%s%s", exit, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Read(text)
	if err != nil || !p.End.Complete || p.End.Abort < 190 || p.Abort != p.End.Abort {
		t.Fatalf("%v %+v", err, p.End)
	}
	// Since then, one has been active, one is gone, and one has become old enough.
	var first []mpu.Upload
	for _, g := range p.Groups {
		if g.Request.Bucket.Store == "s3" {
			for u := range g.Uploads {
				first = append(first, u)
			}
		}
	}
	w.AddPart(sandbox.S3, "media-in", first[0].Key, first[0].UploadID, sandbox.Part{Number: 99, Size: 1, Modified: time.Now()})
	w.alive["s3 "+first[0].UploadID] = true
	w.Seed(sandbox.S3, "media-in", "old/but-not-in-the-plan", time.Now().Add(-99*24*time.Hour))
	before, held := w.held()

	if exit, out, errs = invoke(t, environ, "apply", "--dry-run", file); exit != 0 || !strings.Contains(out, "would abort") {
		t.Fatalf("dry run: exit %d\n%s%s", exit, out, errs)
	}
	if again, _ := w.held(); again != before {
		t.Fatalf("a dry run aborted %d", before-again)
	}
	exit, out, errs = invoke(t, environ, "apply", file, "--json")
	var r result
	if err := json.Unmarshal([]byte(out), &r); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v\n%s%s", exit, err, out, errs)
	}
	if got := r.Reports[0].Totals; got.Aborted != p.Abort-1 || got.Kept != 1 || got.KeptBy[mpu.Active] != 1 {
		t.Errorf("%+v, of a plan of %d", got, p.Abort)
	}
	after, left := w.held()
	if before-after != p.Abort-1 || held-left != r.Reports[0].Totals.BytesFreed || len(w.killed()) > 0 {
		t.Errorf("%d are gone, %d bytes; the report says %+v; killed %q", before-after, held-left, r.Reports[0].Totals, w.killed())
	}
	if r.Breakdown.Total.Stale != r.Reports[0].Totals.Aborted || r.Breakdown.Total.StaleBytes != r.Reports[0].Totals.BytesFreed {
		t.Errorf("breakdown %+v", r.Breakdown.Total)
	}
	// Applied again, it finds nothing left to do.
	if exit, out, errs = invoke(t, environ, "apply", file); exit != 0 || !strings.Contains(out, "gone") {
		t.Errorf("again: exit %d\n%s%s", exit, out, errs)
	}
}

// A plan that names one upload which may not be touched does nothing.
func TestApplyKeepsToTheAllowList(t *testing.T) {
	w, environ := inWorld(t, 0)
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "s3://*", "obs://*", "-o", file); exit != 0 {
		t.Fatal(out, errs)
	}
	before, _ := w.held()
	exit, out, errs := invoke(t, append(environ, "PARTSWEEP_BUCKETS=s3://media-in", "PARTSWEEP_MPS_DELETE_MEDIA="), "apply", file)
	if after, _ := w.held(); exit != 1 || after != before || !strings.Contains(errs, "obs://media-obs") {
		t.Errorf("exit %d, %d aborted\n%s%s", exit, before-after, out, errs)
	}
}

// Interrupted, a run finishes what is under way, says what is left, and a plan says that it is not complete.
func TestInterrupted(t *testing.T) {
	w, environ := inWorld(t, 3000)
	file := filepath.Join(t.TempDir(), "plan.jsonl")
	for _, tt := range []struct {
		name string
		args []string
		op   string
	}{
		{"while it plans", []string{"plan", "s3://media-in", "-o", file}, sandbox.OpListParts},
		{"while it acts", []string{"run", "s3://media-in"}, sandbox.OpAbort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			undo := w.Script(sandbox.Fault{Service: sandbox.S3, Op: tt.op, Latency: 50 * time.Millisecond})
			defer undo()
			begun := len(w.Ledger())
			go func() {
				for len(w.Ledger()) < begun+300 {
					time.Sleep(time.Millisecond)
				}
				interrupt()
			}()
			exit, out, errs := invoke(t, environ, tt.args...)
			if exit != 130 || !strings.Contains(out, "interrupted") || !strings.Contains(out, "left to do: partsweep "+tt.args[0]+" 's3://media-in?") {
				t.Errorf("exit %d\n%s%s", exit, out, errs)
			}
			for _, e := range w.Ledger() {
				if e.Op == sandbox.OpAbort && e.Status == 0 {
					t.Errorf("an abort was cut off: %+v", e)
				}
			}
		})
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := plan.Read(text); err != nil || p.End.Complete || p.Abort == 0 {
		t.Errorf("%v %+v", err, p)
	}
	if left := len(w.Uploads(sandbox.S3, "media-in")); left < 200 {
		t.Errorf("%d are left", left)
	}
}

// What one run leaves, the next one takes up, in one process.
func TestRunHandsOnToItself(t *testing.T) {
	w, environ := inWorld(t, 30)
	exit, out, errs := invoke(t, append(environ, "PARTSWEEP_MAX_ABORTS=4", "PARTSWEEP_QUEUE=self"), "run", "s3://media-in?olderThan=1d", "--json")
	var r result
	if err := json.Unmarshal([]byte(out), &r); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v\n%s%s", exit, err, out, errs)
	}
	aborted := 0
	for _, report := range r.Reports {
		aborted += report.Totals.Aborted
		if report.Totals.Aborted > 4 {
			t.Errorf("a run aborted %d", report.Totals.Aborted)
		}
	}
	if len(r.Reports) < 7 || aborted < 28 || r.Breakdown.Total.Stale != aborted || len(w.killed()) > 0 {
		t.Errorf("%d runs aborted %d; %+v; killed %q", len(r.Reports), aborted, r.Breakdown.Total, w.killed())
	}
	if exit, _, errs := invoke(t, append(environ, "PARTSWEEP_QUEUE=https://sqs.eu-west-1.amazonaws.com/1/q"), "run", "s3://media-in"); exit != 2 || !strings.Contains(errs, "write self") {
		t.Errorf("exit %d, %s", exit, errs)
	}
}

func TestExplain(t *testing.T) {
	_, environ := inWorld(t, 0)
	for _, tt := range []struct {
		request string
		want    []string
	}{
		{"s3://media-in/raw/2026/10/slow-line.mxf", []string{"kept, active", "3.0 MiB in 3 parts", "lifecycle     none covers it", "newest part", "STANDARD"}},
		{"s3://media-in/raw/2026/10/abandoned.mxf", []string{"stale, it would be aborted", "2.0 MiB in 2 parts", "4d 1h ago"}},
		{"s3://media-in/raw/2026/10/never-sent.mxf", []string{"stale", "0 B in 0 parts", "none"}},
		{"s3://media-in/raw/2026/11/again.mxf", []string{"stale", "kept, too young"}},
		{"cos://media-1250000000/raw/2026/10/abandoned.mxf", []string{`rule "uploads" would abort uploads, but it is disabled`}},
		{"oss://media-oss/raw/2026/10/abandoned.mxf", []string{`rule "uploads" aborts it at 20`, "alive or not"}},
		{"vod://cn-shanghai/" + slowVideo, []string{"kept", "no lifecycle rules"}},
	} {
		t.Run(tt.request, func(t *testing.T) {
			exit, out, errs := invoke(t, environ, "explain", tt.request)
			for _, want := range tt.want {
				if exit != 0 || !strings.Contains(out, want) {
					t.Errorf("exit %d, no %q in\n%s%s", exit, want, out, errs)
				}
			}
		})
	}
}

// Installing adds one rule to the five that are there, and leaves every byte of those as it was.
func TestLifecycleInstall(t *testing.T) {
	w, environ := inWorld(t, 0)
	for _, tt := range []struct {
		service sandbox.Service
		bucket  string
	}{{sandbox.S3, "media-in"}, {sandbox.COS, "media-1250000000"}, {sandbox.OBS, "media-obs"}, {sandbox.OSS, "media-oss"}} {
		t.Run(string(tt.service), func(t *testing.T) {
			five := sandboxtest.FiveRules(tt.service)
			w.SetLifecycle(tt.service, tt.bucket, five, "varies_by_storage_class")
			bucket := string(tt.service) + "://" + tt.bucket
			if tt.service == sandbox.OBS {
				if exit, out, errs := invoke(t, environ, "lifecycle", "--install", "--yes", bucket); exit != 1 || !strings.Contains(errs, "overlap") {
					t.Errorf("exit %d\n%s%s", exit, out, errs)
				}
				bucket += "?prefix=uploads/"
			}
			if exit, out, errs := invoke(t, environ, "lifecycle", bucket); exit != 0 || !strings.Contains(out, "not covered: it has 5 rules") {
				t.Errorf("exit %d\n%s%s", exit, out, errs)
			}
			if document, _ := w.Lifecycle(tt.service, tt.bucket); !bytes.Equal(document, five) {
				t.Error("an audit has written")
			}
			// Nobody says yes, so nothing is written.
			exit, out, errs := invoke(t, environ, "lifecycle", "--install", bucket)
			if document, _ := w.Lifecycle(tt.service, tt.bucket); exit != 1 || !bytes.Equal(document, five) || !strings.Contains(out, "+ <Rule>") {
				t.Errorf("exit %d\n%s%s", exit, out, errs)
			}
			exit, out, errs = invoke(t, environ, "lifecycle", "--install", "--days", "14", "--yes", bucket)
			document, minimum := w.Lifecycle(tt.service, tt.bucket)
			rules, err := lifecycle.Parse(document)
			if exit != 0 || err != nil || len(rules) != 6 || rules[5].Days != 14 || tt.service == sandbox.S3 && minimum != "varies_by_storage_class" {
				t.Fatalf("exit %d, %v, %+v, %s\n%s%s", exit, err, rules, minimum, out, errs)
			}
			added := regexp.MustCompile(`\+ (<Rule>.*</Rule>)`).FindStringSubmatch(out)
			if left := bytes.Replace(document, []byte(added[1]), nil, 1); !bytes.Equal(left, five) {
				t.Errorf("of the five is left\n%s", left)
			}
			// Again there is nothing to do.
			if exit, out, errs := invoke(t, environ, "lifecycle", "--install", bucket); exit != 0 || !strings.Contains(out, "covered: rule") {
				t.Errorf("again: exit %d\n%s%s", exit, out, errs)
			}
			if again, _ := w.Lifecycle(tt.service, tt.bucket); !bytes.Equal(again, document) {
				t.Error("a second time, something was written")
			}
		})
	}
}

// A store that ignores its rules is told by what is still there.
func TestLifecycleIgnored(t *testing.T) {
	w, environ := inWorld(t, 50)
	w.SetLifecycle(sandbox.S3, "media-in", []byte("<LifecycleConfiguration><Rule><ID>u</ID><Filter/><Status>Enabled</Status>"+
		"<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"), "")
	exit, out, errs := invoke(t, environ, "lifecycle", "s3://media-in")
	if exit != 0 || !strings.Contains(out, "should have been aborted by the rule days ago") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}

// The page and the JSON report have the same figures.
func TestPageAndJSONAgree(t *testing.T) {
	_, environ := inWorld(t, 500)
	file := filepath.Join(t.TempDir(), "plan.html")
	exit, out, errs := invoke(t, environ, "plan", "s3://*", "oss://*", "--json", "--html", file)
	var r result
	if err := json.Unmarshal([]byte(out), &r); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v\n%s%s", exit, err, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	html := string(text)
	b := r.Breakdown
	for _, want := range []string{
		`<b id="stale">` + page.Count(b.Total.Stale) + `</b>`, `<b id="bytes">` + page.Size(b.Total.StaleBytes) + `</b>`,
		`<b id="cost">` + page.Money(b.Total.MonthlyUSD) + `</b>`, `<b id="found">` + page.Count(b.Total.Uploads) + `</b>`,
		"By service", "By bucket", "By prefix", "By age", "kept, active", "The largest", "The oldest", "What the costs assume",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in the page", want)
		}
	}
	if got := r.Reports[0].Totals; b.Total.Stale != got.Planned || b.Total.StaleBytes != got.BytesPlanned || b.Total.Uploads != got.Found || got.Planned < 470 {
		t.Errorf("breakdown %+v, report %+v", b.Total, got)
	}
	for name, rows := range map[string][]page.Row{"services": b.Services, "buckets": b.Buckets, "prefixes": b.Prefixes, "ages": b.Ages, "reasons": b.Reasons} {
		sum := page.Row{}
		for _, row := range rows {
			sum.Uploads, sum.Bytes, sum.StaleBytes = sum.Uploads+row.Uploads, sum.Bytes+row.Bytes, sum.StaleBytes+row.StaleBytes
		}
		if sum.Uploads != b.Total.Uploads || sum.Bytes != b.Total.Bytes || sum.StaleBytes != b.Total.StaleBytes {
			t.Errorf("%s add up to %+v, and all are %+v", name, sum, b.Total)
		}
	}
	for _, outside := range []string{"http://", "https://", "src="} {
		if strings.Contains(html, outside) {
			t.Errorf("the page has %s in it", outside)
		}
	}
}

func TestSandboxCommand(t *testing.T) {
	exit, out, errs := invoke(t, []string{"PARTSWEEP_BUCKETS=s3://mine", "AWS_PROFILE=mine", "HOME=" + t.TempDir()}, "sandbox", "--uploads", "7", "sh", "-c",
		"echo $PARTSWEEP_BUCKETS $AWS_PROFILE; command -v partsweep; exit 7")
	if exit != 7 || !strings.HasPrefix(out, "vod://cn-shanghai") || strings.Contains(out, "mine") || !strings.Contains(out, "/partsweep") || errs != "" {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	if exit, out, errs := invoke(t, nil, "sandbox", "sh", "-c", "kill -INT $$; echo alive"); exit != 130 || out != "" {
		t.Errorf("interrupted: exit %d\n%s%s", exit, out, errs)
	}
	if exit, out, errs := invoke(t, nil, "sandbox", "no-such-program"); exit != 2 || !strings.Contains(errs, "no-such-program") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
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
		{"does what is typed", nil, []string{"run", "s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 1, []string{"active"}},
		{"plans in a dry run", nil, []string{"run", "--dry-run", "s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 2, []string{"would abort"}},
		{"plans", nil, []string{"plan", "s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 2, []string{"would abort"}},
		{"plans by setting", []string{"PARTSWEEP_MODE=plan"}, []string{"run", "s3://media?olderThan=2d"}, sandbox.Fault{}, 0, 2, []string{"would abort"}},
		{"keeps to the allow-list", []string{"PARTSWEEP_BUCKETS=s3://other"}, []string{"run", "s3://media?olderThan=2d"}, sandbox.Fault{}, 1, 2, []string{"refused", "s3://media"}},
		{"every bucket must be allowed", nil, []string{"run", "s3://*?olderThan=2d"}, sandbox.Fault{}, 2, 2, []string{"PARTSWEEP_BUCKETS"}},
		{"unknown setting", []string{"PARTSWEEP_MODUS=x"}, []string{"run", "s3://media?olderThan=2d"}, sandbox.Fault{}, 2, 2, []string{"PARTSWEEP_MODUS"}},
		{"a refused abort fails the run", nil, []string{"run", "s3://media?olderThan=2d"},
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
			exit, out, errs := invoke(t, append(liveEnviron(sb), tt.environ...), tt.args...)
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

// A program that reads lists finds lists, be there anything in them or not.
func TestJSONOfNothing(t *testing.T) {
	_, environ := inWorld(t, 0)
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	if exit, out, errs := invoke(t, environ, "plan", "-o", empty, "s3://media-in?prefix=none/&olderThan=1d"); exit != 0 {
		t.Fatal(out, errs)
	}
	for _, args := range [][]string{
		{"plan", "--json", "s3://media-in?prefix=none/&olderThan=1d"},
		{"run", "--json", "s3://media-in?prefix=none/&olderThan=1d"},
		{"apply", "--json", empty},
	} {
		exit, out, errs := invoke(t, environ, args...)
		var r result
		if err := json.Unmarshal([]byte(out), &r); err != nil || exit != 0 || strings.Contains(out, "null") {
			t.Errorf("%v: exit %d, %v\n%s%s", args, exit, err, out, errs)
		}
	}
}
