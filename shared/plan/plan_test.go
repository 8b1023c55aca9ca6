package plan

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partsweep/partsweep/shared/mpu"
)

var (
	made   = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	cutoff = made.Add(-24 * time.Hour)
	media  = mpu.Bucket{Store: "s3", Region: "eu-west-1", Name: "media"}
	logs   = mpu.Bucket{Store: "cos", Region: "ap-beijing", Name: "logs-1250000000"}
	vod    = mpu.Bucket{Store: "vod", Region: "cn-shanghai", Name: "cn-shanghai"}
)

func upload(b mpu.Bucket, key, id string) mpu.Upload {
	return mpu.Upload{Bucket: b, Key: key, UploadID: id, Initiated: made.Add(-72 * time.Hour), StorageClass: "STANDARD"}
}

// written is a plan of four uploads to abort and one to keep.
func written(t *testing.T, complete bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, Header{Made: made, Requests: []string{"s3://media?olderThan=1d"}})
	stale := func(u mpu.Upload, bytes int64) mpu.Outcome {
		return mpu.Outcome{Upload: u, Result: mpu.ResultPlanned, Reason: mpu.Stale, Inspected: true, Parts: 1, Bytes: bytes, Before: cutoff, LastActive: u.Initiated}
	}
	w.Add(stale(upload(media, "raw/a & b.mxf", "U1"), 5))
	w.Add(stale(upload(logs, "x", "U2"), 7))
	w.Add(mpu.Outcome{Upload: upload(media, "kept", "U3"), Result: mpu.ResultKept, Reason: mpu.Active, Before: cutoff})
	w.Add(stale(upload(media, "raw/成片.mxf", "U4"), 9))
	w.Add(stale(upload(vod, "video", "video"), 11))
	w.Add(mpu.Outcome{Upload: upload(media, "failed", "U5"), Result: mpu.ResultFailed, Before: cutoff})
	if err := w.Close(complete); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWrittenIsRead(t *testing.T) {
	text := written(t, true)
	f, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Header{Version, made, []string{"s3://media?olderThan=1d"}}); cmp.Diff(want, f.Header) != "" {
		t.Errorf("header %+v", f.Header)
	}
	if want := (End{End: true, Abort: 4, Keep: 1, Bytes: 32, Complete: true}); f.End != want || f.Abort != 4 || f.Bytes != 32 {
		t.Errorf("%+v, %d uploads, %d bytes", f.End, f.Abort, f.Bytes)
	}
	var got []string
	for _, g := range f.Groups {
		if g.Uploads == nil {
			got = append(got, "alone "+g.Request.String())
			continue
		}
		for u := range g.Uploads {
			if !u.Initiated.Equal(made.Add(-72*time.Hour)) || u.StorageClass != "STANDARD" {
				t.Errorf("%+v", u)
			}
			got = append(got, g.Request.String()+" "+u.String())
		}
	}
	want := []string{
		"s3://media?region=eu-west-1&before=2026-11-02T10:00:00Z s3://media/raw/a%20%26%20b.mxf?region=eu-west-1&uploadId=U1",
		"s3://media?region=eu-west-1&before=2026-11-02T10:00:00Z s3://media/raw/%E6%88%90%E7%89%87.mxf?region=eu-west-1&uploadId=U4",
		"cos://logs-1250000000?region=ap-beijing&before=2026-11-02T10:00:00Z cos://logs-1250000000/x?region=ap-beijing&uploadId=U2",
		"alone vod://cn-shanghai/video?before=2026-11-02T10:00:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Lines that a person strikes out are not applied, and neither are those that are changed to keep.
func TestStrickenLines(t *testing.T) {
	lines := strings.SplitAfter(string(written(t, true)), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "U2") })
	text := strings.Replace(strings.Join(lines, ""), `uploadId=U4","verdict":"abort"`, `uploadId=U4","verdict":"keep"`, 1)
	f, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if f.Abort != 2 || f.Bytes != 16 || len(f.Groups) != 2 {
		t.Errorf("%+v", f)
	}
}

// An upload that two requests named is read once, by the earlier cutoff; and not at all if one of its lines was changed to keep.
func TestTwice(t *testing.T) {
	lines := strings.SplitAfter(string(written(t, true)), "\n")
	earlier := strings.Replace(lines[1], "2026-11-02T10:00:00Z", "2026-11-01T10:00:00Z", 1)
	spared := strings.Replace(lines[1], `"verdict":"abort"`, `"verdict":"keep"`, 1)
	elsewhere := strings.Replace(spared, "region=eu-west-1&", "", 1)
	young := strings.Replace(spared, `"reason":"stale"`, `"reason":"too young"`, 1)
	for _, tt := range []struct {
		name, line string
		abort      int
		before     time.Time
	}{
		{"the same", lines[1], 4, cutoff},
		{"an earlier cutoff", earlier, 4, cutoff.Add(-24 * time.Hour)},
		{"kept by a person", spared, 3, time.Time{}},
		{"kept without its region", elsewhere, 3, time.Time{}},
		{"kept by the other request", young, 3, time.Time{}},
	} {
		for _, text := range []string{lines[0] + tt.line + strings.Join(lines[1:], ""), strings.Join(lines[:len(lines)-2], "") + tt.line + lines[len(lines)-2]} {
			f, err := Read([]byte(text))
			if err != nil {
				t.Fatal(tt.name, err)
			}
			n, before := 0, time.Time{}
			for _, g := range f.Groups {
				if g.Uploads == nil {
					n++
					continue
				}
				for u := range g.Uploads {
					if n++; u.UploadID == "U1" {
						before = g.Request.Before
					}
				}
			}
			if f.Abort != tt.abort || n != tt.abort || !before.Equal(tt.before) {
				t.Errorf("%s: %d of %d uploads, the one by %s", tt.name, n, f.Abort, before)
			}
		}
	}
}

// Editors put a mark and a blank line in front, and end lines in their own way.
func TestReadTakesWhatEditorsDo(t *testing.T) {
	text := "\ufeff\r\n" + strings.ReplaceAll(string(written(t, true)), "\n", "\r\n")
	if f, err := Read([]byte(text)); err != nil || f.Abort != 4 || f.Unknown != 0 {
		t.Errorf("%v %+v", err, f)
	}
}

func TestReadRefuses(t *testing.T) {
	whole := string(written(t, true))
	lines := strings.SplitAfter(whole, "\n")
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "the file is empty"},
		{"no plan", "hello\n", "line 1: invalid: this is no plan"},
		{"an event", `{"sweep":"s3://media"}` + "\n", "this is no plan"},
		{"another version", strings.Replace(whole, `"plan":1`, `"plan":2`, 1), "version 2"},
		{"cut at a line", strings.Join(lines[:3], ""), "may have been cut"},
		{"cut in a line", whole[:len(whole)-200], "may have been cut"},
		{"cut in the first line", whole[:9], "may have been cut"},
		{"cut in the end", whole[:len(whole)-9], "may have been cut"},
		{"a line behind the end", whole + lines[1], "behind the end"},
		{"a word that nobody knows", strings.Replace(whole, `"parts"`, `"part"`, 1), `field "part" is not one of a plan`},
		{"two on one line", strings.Replace(whole, "}\n{", "}{", 2), "more than one object stands on the line"},
		{"a line that was half struck out", lines[0] + lines[1][20:] + strings.Join(lines[2:], ""), "line 2: invalid: this is no JSON object"},
		{"two on one line, and a brace", strings.Replace(whole, "}\n{", "}}{", 1), "more than one object"},
		{"two uploads on one line, and a brace", lines[0] + strings.TrimSpace(lines[1]) + "}" + strings.Join(lines[2:], ""), "more than one object"},
		{"no header", "\n" + strings.Join(lines[1:], ""), "this is no plan"},
		{"two verdicts", strings.Replace(whole, `"verdict":"abort"`, `"verdict":"keep","Verdict":"abort"`, 1), `field "Verdict" stands there twice`},
		{"a number in words", strings.Replace(whole, `"bytes":5`, `"bytes":"5"`, 1), "field bytes: a string cannot stand here"},
		{"fewer than no bytes", strings.Replace(whole, `"bytes":5`, `"bytes":-5`, 1), "below 0"},
		{"a day for a time", strings.Replace(whole, `"before":"2026-11-02T10:00:00Z"`, `"before":"2026-11-02"`, 1), "write times as in"},
		{"another verdict", strings.Replace(whole, `"abort"`, `"delete"`, 1), `verdict "delete"`},
		{"no cutoff", strings.Replace(whole, `"before":"2026-11-02T10:00:00Z",`, "", 1), "before is missing"},
		{"a sweep", strings.Replace(whole, `/raw/a%20%26%20b.mxf?region=eu-west-1&uploadId=U1`, `?region=eu-west-1`, 1), "exactly one upload"},
		{"no bucket", strings.Replace(whole, `s3://media/raw/a`, `s3:///raw/a`, 1), "line 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Read([]byte(tt.text))
			if err == nil || !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q; read %+v", err, tt.want, f)
			}
		})
	}
}

func TestWriterFails(t *testing.T) {
	w := NewWriter(full{}, Header{})
	if err := w.Close(true); err == nil {
		t.Error("nothing could be written, and nobody says so")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"plan":1,"made":"2026-11-03T10:00:00Z","requests":[]}` + "\n" + `{"end":true,"abort":0,"keep":0,"bytes":0,"complete":true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(text)
		if err != nil {
			return
		}
		for _, g := range p.Groups {
			if g.Uploads == nil {
				continue
			}
			for u := range g.Uploads {
				if u.UploadID == "" || u.Bucket != g.Request.Bucket || g.Request.Before.IsZero() {
					t.Errorf("%+v in %+v", u, g.Request)
				}
			}
		}
	})
}
