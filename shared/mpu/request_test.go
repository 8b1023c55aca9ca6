package mpu

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRequestAt(t *testing.T) {
	now := time.Date(2026, 11, 3, 18, 0, 0, 0, time.FixedZone("CST", 8*3600))
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	videos := Bucket{Store: "s3", Name: "videos"}
	for _, tt := range []struct {
		name     string
		in, want Request
	}{
		{"an age", Request{Bucket: videos, OlderThan: 24 * time.Hour}, Request{Bucket: videos, Before: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)}},
		{"a cutoff", Request{Bucket: videos, Before: before}, Request{Bucket: videos, Before: before}},
		{"neither", Request{Bucket: videos, Key: "a"}, Request{Bucket: videos, Key: "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.in.At(now)
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if again := got.At(now.Add(time.Hour)); again != got {
				t.Errorf("a second call makes it %v", again)
			}
		})
	}
}

// TestRequestAtClock: what the machine's clock says survives the notation, though it carries a monotonic reading.
func TestRequestAtClock(t *testing.T) {
	r := Request{Bucket: Bucket{Store: "s3", Name: "videos"}, OlderThan: time.Hour}.At(time.Now())
	if got, err := Parse(r.String()); err != nil || got != r {
		t.Errorf("%#v became %#v, %v", r, got, err)
	}
}

// TestValidate has the contradictions that the notation cannot write.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		in         Request
	}{
		{"nothing", `store ""`, Request{}},
		{"vod without a region", `region ""`, Request{Bucket: Bucket{Store: "vod", Name: "cn-shanghai"}}},
		{"vod in two regions", `region "cn-beijing"`, Request{Bucket: Bucket{"vod", "cn-beijing", "cn-shanghai"}}},
		{"vod with another upload ID", `uploadId "b"`, Request{Bucket: Bucket{"vod", "r", "r"}, Key: "a", UploadID: "b"}},
		{"vod without upload ID", `uploadId ""`, Request{Bucket: Bucket{"vod", "r", "r"}, Key: "a"}},
		{"vod everywhere", `bucket "*"`, Request{Bucket: Bucket{"vod", "*", "*"}}},
		{"an age in the future", `olderThan "-1h"`, Request{Bucket: Bucket{Store: "s3", Name: "b"}, OlderThan: -time.Hour}},
		{"after the last year in UTC only", `before "10000"`, Request{Bucket: Bucket{Store: "s3", Name: "b"},
			Before: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.in.Validate()
			if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	local := Request{Bucket: Bucket{Store: "s3", Name: "b"}, Before: time.Date(10000, 1, 1, 1, 0, 0, 0, time.FixedZone("", 7200))}
	if err := local.Validate(); err != nil {
		t.Errorf("the last year in UTC, though not in its own zone: %v", err)
	}
}

func TestStores(t *testing.T) {
	if len(Stores()) != len(stores) {
		t.Errorf("%d stores are listed, %d are known", len(Stores()), len(stores))
	}
	for store := range stores {
		if !slices.Contains(Stores(), store) {
			t.Errorf("%s is not listed", store)
		}
		if ByMediaID(store) != (store == "vod" || store == "mps") {
			t.Errorf("%s has media IDs: %v", store, ByMediaID(store))
		}
	}
	if ByMediaID("ftp") {
		t.Error("an unknown store has media IDs")
	}
}

// TestUploadString: an upload, a bucket and the request about them are written alike, and read back.
func TestUploadString(t *testing.T) {
	for _, u := range []Upload{
		{Bucket: Bucket{"cos", "ap-beijing", "media-1250000000"}, Key: "a b", UploadID: "1793692800f3"},
		{Bucket: Bucket{"vod", "cn-shanghai", "cn-shanghai"}, Key: "61cc", UploadID: "61cc"},
	} {
		r, err := Parse(u.String())
		if err != nil || r != u.Request() || r.IsSweep() {
			t.Errorf("%s became %#v, %v", u, r, err)
		}
		b, err := Parse(u.Bucket.String())
		if err != nil || b.Bucket != u.Bucket || !b.IsSweep() {
			t.Errorf("%s became %#v, %v", u.Bucket, b, err)
		}
	}
}
