package trigger

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

func TestParseTick(t *testing.T) {
	want := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, event, source string
		tick                time.Time
		before              time.Time
	}{
		{"scheduler", `{"sweep":"s3://videos?olderThan=1h","time":"2026-11-03T10:00:00Z"}`, "aws timer", want, want.Add(-time.Hour)},
		{"scheduler in another zone", `{"sweep":"s3://videos?olderThan=1h","time":"2026-11-03T18:00:00+08:00"}`, "aws timer", want, want.Add(-time.Hour)},
		{"rule input", `{"sweep":"s3://videos?olderThan=1h"}`, "aws timer", time.Time{}, time.Time{}},
		{"rule envelope", `{"detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-03T10:00:00Z","detail":{"sweep":"s3://videos?olderThan=1h"}}`, "aws rule", want, want.Add(-time.Hour)},
		{"rule envelope without time", `{"detail-type":"Scheduled Event","source":"aws.events","detail":{"sweep":"s3://videos?olderThan=1h"}}`, "aws rule", time.Time{}, time.Time{}},
		{"fc", `{"triggerTime":"2026-11-03T10:00:00Z","triggerName":"n","payload":"s3://videos?olderThan=1h"}`, "fc timer", want, want.Add(-time.Hour)},
		{"scf", `{"Type":"Timer","TriggerName":"n","Time":"2026-11-03T10:00:00Z","Message":"s3://videos?olderThan=1h"}`, "scf timer", want, want.Add(-time.Hour)},
		{"by hand", `s3://videos?olderThan=1h`, "by hand", time.Time{}, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse([]byte(tt.event))
			if err != nil {
				t.Fatal(err)
			}
			checkEvent(t, []byte(tt.event), e, err)
			if e.Source != tt.source || e.Tick != tt.tick {
				t.Errorf("%q at %v, want %q at %v", e.Source, e.Tick, tt.source, tt.tick)
			}
			if r := e.Items[0].Request; r.Before != tt.before || r.OlderThan != 0 != tt.tick.IsZero() {
				t.Errorf("got %s", r)
			}
		})
	}
}

// TestParsePlainText reads what is no JSON: FC and a terminal hand it over as it was typed.
func TestParsePlainText(t *testing.T) {
	for _, tt := range []struct {
		name, event string
		want        []string
	}{
		{"one", "s3://videos?olderThan=48h", []string{"plan s3://videos?olderThan=2d"}},
		{"several lines", "s3://videos?olderThan=48h\r\n\toss://v?region=r  \n", []string{"plan s3://videos?olderThan=2d", "plan oss://v?region=r"}},
		{"a blank of another script", "s3://videos/a\u3000b", []string{"plan s3://videos/a%E3%80%80b"}},
		{"percent-encoded control characters", "s3://videos/a%0Ab", []string{"plan s3://videos/a%0Ab"}},
		{"one bad word", "s3://videos sweep", []string{"plan s3://videos", `invalid: parse request: "sweep": `}},
		{"a control character", "s3://videos/a\x01b", []string{`invalid: read request: request "s3://videos/a\x01b": invalid`}},
		{"any bucket, typed", "s3://*?olderThan=7d", []string{"plan s3://*?olderThan=7d"}},
		{"no request", "sweep everything", []string{`invalid: read by hand: event "sweep everything": invalid`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse([]byte(tt.event))
			checkEvent(t, []byte(tt.event), e, err)
			got := outcomes(e, err)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q", got)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	many := func(n int) string { return strings.TrimSpace(strings.Repeat("s3://videos?olderThan=48h ", n)) }
	list := func(n int) string {
		return `{"requests":[` + strings.TrimSuffix(strings.Repeat(`"s3://videos",`, n), ",") + `]}`
	}
	for _, tt := range []struct {
		name, event, want string // want is empty if the event is good
	}{
		{"as many words as may be", many(1000), ""},
		{"a word too many", many(1001), `requests "1001"`},
		{"as many elements as may be", list(1000), ""},
		{"an element too many", list(1001), `requests "1001"`},
		{"ten thousand elements", list(10000), `requests "10000"`},
		{"a byte too many", many(1) + strings.Repeat(" ", maxEvent), fmt.Sprintf("size %d", maxEvent+25)},
		{"one word of nearly 1 MiB", "s3://videos/" + strings.Repeat("k", maxEvent-100), `a key has at most 4096 bytes`},
		{"one string of nearly 1 MiB", `{"request":"s3://videos?cause=` + strings.Repeat("k", maxEvent-100) + `"}`, `a cause has at most 1024 bytes`},
		{"a thousand levels", strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), "64 levels"},
		{"levels without end", strings.Repeat(`{"a":`, 200000), "64 levels"},
		{"brackets in a string are no levels", `{"request":"s3://videos/` + strings.Repeat(`[\"{`, 100) + `"}`, ""},
		{"many fields", `{` + strings.TrimSuffix(strings.Repeat(`"FIELD":1,`, 50000), ",") + `}`, `field "FIELD"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse([]byte(tt.event))
			checkEvent(t, []byte(tt.event), e, err)
			if len(e.Items) == 1 && err == nil {
				err = e.Items[0].Err
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestUnknownFields names what was seen, a bounded number of them.
func TestUnknownFields(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, `,"f%02d":{"secret":"Bearer x"}`, i)
	}
	_, err := Parse([]byte("{" + b.String()[1:] + "}"))
	checkError(t, err, mpu.Invalid)
	for _, want := range []string{`"f00"`, `"f11"`, "18 more"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
}

func TestCauseIsOneClippedLine(t *testing.T) {
	event := `{"type":"upload-failed","request":"s3://videos/a?cause=mine","failedAt":"2026-11-03T08:59:58Z","reason":"a\nb` +
		strings.Repeat("成", 300) + `"}`
	e, err := Parse([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	got := e.Items[0].Request.Cause
	if !strings.HasPrefix(got, "a b成") || !strings.HasSuffix(got, "成...") || len(got) > 200 {
		t.Errorf("cause is %q", got)
	}
}

// TestParseKeepsNoBytes makes sure that a caller may use its buffer again.
func TestParseKeepsNoBytes(t *testing.T) {
	event := []byte(`{"store":"s3","bucket":"videos","key":"a"}`)
	e, err := Parse(event)
	if err != nil {
		t.Fatal(err)
	}
	clear(event)
	if got := e.Items[0].Request.String(); got != "s3://videos/a" {
		t.Errorf("got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range eventFiles(f) {
		event, err := os.ReadFile(path + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(event)
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		e, err := Parse(event)
		checkEvent(t, event, e, err)
		e, err = ParseVODCallback(event)
		checkEvent(t, event, e, err)
		if err == nil && e.Source != "vod callback" {
			t.Errorf("a callback from %s", e.Source)
		}
	})
}

func TestByteOrderMark(t *testing.T) {
	e, err := Parse([]byte("\ufeff{\"sweep\":\"s3://media-in?olderThan=2d\"}"))
	if err != nil || len(e.Items) != 1 || e.Items[0].Err != nil {
		t.Errorf("%+v, %v", e, err)
	}
}

// A client's error text may quote the URL that failed, signature and all.
func TestCauseHoldsNoSignature(t *testing.T) {
	const quoted = "&cause=PUT%20https%3A//h/k%3FX-Amz-Signature%3Dhunter2%20timed%20out"
	for _, event := range []string{
		`{"type":"upload-failed","request":"s3://media-in/k?uploadId=u","failedAt":"2026-11-03T08:59:58Z","reason":"PUT https://h/k?X-Amz-Signature=hunter2 timed out"}`,
		`{"type":"upload-failed","request":"s3://media-in/k?uploadId=u` + quoted + `","failedAt":"2026-11-03T08:59:58Z"}`,
		`{"request":"s3://media-in/k?uploadId=u` + quoted + `","apply":true}`,
		`{"requests":["s3://media-in/k?uploadId=u` + quoted + `"]}`,
		`{"sweep":"s3://media-in/k?olderThan=2d` + quoted + `"}`,
		`"s3://media-in/k?uploadId=u` + quoted + `"`,
	} {
		e, err := Parse([]byte(event))
		if err != nil || len(e.Items) != 1 || e.Items[0].Err != nil || e.Items[0].Request.Cause != "PUT https://h/k" {
			t.Errorf("%s: %+v, %v", event, e, err)
		}
	}
}

// Nor does a line of an access log that cannot be read.
func TestLogLineHoldsNoSignature(t *testing.T) {
	for _, line := range []string{"GET /k?uploadId=u&q-signature=hunter2&x=%zz HTTP/1.1", "GET /k?q-signature=hunter2 HTTP/1.1", "/k?uploadId=a&uploadId=b&q-signature=hunter2"} {
		_, _, err := loggedUpload("/k", line)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Nor does a complaint about a text that was meant to be a request.
func TestComplaintHoldsNoSignature(t *testing.T) {
	for _, event := range []string{
		`{"request":"https://h/k?X-Amz-Signature=hunter2\u0001"}`, `{"requests":["https://h/k?X-Amz-Signature=hunter2\ufffd"]}`,
		`"https://h/k?X-Amz-Signature=hunter2"`, `{"sweep":"https://h/k?X-Amz-Signature=hunter2\u0001"}`,
		`{"store":"s3","bucket":"h/k?X-Amz-Signature=hunter2"}`, `{"store":"s3","bucket":"b","key":"k?X-Amz-Signature=hunter2\u0001"}`,
		`{"type":"upload-failed","failedAt":"2026-11-03T08:59:58Z","request":"https://h/k?X-Amz-Signature=hunter2\u0001"}`,
	} {
		e, err := Parse([]byte(event))
		text := fmt.Sprint(err)
		for _, item := range e.Items {
			text += fmt.Sprint(item.Err)
		}
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "invalid") {
			t.Errorf("%s: %s", event, text)
		}
	}
}
