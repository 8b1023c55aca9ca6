package trigger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// goodEvents returns every payload that a platform sends, by its name.
func goodEvents(t *testing.T) map[string][]byte {
	t.Helper()
	events := map[string][]byte{}
	for _, path := range eventFiles(t) {
		name, _ := filepath.Rel(eventsDir, path)
		if strings.HasPrefix(filepath.ToSlash(name), "hostile/") {
			continue
		}
		event, err := os.ReadFile(path + ".json")
		if err != nil {
			t.Fatal(err)
		}
		events[filepath.ToSlash(name)] = event
	}
	return events
}

// perSource keeps the smallest payloads that show every source and every envelope, and ask for something.
func perSource(events map[string][]byte) map[string][]byte {
	kept := map[string][]byte{}
	seen := map[string]bool{}
	bySize := func(a, b string) int { return cmp.Or(len(events[a])-len(events[b]), strings.Compare(a, b)) }
	for _, name := range slices.SortedFunc(maps.Keys(events), bySize) {
		e, err := Parse(events[name])
		if err != nil || e.HTTP == nil && e.Items[0].Err != nil {
			continue
		}
		for source := range strings.SplitSeq(e.Source, " in ") {
			if !seen[source] {
				seen[source] = true
				kept[name] = events[name]
			}
		}
	}
	return kept
}

// A swap is what a hostile sender puts in the place of a value.
type swap struct {
	name string
	with any
}

// removed stands for a value that is taken out.
var removed = &swap{}

var swaps = []swap{
	{"a thousand levels", levels(1000)},
	{"a long key", "raw%2F" + strings.Repeat("成", 2000)},
	{"nothing", removed},
	{"null", nil},
	{"true", true},
	{"a number", 7},
	{"a fraction", 1e300},
	{"a blank", ""},
	{"an array", []any{}},
	{"an array of one", []any{"x"}},
	{"an object", map[string]any{}},
	{"control characters", "a\x00b\nc"},
	{"a replacement character", "a\ufffdb"},
	{"malformed escapes", "%zz%"},
	{"encoded control characters", "%00%0A"},
	{"any bucket", "*"},
	{"a host", "evil.example/x?y#z"},
	{"a year to come", "9999-12-31T23:59:59Z"},
	{"no year", "0000-00-00T00:00:00Z"},
}

func levels(n int) any {
	var deep any = "x"
	for range n {
		deep = []any{deep}
	}
	return deep
}

// TestHostileValues puts each of the swaps in the place of each value of each payload, also within texts that hold JSON. An
// event that named its uploads must not come to name anything wider.
func TestHostileValues(t *testing.T) {
	for name, event := range perSource(goodEvents(t)) {
		t.Run(name, func(t *testing.T) {
			narrow := namesUploads(Parse(event)) && !strings.HasPrefix(name, "aws/s3-batch") // whose keys may be any text
			for _, s := range swaps {
				for n := 0; ; n++ {
					hostile, ok := swapped(event, n, s.with)
					if !ok {
						break
					}
					e, err := Parse(hostile)
					checkEvent(t, hostile, e, err)
					if narrow && !isRemoved(s.with) && !namesUploads(e, err) {
						t.Errorf("%s as value %d: %s", s.name, n, strings.Join(outcomes(e, err), "\n"))
					}
					if t.Failed() {
						t.Fatalf("%s as value %d: %.2000s", s.name, n, hostile)
					}
				}
			}
		})
	}
}

// namesUploads reports whether every request of the event is about one upload.
func namesUploads(e Event, _ error) bool {
	return !slices.ContainsFunc(e.Items, func(item Item) bool {
		return item.Err == nil && item.URLJob == "" && item.Request.UploadID == ""
	})
}

// TestFieldsThatAreMissing makes sure that a failed call without its upload's ID never becomes a request for its key.
func TestFieldsThatAreMissing(t *testing.T) {
	for name, event := range goodEvents(t) {
		e, err := Parse(event)
		source, _, _ := strings.Cut(e.Source, " in ")
		if err != nil || source != "cloudtrail" {
			continue
		}
		for n := 0; ; n++ {
			hostile, ok := swapped(event, n, removed)
			if !ok {
				break
			}
			if e, err := Parse(hostile); !namesUploads(e, err) {
				t.Errorf("%s without value %d: %s", name, n, strings.Join(outcomes(e, err), "\n"))
			}
		}
	}
}

// TestTruncated cuts each payload short.
func TestTruncated(t *testing.T) {
	for name, event := range goodEvents(t) {
		for n := range 10 {
			short := event[:len(event)*n/10]
			e, err := Parse(short)
			checkEvent(t, short, e, err)
			if err == nil && json.Valid(event) && event[0] != '"' {
				t.Errorf("%s, %d bytes of %d: %s", name, len(short), len(event), strings.Join(outcomes(e, err), "\n"))
			}
		}
	}
}

// TestHostileSizes makes one payload of each source large in every way that it has, and bounds what it costs.
func TestHostileSizes(t *testing.T) {
	long := strings.Repeat("k", 1<<20)
	for name, event := range perSource(goodEvents(t)) {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				size := len(long)
				if n%5 != 0 {
					size /= 16 // still far over the bound of any field
				}
				hostile, ok := lengthened(event, n, long[:size])
				if !ok {
					break
				}
				checkCost(t, hostile)
			}
			for n := 0; ; n++ {
				hostile, arrays := repeated(event, n)
				if !arrays {
					break
				}
				checkCost(t, hostile)
			}
		})
	}
}

// TestCost bounds what the worst events of the greatest size cost.
func TestCost(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (maxEvent-1000)/len(s)) }
	sqs := func(bodies ...string) string {
		var records []string
		for _, body := range bodies {
			text, _ := json.Marshal(body)
			records = append(records, fmt.Sprintf(`{"eventSource":"aws:sqs","messageId":"1","body":%s}`, text))
		}
		return `{"Records":[` + strings.Join(records, ",") + `]}`
	}
	many := func(n int, body string) []string { return slices.Repeat([]string{body}, n) }
	for _, tt := range []struct{ name, event string }{
		{"numbers", "[" + fill("1,") + "1]"},
		{"records of numbers", `{"Records":[` + fill("1,") + "1]}"},
		{"records without end", `{"Records":[` + fill("{}") + "]}"},
		{"ten thousand messages", sqs(many(10000, "s3://a")...)},
		{"ten thousand notifications", `{"Records":[` + strings.Repeat(`{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{}},`, 9999) + `{}]}`},
		{"ten thousand events of oss", `{"events":[` + strings.Repeat(`{"eventSource":"acs:oss","eventName":"x"},`, 9999) + `{}]}`},
		{"blanks", `{"Records":` + fill(" ") + "[]}"},
		{"a text of backslashes", `{"Records":["` + fill(`\\`) + `"]}`},
		{"a text of escapes", `{"request":"` + fill(`\u0041`) + `"}`},
		{"a notation of escapes", "s3://videos/" + fill("%41")},
		{"words", fill("s3://a ")},
		{"fields", `{"x":1` + func() string {
			var b strings.Builder
			for i := range 400000 {
				fmt.Fprintf(&b, `,"%d":1`, i)
			}
			return b.String()
		}() + "}"},
		{"a thousand messages of four words", sqs(many(1000, fill("s3://a ")[:28])...)},
		{"a thousand messages of a thousand bad words", sqs(many(1000, strings.Repeat("s3://! ", 850))...)},
		{"messages in messages", sqs(sqs(sqs(sqs(strings.Repeat("s3://a ", 30000)))))},
		{"ten large bodies", sqs(many(10, strings.Repeat(" ", 600000)+"s3://a")...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.event) > maxEvent {
				t.Fatalf("%d bytes are over the limit and prove nothing", len(tt.event))
			}
			checkCost(t, []byte(tt.event))
		})
	}
}

// checkCost parses an event and bounds what that allocates.
func checkCost(t *testing.T, event []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := Parse(event)
	runtime.ReadMemStats(&after)
	checkEvent(t, event, e, err)
	if cost, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(event)+4<<20); cost > most {
		t.Errorf("%d bytes allocated for an event of %d: %.80s", cost, len(event), event)
	}
}

// swapped replaces the value number n of an event, counted through objects, arrays, and texts that hold JSON.
func swapped(event []byte, n int, with any) ([]byte, bool) {
	return edited(event, n, func(any) (any, bool) { return with, true })
}

// lengthened replaces the text number n.
func lengthened(event []byte, n int, with string) ([]byte, bool) {
	return edited(event, n, func(v any) (any, bool) {
		_, ok := v.(string)
		return with, ok
	})
}

// repeated makes ten thousand elements of the first one in the array number n, or as many as an event has room for.
func repeated(event []byte, n int) ([]byte, bool) {
	times := min(10000, maxEvent/len(event))
	return edited(event, n, func(v any) (any, bool) {
		elements, ok := v.([]any)
		if !ok || len(elements) == 0 {
			return nil, false
		}
		return slices.Repeat(elements[:1], times), true
	})
}

func edited(event []byte, n int, edit func(any) (any, bool)) ([]byte, bool) {
	var whole any
	if json.Unmarshal(event, &whole) != nil {
		return nil, false
	}
	e := editor{left: n, edit: edit}
	whole = e.walk(whole)
	if !e.done || isRemoved(whole) {
		return nil, false
	}
	out, err := json.Marshal(whole)
	return out, err == nil
}

// An editor walks through a value and replaces one of those that it may edit.
type editor struct {
	left int
	done bool
	edit func(any) (any, bool)
}

func (e *editor) walk(v any) any {
	if e.done {
		return v
	}
	if with, ok := e.edit(v); ok {
		if e.left--; e.left < 0 {
			e.done = true
			return with
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] = e.walk(v[name]); isRemoved(v[name]) {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = e.walk(v[i])
		}
		return slices.DeleteFunc(v, func(v any) bool { return isRemoved(v) })
	case string:
		return e.walkText(v)
	}
	return v
}

// walkText edits JSON that stands in a text.
func (e *editor) walkText(text string) any {
	var inner any
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &inner) != nil {
		return text
	}
	was := e.done
	inner = e.walk(inner)
	if was == e.done || isRemoved(inner) {
		return text
	}
	out, err := json.Marshal(inner)
	if err != nil {
		return text
	}
	return string(out)
}

func isRemoved(v any) bool {
	p, ok := v.(*swap)
	return ok && p == removed
}
