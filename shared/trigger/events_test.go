package trigger

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		if err != nil || d.IsDir() || d.Name() == "README.md" {
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
		case "ignored:", "invalid:", "refused:":
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
	for _, item := range e.Items {
		switch {
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
		if diff := cmp.Diff(Event{}, e); diff != "" {
			t.Errorf("an error comes with an event (-want +got):\n%s", diff)
		}
		return
	}
	if e.Source == "" || len(e.Items) == 0 || len(e.Items) > maxItems {
		t.Errorf("source %q with %d items", e.Source, len(e.Items))
	}
	for _, item := range e.Items {
		if item.Err != nil {
			checkError(t, item.Err, mpu.Invalid, mpu.Ignored, mpu.Refused)
			if item.Request != (mpu.Request{}) {
				t.Errorf("an error comes with a request: %s", item.Request)
			}
			continue
		}
		checkRequest(t, event, e, item)
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
	switch e.Source {
	case "by hand":
		if !item.PlanOnly && !saysApply(event) {
			t.Errorf("%s is applied, and nobody said so", r)
		}
	case "upload failure":
		if item.PlanOnly || r.Key == "" || r.Before.IsZero() || r.OlderThan != 0 || !r.After.IsZero() || r.Prefix != "" {
			t.Errorf("%s is not what a failure asks for", r)
		}
	default:
		if item.PlanOnly || r.Bucket.Store == "mps" || !e.Tick.IsZero() && r.OlderThan != 0 {
			t.Errorf("%s is not what a timer asks for", r)
		}
	}
}

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
