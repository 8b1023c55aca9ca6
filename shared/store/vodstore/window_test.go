package vodstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
	"github.com/partsweep/partsweep/test/sandbox"
)

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// seed adds n videos, created at the given times.
func seed(s *sandbox.Sandbox, n int, created func(i int) time.Time) {
	for i := range n {
		s.AddVideo(region, sandbox.Video{ID: fmt.Sprintf("v%05d", i), Created: created(i)})
	}
}

// walk reads a whole listing and returns how often each video was shown, and what the last page said of itself.
func walk(t *testing.T, d *Driver) (shown map[string]int, incomplete string) {
	t.Helper()
	shown = map[string]int{}
	var after mpu.Marker
	for range 2 * reach {
		page, err := d.ListUploads(t.Context(), bucket, "", after)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Uploads {
			shown[u.Key]++
		}
		if !page.More {
			return shown, page.Incomplete
		}
		if page.Incomplete != "" {
			t.Errorf("a page in the middle says %q", page.Incomplete)
		}
		after = page.Next
	}
	t.Fatal("the listing does not end")
	return nil, ""
}

func TestListing(t *testing.T) {
	everySecond := func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Second) }
	crowded := func(i int) time.Time { return epoch.Add(time.Duration(i/40) * time.Second) }
	for _, test := range []struct {
		name       string
		videos     int
		created    func(i int) time.Time
		pageSize   int
		mostPage   int // the service's own
		want       int
		requests   int
		incomplete bool
	}{
		{"nothing", 0, everySecond, 100, 0, 0, 1, false},
		{"less than a page", 3, everySecond, 100, 0, 3, 1, false},
		{"a page to the full", 100, everySecond, 100, 0, 100, 1, false},
		{"three pages", 205, everySecond, 100, 0, 205, 3, false},
		{"more than can be reached", reach + 300, crowded, 100, 0, reach + 300, 54, false},
		{"shorter pages than asked for", 105, everySecond, 100, 10, 105, 11, false},
		{"shorter pages, and more than can be reached", reach + 60, everySecond, 100, 50, reach + 60, 102, false},
		{"a second with more than can be reached", reach + 1, func(int) time.Time { return epoch }, 100, 0, reach, 100, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{MaxPage: test.mostPage})
			seed(s, test.videos, test.created)
			d := open(t, s, sandbox.SecretAccessKey)
			d.PageSize = test.pageSize
			shown, incomplete := walk(t, d)
			if len(shown) != test.want {
				t.Errorf("%d of %d videos were shown, want %d", len(shown), test.videos, test.want)
			}
			if n := s.Count(sandbox.VOD, sandbox.OpListUploads); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
			if (incomplete != "") != test.incomplete {
				t.Errorf("incomplete: %q", incomplete)
			}
		})
	}
}

// The rest of a sweep may begin hours later, in another process, at any marker.
func TestResume(t *testing.T) {
	s := start(t, sandbox.Options{})
	seed(s, 30, func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Hour) })
	first := open(t, s, sandbox.SecretAccessKey)
	first.PageSize = 7
	page, err := first.ListUploads(t.Context(), bucket, "", mpu.Marker{})
	if err != nil || !page.More {
		t.Fatalf("%+v, %v", page, err)
	}
	marker, err := mpu.ParseMarker(page.Next.String())
	if err != nil {
		t.Fatal(err)
	}
	page, err = open(t, s, sandbox.SecretAccessKey).ListUploads(t.Context(), bucket, "", marker)
	if err != nil || len(page.Uploads) != 7 || page.Uploads[0].Key != "v00007" {
		t.Errorf("%+v, %v; want the second seven", page, err)
	}
	// A marker without a page is the first page of its window.
	page, err = first.ListUploads(t.Context(), bucket, "", mpu.Marker{Key: "2025-01-01T20:00:00Z"})
	if err != nil || len(page.Uploads) != 7 || page.Uploads[0].Key != "v00020" {
		t.Errorf("%+v, %v; want the seven from the 20th on", page, err)
	}
}

func TestMarkers(t *testing.T) {
	s := start(t, sandbox.Options{})
	d := open(t, s, sandbox.SecretAccessKey)
	for _, test := range []struct {
		name   string
		prefix string
		marker mpu.Marker
	}{
		{"a time that is none", "", mpu.Marker{Key: "yesterday", UploadID: "1x100"}},
		{"a page that is none", "", mpu.Marker{UploadID: "two"}},
		{"page 0", "", mpu.Marker{UploadID: "0x100"}},
		{"a page out of reach", "", mpu.Marker{UploadID: "5001x1"}},
		{"pages of nothing", "", mpu.Marker{UploadID: "1x0"}},
		{"pages too long", "", mpu.Marker{UploadID: "1x101"}},
		{"a second page of one video", "id", mpu.Marker{UploadID: "2x100"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := d.ListUploads(t.Context(), bucket, test.prefix, test.marker); !errors.Is(err, mpu.Invalid) {
				t.Errorf("error %v, want an invalid one", err)
			}
		})
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// What the answer does not say must never be read as "nothing there".
func TestListAnswers(t *testing.T) {
	const record = `{"VideoId":"a","Status":"Uploading","CreationTime":"2025-01-01T00:00:00Z"}`
	for _, test := range []struct {
		name, answer string
		want         int
		incomplete   bool
		err          string
	}{
		{"as documented", `{"Total":1,"VideoList":{"Video":[` + record + `]}}`, 1, false, ""},
		{"no level in between", `{"Total":1,"VideoList":[` + record + `]}`, 1, false, ""},
		{"total as a string", `{"Total":"1","VideoList":{"Video":[` + record + `]}}`, 1, false, ""},
		{"nothing there", `{"Total":0,"VideoList":{"Video":[]}}`, 0, false, ""},
		{"nothing there, in short", `{"Total":0,"VideoList":{}}`, 0, false, ""},
		{"unreadable time", `{"Total":1,"VideoList":{"Video":[{"VideoId":"a","Status":"Uploading","CreationTime":"once"}]}}`, 1, false, ""},
		{"other statuses", `{"Total":3,"VideoList":{"Video":[` + record +
			`,{"VideoId":"b","Status":"Normal"},{"VideoId":"c"}]}}`, 1, false, ""},
		{"no ID", `{"Total":1,"VideoList":{"Video":[{"Status":"Uploading"}]}}`, 0, true, ""},
		{"no list", `{"Total":0}`, 0, false, "no VideoList"},
		{"null for a list", `{"Total":0,"VideoList":null}`, 0, false, "no VideoList"},
		{"no total", `{"VideoList":{"Video":[]}}`, 0, false, "no Total"},
		{"negative total", `{"Total":-1,"VideoList":{"Video":[]}}`, 0, false, "no Total"},
		{"a total and no records", `{"Total":7,"VideoList":{"Video":[]}}`, 0, false, "counts 7 videos and shows none"},
		{"nothing at all", `{"RequestId":"r"}`, 0, false, "no VideoList"},
		{"HTML", `<html></html>`, 0, false, "no JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.Script(sandbox.Fault{Mangle: func(int, []byte) []byte { return named(test.answer) }})
			page, err := open(t, s, sandbox.SecretAccessKey).ListUploads(t.Context(), bucket, "", mpu.Marker{})
			if test.err != "" {
				if err == nil || mpu.KindOf(err) != 0 || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one of no kind with %q", err, test.err)
				}
				return
			}
			if err != nil || len(page.Uploads) != test.want || page.More || (page.Incomplete != "") != test.incomplete {
				t.Errorf("%+v, %v; want %d uploads", page, err, test.want)
			}
		})
	}
}

func TestNext(t *testing.T) {
	records := func(n int, last string) (list videoList) {
		list.VideoList.Items = make([]video, n)
		if at, err := time.Parse(time.RFC3339, last); err == nil && n > 0 {
			list.VideoList.Items[n-1].CreationTime = acs.Time{Time: at}
		}
		return list
	}
	for _, test := range []struct {
		name       string
		at         window
		total      int64
		shown      int
		last       string
		want       string // the marker, "" at the end
		incomplete string
	}{
		{"records have gone", window{page: 3, size: 10}, 15, 0, "", "", ""},
		{"records have gone, and some are shown", window{page: 3, size: 10}, 15, 2, "", ",4x10", ""},
		{"records have come", window{page: 1, size: 10}, 12, 10, "", ",2x10", ""},
		{"a page without records in the middle", window{page: 3, size: 10}, 40, 0, "", "", "counts 40 videos and shows only 20"},
		{"a short page in the middle", window{page: 3, size: 10}, 40, 9, "", ",4x10", ""},
		{"almost all that can be reached", window{page: 50, size: 100}, 4999, 99, "2025-01-01T00:00:09Z", "", ""},
		{"all that can be reached, or all that is counted", window{page: 50, size: 100}, 5000, 100, "2025-01-01T00:00:09Z", "2025-01-01T00%3A00%3A08Z,1x100", ""},
		{"the last page within reach", window{page: 49, size: 100}, 6000, 100, "", ",50x100", ""},
		{"a size that does not divide the reach", window{page: 50, size: 99}, 6000, 99, "2025-01-01T00:00:09Z", "2025-01-01T00%3A00%3A08Z,1x99", ""},
		{"reach", window{page: 50, size: 100}, 6000, 100, "2025-01-01T00:00:09Z", "2025-01-01T00%3A00%3A08Z,1x100", ""},
		{"reach with fractions", window{page: 50, size: 100}, 6000, 100, "2025-01-01T00:00:09.9Z", "2025-01-01T00%3A00%3A08Z,1x100", ""},
		{"reach of a later window", window{since: epoch, page: 50, size: 100}, 6000, 100, "2025-01-01T00:00:02Z", "2025-01-01T00%3A00%3A01Z,1x100", ""},
		{"reach in one second", window{since: epoch, page: 50, size: 100}, 6000, 100, "2025-01-01T00:00:01Z", "", "so many were created at 2025-01-01T00:00:01Z"},
		{"reach without a time", window{page: 50, size: 100}, 6000, 100, "", "", "no creation time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := records(test.shown, test.last)
			answer.Total = acs.Number{N: test.total, Present: true}
			page := test.at.read(bucket, answer)
			got := ""
			if page.More {
				got = page.Next.String()
			}
			if got != test.want || (page.Incomplete == "") != (test.incomplete == "") || !strings.Contains(page.Incomplete, test.incomplete) {
				t.Errorf("next %q, incomplete %q; want %q, %q", got, page.Incomplete, test.want, test.incomplete)
			}
		})
	}
}

// The records of uploads whose parts are gone stay for good, so a sweep looks back no further than it is told.
func TestLookback(t *testing.T) {
	s := start(t, sandbox.Options{})
	now := time.Now()
	s.AddVideo(region, sandbox.Video{ID: "dead for months", Created: now.Add(-90 * 24 * time.Hour)})
	s.AddVideo(region, sandbox.Video{ID: "recent", Created: now.Add(-3 * 24 * time.Hour)})
	for lookback, want := range map[time.Duration]int{0: 2, 8 * 24 * time.Hour: 1, 365 * 24 * time.Hour: 2} {
		d := open(t, s, sandbox.SecretAccessKey)
		d.lookback = lookback
		page, err := d.ListUploads(t.Context(), bucket, "", mpu.Marker{})
		if err != nil || len(page.Uploads) != want {
			t.Errorf("looking back %v: %v, %v; want %d", lookback, page.Uploads, err, want)
		}
	}
}
