package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

var bucket = mpu.Bucket{Store: "s3", Name: "media"}

func upload(key, id string) mpu.Upload { return mpu.Upload{Bucket: bucket, Key: key, UploadID: id} }

// script is a driver made of functions.
type script struct {
	list    func(prefix string, after mpu.Marker) (store.Page, error)
	parts   func(after int) (store.Parts, error)
	abort   func(u mpu.Upload) error
	batch   func(us []mpu.Upload) error
	aborted []string
}

func (d *script) ListUploads(_ context.Context, _ mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	return d.list(prefix, after)
}
func (d *script) ListParts(_ context.Context, _ mpu.Upload, after int) (store.Parts, error) {
	return d.parts(after)
}
func (d *script) AbortUpload(_ context.Context, u mpu.Upload) error {
	d.aborted = append(d.aborted, u.Key)
	if d.abort != nil {
		return d.abort(u)
	}
	return nil
}

// batching is a script whose API takes three at once.
type batching struct{ script }

func (d *batching) BatchSize() int { return 3 }
func (d *batching) AbortUploads(_ context.Context, us []mpu.Upload) error {
	return d.batch(us)
}

// read lists to the end and returns the keys, what was said to be incomplete, and the error that ended it.
func read(t *testing.T, d store.Driver, prefix string) (keys []string, incomplete string, err error) {
	t.Helper()
	pages := 0
	for page, e := range store.New(d).Pages(t.Context(), bucket, prefix, mpu.Marker{}) {
		if e != nil {
			return keys, incomplete, e
		}
		if pages++; pages > 200 {
			t.Fatal("the listing never ends")
		}
		incomplete += page.Incomplete
		for _, u := range page.Uploads {
			keys = append(keys, u.Key+"/"+u.UploadID)
		}
	}
	return keys, incomplete, nil
}

func TestPagesCarryBothMarkers(t *testing.T) {
	d := &script{list: func(_ string, after mpu.Marker) (store.Page, error) {
		switch after {
		case mpu.Marker{}:
			return store.Page{Uploads: []mpu.Upload{upload("a", "1"), upload("b", "1")}, More: true, Next: mpu.Marker{Key: "b", UploadID: "1"}}, nil
		case mpu.Marker{Key: "b", UploadID: "1"}:
			// Markers of a page that is the last are not followed: S3 sends them even then.
			return store.Page{Uploads: []mpu.Upload{upload("b", "2")}, Next: mpu.Marker{Key: "b", UploadID: "2"}}, nil
		}
		return store.Page{}, fmt.Errorf("asked from %+v", after)
	}}
	keys, _, err := read(t, d, "")
	if err != nil || fmt.Sprint(keys) != "[a/1 b/1 b/2]" {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestListingsThatLoopOrLie(t *testing.T) {
	circle := func(n int) func(string, mpu.Marker) (store.Page, error) {
		at := 0
		return func(string, mpu.Marker) (store.Page, error) {
			at++
			return store.Page{Uploads: []mpu.Upload{upload(fmt.Sprint("k", at), "1")}, More: true,
				Next: mpu.Marker{Key: fmt.Sprint("m", at%n), UploadID: "x"}}, nil
		}
	}
	for _, tt := range []struct {
		name string
		list func(string, mpu.Marker) (store.Page, error)
		want string
	}{
		{"the same marker again", circle(1), "came back"},
		{"a circle of two", circle(2), "came back"},
		{"a circle of thirty", circle(30), "came back"},
		{"more, and no marker", func(string, mpu.Marker) (store.Page, error) { return store.Page{More: true}, nil }, "not where"},
		{"back to the start", func(_ string, after mpu.Marker) (store.Page, error) {
			if after.IsZero() {
				return store.Page{More: true, Next: mpu.Marker{Key: "a"}}, nil
			}
			return store.Page{More: true}, nil
		}, "not where"},
		{"an error on page two", func(_ string, after mpu.Marker) (store.Page, error) {
			if after.IsZero() {
				return store.Page{More: true, Next: mpu.Marker{Key: "a"}}, nil
			}
			return store.Page{}, &mpu.Error{Kind: mpu.Denied, Code: "AccessDenied"}
		}, "AccessDenied"},
		{"no such upload, of all things", func(string, mpu.Marker) (store.Page, error) {
			return store.Page{}, &mpu.Error{Kind: mpu.Gone, Code: "NoSuchUpload"}
		}, "NoSuchUpload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := read(t, &script{list: tt.list}, "")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q: a listing that is cut short must not pass for complete", err, tt.want)
			}
			if errors.Is(err, mpu.Gone) || errors.Is(err, mpu.Ignored) {
				t.Errorf("%v is a success", err)
			}
		})
	}
}

func TestLongListingIsNoLoop(t *testing.T) {
	at := 0
	keys, _, err := read(t, &script{list: func(string, mpu.Marker) (store.Page, error) {
		at++
		return store.Page{Uploads: []mpu.Upload{upload(fmt.Sprint("k", at), "1")}, More: at < 150, Next: mpu.Marker{Key: fmt.Sprint(at)}}, nil
	}}, "")
	if err != nil || len(keys) != 150 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestOneUploadIsShownOnce(t *testing.T) {
	// An inclusive key marker (Ceph, rclone) shows the last upload of a page again on the next.
	d := &script{list: func(_ string, after mpu.Marker) (store.Page, error) {
		if after.IsZero() {
			return store.Page{Uploads: []mpu.Upload{upload("a", "1"), upload("a", "1"), upload("b", "1")}, More: true, Next: mpu.Marker{Key: "b"}}, nil
		}
		return store.Page{Uploads: []mpu.Upload{upload("b", "1"), upload("c", "1")}}, nil
	}}
	keys, _, err := read(t, d, "")
	if err != nil || fmt.Sprint(keys) != "[a/1 b/1 c/1]" {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestWhatWasNotAskedForIsLeftOut(t *testing.T) {
	elsewhere := upload("raw/x", "1")
	elsewhere.Bucket.Name = "somebody-elses"
	for _, tt := range []struct {
		name string
		u    mpu.Upload
	}{
		{"another bucket", elsewhere}, {"another prefix", upload("other/x", "1")},
		{"no key", upload("", "1")}, {"no upload ID", upload("raw/x", "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &script{list: func(string, mpu.Marker) (store.Page, error) {
				return store.Page{Uploads: []mpu.Upload{tt.u, upload("raw/ok", "1")}}, nil
			}}
			keys, incomplete, err := read(t, d, "raw/")
			if err != nil || fmt.Sprint(keys) != "[raw/ok/1]" || incomplete == "" {
				t.Errorf("%v, %v, incomplete %q", keys, err, incomplete)
			}
		})
	}
}

func TestDamagedKeyIsReported(t *testing.T) {
	d := &script{list: func(string, mpu.Marker) (store.Page, error) {
		return store.Page{Uploads: []mpu.Upload{upload("a\uFFFDb", "1"), upload("ok", "1")}}, nil
	}}
	keys, incomplete, err := read(t, d, "")
	if err != nil || len(keys) != 2 || !strings.Contains(incomplete, "damaged") {
		t.Errorf("%v, incomplete %q, %v", keys, incomplete, err)
	}
}

func TestServerThatRefusesItsOwnMarkers(t *testing.T) {
	refusal := &mpu.Error{Kind: mpu.Invalid, Code: "InvalidArgument", Status: 400}
	d := &script{list: func(_ string, after mpu.Marker) (store.Page, error) {
		switch {
		case after.IsZero():
			return store.Page{Uploads: []mpu.Upload{upload("a", "1")}, More: true, Next: mpu.Marker{Key: "a", UploadID: "1"}}, nil
		case after.UploadID != "":
			return store.Page{}, refusal
		}
		return store.Page{Uploads: []mpu.Upload{upload("b", "1")}}, nil
	}}
	keys, incomplete, err := read(t, d, "")
	if err != nil || fmt.Sprint(keys) != "[a/1 b/1]" || !strings.Contains(incomplete, "refused its own") {
		t.Errorf("%v, %v, incomplete %q", keys, err, incomplete)
	}
	always := &script{list: func(string, mpu.Marker) (store.Page, error) { return store.Page{}, refusal }}
	if _, _, err := read(t, always, ""); !errors.Is(err, mpu.Invalid) {
		t.Errorf("error %v, want the refusal", err)
	}
}

func TestPartsSumsEveryPage(t *testing.T) {
	d := &script{parts: func(after int) (store.Parts, error) {
		return store.Parts{Count: 1000, Bytes: 5, More: after < 3000, Next: after + 1000}, nil
	}}
	p, err := store.New(d).Parts(t.Context(), upload("k", "1"))
	if err != nil || p.Count != 4000 || p.Bytes != 20 {
		t.Errorf("%+v, %v", p, err)
	}
	newest := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	dates := map[string][]time.Time{
		"newest first": {newest, newest.Add(-time.Hour)},
		"newest last":  {newest.Add(-time.Hour), newest},
		"one undated":  {newest, {}},
	}
	for name, at := range dates {
		d.parts = func(after int) (store.Parts, error) {
			return store.Parts{Count: 1, Newest: at[after], More: after == 0, Next: 1}, nil
		}
		want := newest
		if name == "one undated" {
			want = time.Time{} // nothing is known of the newest then
		}
		if p, err = store.New(d).Parts(t.Context(), upload("k", "1")); err != nil || !p.Newest.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", name, p.Newest, err, want)
		}
	}
	d.parts = func(int) (store.Parts, error) { return store.Parts{Count: 1, More: true, Next: 1}, nil }
	if _, err = store.New(d).Parts(t.Context(), upload("k", "1")); err == nil {
		t.Error("a listing of parts that does not advance passes for complete")
	}
}

func TestAbortBatch(t *testing.T) {
	us := []mpu.Upload{upload("a", "a"), upload("b", "b"), upload("c", "c")}
	unknown := &mpu.Error{Kind: mpu.Gone, Code: "InvalidParameter.ResourceNotFound"}
	for _, tt := range []struct {
		name   string
		batch  error
		single int // how many were sent alone
	}{
		{"accepted", nil, 0},
		{"refused for good", &mpu.Error{Kind: mpu.Invalid, Code: "InvalidParameter"}, 3},
		{"one of them unknown", unknown, 3},
		{"no such permission", &mpu.Error{Kind: mpu.Denied}, 0},
		{"still throttled", &mpu.Error{Kind: mpu.Transient}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &batching{script{batch: func([]mpu.Upload) error { return tt.batch }}}
			d.abort = func(u mpu.Upload) error {
				if u.Key == "b" {
					return unknown
				}
				return nil
			}
			errs := store.New(d).AbortBatch(t.Context(), us)
			if len(errs) != 3 || len(d.aborted) != tt.single {
				t.Fatalf("%v, alone: %v", errs, d.aborted)
			}
			if tt.single > 0 && (errs[0] != nil || !errors.Is(errs[1], mpu.Gone) || errs[2] != nil) {
				t.Errorf("%v, want each one's own answer", errs)
			}
			if tt.single == 0 && !slices.Equal(errs, []error{tt.batch, tt.batch, tt.batch}) {
				t.Errorf("%v, want %v for each", errs, tt.batch)
			}
		})
	}
	d := &batching{}
	for _, err := range store.New(d).AbortBatch(t.Context(), []mpu.Upload{upload("a", "a"), upload("", "b")}) {
		if !errors.Is(err, mpu.Refused) {
			t.Errorf("a batch with a blank in it: %v", err)
		}
	}
}

func TestAbortWithABlankSendsNothing(t *testing.T) {
	for _, u := range []mpu.Upload{
		{}, upload("", "1"), upload("k", ""), upload("k", " \t"), {Key: "k", UploadID: "1"},
		{Bucket: mpu.Bucket{Store: "s3", Name: "*"}, Key: "k", UploadID: "1"},
	} {
		d := &script{}
		if err := store.New(d).Abort(t.Context(), u, nil); !errors.Is(err, mpu.Refused) || len(d.aborted) != 0 {
			t.Errorf("abort of %+v: %v, sent %v", u, err, d.aborted)
		}
	}
}
