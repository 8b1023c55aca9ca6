package mpu

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	videos := Bucket{Store: "s3", Name: "videos"}
	for _, tt := range []struct {
		name, in, canonical string // canonical is empty where it is in
		want                Request
	}{
		{"one upload", "s3://videos/raw/a.mp4?uploadId=VXBs&before=2026-01-02T03:04:05Z", "",
			Request{Bucket: videos, Key: "raw/a.mp4", UploadID: "VXBs", Before: day}},
		{"one key", "s3://videos/raw/a.mp4?before=2026-01-02T03:04:05Z", "", Request{Bucket: videos, Key: "raw/a.mp4", Before: day}},
		{"a sweep", "s3://videos?prefix=raw/&olderThan=48h", "s3://videos?prefix=raw/&olderThan=2d",
			Request{Bucket: videos, Prefix: "raw/", OlderThan: 48 * time.Hour}},
		{"a sweep with nothing said", "s3://videos", "", Request{Bucket: videos}},
		{"a region", "cos://media-1250000000?region=ap-beijing&olderThan=7d", "",
			Request{Bucket: Bucket{"cos", "ap-beijing", "media-1250000000"}, OlderThan: 7 * 24 * time.Hour}},
		{"a VOD upload", "vod://cn-shanghai/61ccbdb06fa3012be4d8083f6", "",
			Request{Bucket: Bucket{"vod", "cn-shanghai", "cn-shanghai"}, Key: "61ccbdb06fa3012be4d8083f6", UploadID: "61ccbdb06fa3012be4d8083f6"}},
		{"a VOD sweep", "vod://cn-shanghai?olderThan=1d", "", Request{Bucket: Bucket{"vod", "cn-shanghai", "cn-shanghai"}, OlderThan: 24 * time.Hour}},
		{"an MPS medium", "mps://cn-shanghai/3e1c", "", Request{Bucket: Bucket{"mps", "cn-shanghai", "cn-shanghai"}, Key: "3e1c", UploadID: "3e1c"}},
		{"every bucket", "s3://*?olderThan=7d", "", Request{Bucket: Bucket{Store: "s3", Name: AnyBucket}, OlderThan: 7 * 24 * time.Hour}},
		{"the rest of a sweep", "s3://videos?before=2026-01-02T03:04:05Z&after=raw/b%2Cc,VXBs", "",
			Request{Bucket: videos, Before: day, After: Marker{"raw/b,c", "VXBs"}}},
		{"half a marker is a marker", "s3://videos?after=raw/b,", "", Request{Bucket: videos, After: Marker{Key: "raw/b"}}},
		{"a cause", "s3://videos?cause=client-timeout", "", Request{Bucket: videos, Cause: "client-timeout"}},
		{"parameters in any order", "s3://videos?cause=x&olderThan=90s&region=eu-west-1", "s3://videos?region=eu-west-1&olderThan=1m30s&cause=x",
			Request{Bucket: Bucket{"s3", "eu-west-1", "videos"}, OlderThan: 90 * time.Second, Cause: "x"}},
		{"another zone, a fraction", "s3://videos?before=2026-01-02T11:04:05.250%2B08:00", "s3://videos?before=2026-01-02T03:04:05.25Z",
			Request{Bucket: videos, Before: day.Add(250 * time.Millisecond)}},
		{"a plus sign is a plus sign", "s3://videos/a+b?uploadId=x+y", "s3://videos/a%2Bb?uploadId=x%2By", Request{Bucket: videos, Key: "a+b", UploadID: "x+y"}},
		{"small hexadecimal digits", "s3://videos/a%2bb", "s3://videos/a%2Bb", Request{Bucket: videos, Key: "a+b"}},
		{"a key that begins with a slash", "s3://videos//a", "", Request{Bucket: videos, Key: "/a"}},
		{"a key of a slash", "s3://videos//", "", Request{Bucket: videos, Key: "/"}},
		{"a key that climbs", "s3://videos/../a/./b//", "", Request{Bucket: videos, Key: "../a/./b//"}},
		{"a key in Chinese", "s3://videos/成片", "s3://videos/%E6%88%90%E7%89%87", Request{Bucket: videos, Key: "成片"}},
		{"a key with everything", "s3://videos/%00%0A%20%23%25%26%2C%3D%3F%7F%FF", "", Request{Bucket: videos, Key: "\x00\n #%&,=?\x7f\xff"}},
		{"a value with an equals sign", "s3://videos/a?uploadId=VXBs==", "s3://videos/a?uploadId=VXBs%3D%3D", Request{Bucket: videos, Key: "a", UploadID: "VXBs=="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			canonical := tt.canonical
			if canonical == "" {
				canonical = tt.in
			}
			if got.String() != canonical {
				t.Errorf("canonical form is %s, want %s", got, canonical)
			}
		})
	}
}

// A mistake that is easily made is answered with what was meant.
func TestParseSays(t *testing.T) {
	for in, want := range map[string]string{
		"S3://videos": "write s3", "Oss://videos": "write oss", "gs://videos": "use one of s3, cos",
		"s3://videos?olderthan=1d": "write olderThan", "s3://videos?older-than=1d": "write olderThan", "s3://videos/a?upload_id=x": "write uploadId",
		"s3://videos?before=2026-01-02": "write 2026-01-02T00:00:00Z", "s3://videos?before=noon": "write a time as in", "s3://videos?olderThan=3x": "7d or 2w",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	if d, err := ParseAge("2w"); err != nil || d != 14*24*time.Hour {
		t.Errorf("%s, %v", d, err)
	}
}

func TestParseInvalid(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     string // the field with its value
	}{
		{"nothing", "", `notation ""`},
		{"no scheme", "videos?olderThan=48h", `notation "videos"`},
		{"one slash", "s3:/videos", `notation "s3:/videos"`},
		{"unknown scheme", "ftp://videos", `store "ftp"`},
		{"scheme in capitals", "S3://videos", `store "S3"`},
		{"no bucket", "s3://", `bucket ""`},
		{"no bucket but a key", "s3:///a", `bucket ""`},
		{"bucket with a port", "s3://videos:80/a", `bucket "videos:80"`},
		{"bucket with a user", "s3://user@videos/a", `bucket "***@videos"`},
		{"bucket that climbs", "s3://..?olderThan=1d", `bucket ".."`},
		{"bucket with an escape", "s3://videos%2Fa", `bucket "videos%2Fa"`},
		{"bucket that begins with a hyphen", "s3://-videos", `bucket "-videos"`},
		{"bucket too long", "s3://" + strings.Repeat("b", 256), `bucket "bbb`},
		{"part of a pattern", "s3://vid*", `bucket "vid*"`},
		{"blank key", "s3://videos/", `key ""`},
		{"blank key and parameters", "s3://videos/?olderThan=1d", `key ""`},
		{"key too long", "s3://videos/" + strings.Repeat("k", 4097), `key "kkk`},
		{"half an escape", "s3://videos/a%2", `key "a%2"`},
		{"no escape", "s3://videos/a%zz", `key "a%zz"`},
		{"signed escape", "s3://videos/a%+1", `key "a%+1"`},
		{"raw blank", "s3://videos/a b", `notation "s3://videos/a b"`},
		{"raw line", "s3://videos/a\nb", `notation "s3://videos/a\nb"`},
		{"raw NUL", "s3://videos/a\x00b", `notation "s3://videos/a\x00b"`},
		{"raw vertical tab", "s3://videos/a\vb", `notation "s3://videos/a\vb"`},
		{"fragment", "s3://videos/a#b", `notation "s3://videos/a#b"`},
		{"no parameters after all", "s3://videos?", `parameter ""`},
		{"parameter without value", "s3://videos?olderThan", `parameter "olderThan"`},
		{"parameter with a blank value", "s3://videos/a?uploadId=", `parameter "uploadId="`},
		{"blank between two", "s3://videos?olderThan=1d&&cause=x", `parameter ""`},
		{"unknown parameter", "s3://videos?dryRun=false", `parameter "dryRun"`},
		{"unknown parameter with a bad value", "s3://videos?dry%0ARun=%zz", `parameter "dry%0ARun"`},
		{"parameter in small letters", "s3://videos?olderthan=1d", `parameter "olderthan"`},
		{"twice", "s3://videos?olderThan=1d&olderThan=2d", `olderThan "2d"`},
		{"region that is a host", "s3://videos?region=evil.example%2F", `region "evil.example/"`},
		{"region too long", "s3://videos?region=" + strings.Repeat("r", 65), `region "rrr`},
		{"bad escape in a value", "s3://videos?prefix=%", `prefix "%"`},
		{"prefix too long", "s3://videos?prefix=" + strings.Repeat("p", 4097), `prefix "ppp`},
		{"prefix and key", "s3://videos/a?prefix=b", `prefix "b"`},
		{"upload ID without a key", "s3://videos?uploadId=VXBs", `key ""`},
		{"upload ID too long", "s3://videos/a?uploadId=" + strings.Repeat("u", 4097), `uploadId "uuu`},
		{"no time", "s3://videos?before=yesterday", `before "yesterday"`},
		{"a time without a zone", "s3://videos?before=2026-01-02T03:04:05", `before "2026-01-02T03:04:05"`},
		{"a day", "s3://videos?before=2026-01-02", `before "2026-01-02"`},
		{"a time in seconds", "s3://videos?before=1767323045", `before "1767323045"`},
		{"the zero time", "s3://videos?before=0001-01-01T00:00:00Z", `before "0001-01-01T00:00:00Z"`},
		{"before the first year", "s3://videos?before=0001-01-01T00:00:00%2B01:00", `before "0"`},
		{"after the last year", "s3://videos?before=9999-12-31T23:59:59-01:00", `before "10000"`},
		{"no age", "s3://videos?olderThan=old", `olderThan "old"`},
		{"an age without a unit", "s3://videos?olderThan=48", `olderThan "48"`},
		{"no age at all", "s3://videos?olderThan=0s", `olderThan "0s"`},
		{"zero days", "s3://videos?olderThan=0d", `olderThan "0d"`},
		{"an age in the future", "s3://videos?olderThan=-48h", `olderThan "-48h"`},
		{"two cutoffs", "s3://videos?olderThan=1d&before=2026-01-02T03:04:05Z", `olderThan "1d"`},
		{"a marker without a comma", "s3://videos?after=a", `after "a"`},
		{"a marker with two commas", "s3://videos?after=a,b,c", `after "a,b,c"`},
		{"an empty marker", "s3://videos?after=,", `after ","`},
		{"a bad escape in a marker's key", "s3://videos?after=%zz,b", `after "%zz"`},
		{"a bad escape in a marker's ID", "s3://videos?after=a,%zz", `after "%zz"`},
		{"a marker and an upload", "s3://videos/a?uploadId=u&after=a,u", `after "a,u"`},
		{"cause too long", "s3://videos?cause=" + strings.Repeat("c", 1025), `cause "ccc`},
		{"every bucket and a key", "s3://*/a", `key "a"`},
		{"every bucket and a marker", "s3://*?after=a,u", `after "a,u"`},
		{"every region of vod", "vod://*?olderThan=1d", `bucket "*"`},
		{"vod with a region parameter", "vod://cn-shanghai?region=cn-beijing", `parameter "region"`},
		{"vod with an upload ID", "vod://cn-shanghai/61cc?uploadId=61cd", `parameter "uploadId"`},
		{"vod with a prefix", "vod://cn-shanghai?prefix=a", `prefix "a"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Parse(tt.in)
			if !errors.Is(err, Invalid) || KindOf(err) != Invalid {
				t.Fatalf("got %v, %v", r, err)
			}
			if r != (Request{}) {
				t.Errorf("an error comes with a request: %v", r)
			}
			text := err.Error()
			if !strings.Contains(text, tt.want) {
				t.Errorf("%s is not in %s", tt.want, text)
			}
			checkText(t, text)
		})
	}
}

// TestParseHidesSignature keeps what follows the question mark of a signed URL out of the log.
func TestParseHidesSignature(t *testing.T) {
	for _, in := range []string{"https://videos.s3.amazonaws.com/a?X-Amz-Signature=abcdef", "videos/a?Signature=abcdef",
		"https://user:abcdef@h/a", "s3://user:abcdef@videos/a", "https://user:abcdef@h?a"} {
		_, err := Parse(in)
		if !errors.Is(err, Invalid) || strings.Contains(err.Error(), "abcdef") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestMarker(t *testing.T) {
	for _, m := range []Marker{{"a", "b"}, {"a", ""}, {"", "b"}, {"a,b", "c,d"}, {"a b+%", "成\x00"}} {
		got, err := ParseMarker(m.String())
		if err != nil || got != m {
			t.Errorf("%q became %q, %v", m, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	for _, tt := range []struct {
		in     string
		want   time.Duration
		format string // empty where it is in
	}{
		{"90s", 90 * time.Second, "1m30s"},
		{"30m", 30 * time.Minute, ""},
		{"1h", time.Hour, ""},
		{"1h0m5s", time.Hour + 5*time.Second, ""},
		{"10h10m", 10*time.Hour + 10*time.Minute, ""},
		{"48h", 48 * time.Hour, "2d"},
		{"36h", 36 * time.Hour, ""},
		{"7d", 7 * 24 * time.Hour, ""},
		{"2w", 14 * 24 * time.Hour, "14d"},
		{"100ms", 100 * time.Millisecond, ""},
		{"1.5us", 1500 * time.Nanosecond, ""},
		{"1.5µs", 1500 * time.Nanosecond, "1.5us"},
		{"1ns", 1, ""},
		{"0s", 0, ""},
		{"0d", 0, "0s"},
		{"106751d", 106751 * 24 * time.Hour, ""},
		{"2562047h47m16.854775807s", 1<<63 - 1, ""},
	} {
		got, err := ParseAge(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%s is %v, %v; want %v", tt.in, got, err, tt.want)
		}
		format := tt.format
		if format == "" {
			format = tt.in
		}
		if FormatAge(got) != format {
			t.Errorf("%v is written %s, want %s", got, FormatAge(got), format)
		}
	}
}

func TestAgeInvalid(t *testing.T) {
	for _, in := range []string{"", "d", "-7d", "1.5d", "7 d", "7D", "48", "106752d", "15251w", "99999999999999999999d", "2562048h", "yesterday"} {
		d, err := ParseAge(in)
		if !errors.Is(err, Invalid) || d != 0 || !strings.Contains(err.Error(), `age "`+in+`"`) {
			t.Errorf("%q is %v, %v", in, d, err)
		}
	}
}

func FuzzAge(f *testing.F) {
	for _, d := range []int64{0, 1, 1500, 90e9, 1800e9, 86400e9, 1<<63 - 1} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		d := time.Duration(n)
		if d < 0 {
			return
		}
		s := FormatAge(d)
		got, err := ParseAge(s)
		if err != nil || got != d || FormatAge(got) != s {
			t.Errorf("%d is written %s and read %d, %v", d, s, got, err)
		}
		for i := range len(s) {
			if s[i] >= 0x80 {
				t.Errorf("%s is not ASCII", s)
			}
		}
	})
}

// FuzzParse: whatever parses is valid, parses again to an equal request, and is written the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"s3://videos/raw/a.mp4?uploadId=VXBs&before=2026-01-02T03:04:05.25Z&cause=x",
		"s3://videos?prefix=raw/&before=2026-01-01T00:00:00+08:00&after=a%2Cb,c", "s3://*?olderThan=7d",
		"cos://media-1250000000?region=ap-beijing&olderThan=36h", "vod://cn-shanghai/61cc", "mps://cn-shanghai/a,b",
		"obs://b//%00", "oss://b/%", "s3://b?before=0001-01-01T00:00:00+00:01", "", "://", "s3://b/成?olderThan=1.5µs",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			if _, ok := err.(*Error); !ok || KindOf(err) != Invalid {
				t.Errorf("%T of kind %v: %v", err, KindOf(err), err)
			}
			checkText(t, err.Error())
			return
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%q parses and is not valid: %v", s, err)
		}
		canonical := r.String()
		again, err := Parse(canonical)
		if err != nil || again != r || again.String() != canonical {
			t.Errorf("%q: %#v is written %s, which is %#v, %v", s, r, canonical, again, err)
		}
	})
}

// FuzzString: every valid request survives the notation.
func FuzzString(f *testing.F) {
	f.Add(uint8(0), "eu-west-1", "videos", "raw/a b+c.mxf", "", "VXBs", int64(1767323045), uint32(5), int64(0), "", "", "why")
	f.Add(uint8(1), "ap-beijing", "media-1250000000", "", "raw/", "", int64(0), uint32(0), int64(86400e9), "k", "u", "")
	f.Add(uint8(4), "cn-shanghai", "cn-shanghai", "61cc", "", "61cc", int64(0), uint32(0), int64(0), "", "", "\x00")
	f.Add(uint8(0), "", "*", "", "", "", int64(-62135596800), uint32(0), int64(1), ",", "%", "\xff")
	f.Fuzz(func(t *testing.T, store uint8, region, bucket, key, prefix, id string, sec int64, nsec uint32, age int64, afterKey, afterID, cause string) {
		r := Request{
			Bucket: Bucket{Store: Stores()[int(store)%len(Stores())], Region: region, Name: bucket},
			Key:    key, Prefix: prefix, UploadID: id, OlderThan: time.Duration(age),
			After: Marker{afterKey, afterID}, Cause: cause,
		}
		if sec != 0 {
			r.Before = time.Unix(sec, int64(nsec)).In(time.FixedZone("", int(nsec%86400)-43200))
		}
		if err := r.Validate(); err != nil {
			checkText(t, err.Error())
			return
		}
		got, err := Parse(r.String())
		if err != nil || !got.Before.Equal(r.Before) {
			t.Fatalf("%#v is written %s: %#v, %v", r, r, got, err)
		}
		got.Before = r.Before
		if got != r {
			t.Errorf("%#v is written %s, which is %#v", r, r, got)
		}
	})
}

// checkText says what holds of every error's text.
func checkText(t *testing.T, text string) {
	t.Helper()
	if text != strings.TrimRight(text, ".!;, \n") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("not a line for a log: %q", text)
	}
	if len(text) > 1200 {
		t.Errorf("%d bytes of error: %.80s", len(text), text)
	}
}
