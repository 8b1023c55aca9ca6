package trigger

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/mpu"
)

const eventsDir = "../../events"

// TestEvents reads every payload under events/ and compares it with what stands beside it.
func TestEvents(t *testing.T) {
	for _, path := range eventFiles(t) {
		name, _ := filepath.Rel(eventsDir, path)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			event, err := os.ReadFile(path + ".json")
			if err != nil {
				t.Fatalf("a payload is missing: %v", err)
			}
			text, err := os.ReadFile(path + ".want")
			if err != nil {
				t.Fatalf("what it must become is missing: %v", err)
			}
			e, err := Parse(event)
			checkEvent(t, event, e, err)
			source, want := parseWant(t, string(text))
			if source != "" && source != e.Source {
				t.Errorf("source is %q, want %q", e.Source, source)
			}
			got := outcomes(e, err)
			if len(got) != len(want) {
				t.Fatalf("%d items, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
			}
			for i := range want {
				if strings.Contains(got[i], "Bearer") || strings.Contains(got[i], "Signature=") {
					t.Errorf("not for a log: %s", got[i])
				}
				if !matches(got[i], want[i]) {
					t.Errorf("item %d:\n got %s\nwant %s", i, got[i], want[i])
				}
			}
		})
	}
}

// eventFiles returns the path of every payload and of everything that belongs to one, without the extension.
func eventFiles(t testing.TB) []string {
	t.Helper()
	seen := map[string]bool{}
	var paths []string
	err := filepath.WalkDir(eventsDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "README.md" || d.Name() == "events.go" {
			return err
		}
		base, ext := strings.TrimSuffix(path, filepath.Ext(path)), filepath.Ext(path)
		if ext != ".json" && ext != ".want" {
			t.Errorf("%s: neither a payload nor what it must become", path)
		}
		if !seen[base] {
			seen[base] = true
			paths = append(paths, base)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no events found")
	}
	return paths
}

// parseWant reads the closed vocabulary of events/README.md.
func parseWant(t *testing.T, text string) (source string, lines []string) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "source:":
			if i != 0 || rest == "" {
				t.Fatalf("line %d: the source stands in the first line and is not blank", i+1)
			}
			source = rest
			continue
		case "ignored:", "invalid:", "refused:", "look", "http:":
			if rest == "" {
				t.Fatalf("line %d: a reason is missing", i+1)
			}
		default:
			notation := strings.TrimPrefix(line, "plan ")
			r, err := mpu.Parse(notation)
			if err != nil {
				t.Fatalf("line %d: an unknown word, or no request: %v", i+1, err)
			}
			if r.String() != notation {
				t.Fatalf("line %d: the canonical notation is %s", i+1, r)
			}
		}
		lines = append(lines, line)
	}
	return source, lines
}

// outcomes writes an event in the words of a .want file.
func outcomes(e Event, err error) []string {
	if err != nil {
		return []string{mpu.KindOf(err).String() + ": " + err.Error()}
	}
	var lines []string
	if e.HTTP != nil {
		lines = append(lines, webLine(e.HTTP))
	}
	for _, item := range e.Items {
		switch {
		case item.URLJob != "":
			r := item.Request
			lines = append(lines, fmt.Sprintf("look up %s before=%s cause=%s", item.URLJob, r.Before.Format(time.RFC3339), r.Cause))
		case item.Err != nil:
			lines = append(lines, mpu.KindOf(item.Err).String()+": "+item.Err.Error())
		case item.PlanOnly:
			lines = append(lines, "plan "+item.Request.String())
		default:
			lines = append(lines, item.Request.String())
		}
	}
	return lines
}

func webLine(r *HTTPRequest) string {
	line := fmt.Sprintf("http: %s %s %s", r.Platform, r.Method, r.Path)
	if r.IAM {
		line += " iam"
	}
	return line
}

// matches compares a line: a request whole, an error by its kind and the words that it must hold.
func matches(got, want string) bool {
	for _, kind := range []string{"ignored: ", "invalid: ", "refused: "} {
		if words, ok := strings.CutPrefix(want, kind); ok {
			rest, same := strings.CutPrefix(got, kind)
			return same && strings.Contains(rest, words)
		}
	}
	return got == want
}

// checkEvent says what holds of every event, whatever its bytes are.
func checkEvent(t *testing.T, event []byte, e Event, err error) {
	t.Helper()
	if err != nil {
		checkError(t, err, mpu.Invalid, mpu.Ignored)
		// A web request that cannot be read stands beside its error, with no body to act on, and nothing else does.
		if e.HTTP != nil && (len(e.HTTP.Body) > 0 || !strings.Contains(err.Error(), "read "+e.HTTP.Platform+" http: ")) {
			t.Errorf("an error comes with a web request to act on: %+v, %v", e.HTTP, err)
		}
		e.HTTP = nil
		if diff := cmp.Diff(Event{}, e); diff != "" {
			t.Errorf("an error comes with an event (-want +got):\n%s", diff)
		}
		return
	}
	if e.Source == "" || len(e.Items) > 4*maxItems {
		t.Errorf("source %q with %d items", e.Source, len(e.Items))
	}
	if (e.HTTP == nil) == (len(e.Items) == 0) {
		t.Errorf("%d items and the web request %v", len(e.Items), e.HTTP)
	}
	if (e.S3Batch != nil) != (e.Answer == AnswerS3Batch) {
		t.Errorf("answer %q with %v", e.Answer, e.S3Batch)
	}
	if e.HTTP != nil && (len(e.HTTP.Body) > maxBody || e.HTTP.Method == "" || e.HTTP.Path == "") {
		t.Errorf("%s with a body of %d bytes", webLine(e.HTTP), len(e.HTTP.Body))
	}
	for _, item := range e.Items {
		switch {
		case item.Err != nil:
			checkError(t, item.Err, mpu.Invalid, mpu.Ignored, mpu.Refused)
			if item.Request != (mpu.Request{}) || item.URLJob != "" {
				t.Errorf("an error comes with a request: %s", item.Request)
			}
		case item.URLJob != "":
			r := item.Request
			if want := (mpu.Request{Bucket: mpu.Bucket{Store: "vod"}, Before: r.Before, Cause: r.Cause}); r != want || r.Before.IsZero() {
				t.Errorf("a pull comes with %+v", r)
			}
		default:
			checkRequest(t, event, e, item)
		}
	}
}

func checkRequest(t *testing.T, event []byte, e Event, item Item) {
	t.Helper()
	r := item.Request
	if err := r.Validate(); err != nil {
		t.Errorf("%s: %v", r, err)
	}
	if again, err := mpu.Parse(r.String()); err != nil || again != r {
		t.Errorf("%s does not survive the notation: %v, %v", r, again, err)
	}
	if r.Bucket.Store == "mps" && r.IsSweep() {
		t.Errorf("%s: a sweep", r)
	}
	source, around, _ := strings.Cut(e.Source, " in ")
	mixed := slices.Contains(envelopes, source)
	if item.PlanOnly && source != "by hand" && !mixed {
		t.Errorf("%s from %s is only planned", r, e.Source)
	}
	switch source {
	case "by hand":
		if !item.PlanOnly && !saysApply(event) && around == "" {
			t.Errorf("%s is applied, and nobody said so", r)
		}
	case "upload failure", "vod callback":
		if r.Key == "" || r.Before.IsZero() || r.OlderThan != 0 || !r.After.IsZero() || r.Prefix != "" {
			t.Errorf("%s is not what a failure asks for", r)
		}
	case "cloudtrail", "cls":
		if r.UploadID == "" || r.Before.IsZero() || r.Cause == "" {
			t.Errorf("%s is not what a failed call asks for", r)
		}
	case "s3 notification", "s3 event", "oss event", "cos trigger":
		if r.Key == "" || r.UploadID != "" || r.Before.IsZero() || r.Cause != completion {
			t.Errorf("%s is not what a completed upload asks for", r)
		}
	case "s3 batch":
		if r.Key == "" || r.Bucket.Store != "s3" {
			t.Errorf("%s is not what a task asks for", r)
		}
	case "aws timer", "aws rule", "fc timer", "scf timer", "handed on":
		if r.Bucket.Store == "mps" || !e.Tick.IsZero() && r.OlderThan != 0 {
			t.Errorf("%s is not what a timer asks for", r)
		}
	default:
		if !mixed {
			t.Errorf("source %q", e.Source)
		}
	}
}

// envelopes are the sources of an event whose messages have several.
var envelopes = []string{"sqs", "sns", "smn", "cmq", "ckafka", "mns topic", "mns queue", "event stream", "destination",
	"cloudevent", "step functions map"}

// saysApply looks for "apply": true without the code under test.
func saysApply(event []byte) bool {
	var fields map[string]any
	return json.Unmarshal(event, &fields) == nil && fields["apply"] == true
}

func checkError(t *testing.T, err error, kinds ...mpu.Kind) {
	t.Helper()
	if _, ok := err.(*mpu.Error); !ok {
		t.Errorf("%T is not an *mpu.Error: %v", err, err)
	}
	known := false
	for _, kind := range kinds {
		known = known || mpu.KindOf(err) == kind
	}
	text := err.Error()
	if !known {
		t.Errorf("kind %v: %s", mpu.KindOf(err), text)
	}
	if len(text) > 1500 {
		t.Errorf("%d bytes of error: %.80s…", len(text), text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("control characters in %q", text)
	}
	if strings.HasSuffix(text, ".") {
		t.Errorf("a full stop at the end of %s", text)
	}
}
