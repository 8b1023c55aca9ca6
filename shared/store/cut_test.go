package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// foreign is somebody else's service with a few uploads, three a page. Its markers do what start says.
type foreign struct {
	script
	uploads []mpu.Upload
	start   func(u mpu.Upload, after mpu.Marker) bool // whether a page after the marker may begin with u
	alone   func(context.Context) error               // answers a listing of a single key, if it is an error
	asked   []string                                  // single keys
}

func (f *foreign) Foreign() bool { return true }

func (f *foreign) ListUploads(ctx context.Context, _ mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if prefix != "" {
		f.asked = append(f.asked, prefix)
		if f.alone != nil {
			if err := f.alone(ctx); err != nil {
				return store.Page{}, err
			}
		}
	}
	var p store.Page
	for i, u := range f.uploads {
		if !strings.HasPrefix(u.Key, prefix) || !after.IsZero() && !f.start(u, after) {
			continue
		}
		if len(p.Uploads) == 3 {
			last := p.Uploads[2]
			p.More, p.Next = true, mpu.Marker{Key: last.Key, UploadID: last.UploadID}
			break
		}
		p.Uploads = append(p.Uploads, f.uploads[i])
	}
	return p, nil
}

func right(u mpu.Upload, after mpu.Marker) bool {
	return u.Key > after.Key || u.Key == after.Key && u.UploadID > after.UploadID
}
func ignoresID(u mpu.Upload, after mpu.Marker) bool { return u.Key > after.Key }
func fromKey(u mpu.Upload, after mpu.Marker) bool   { return u.Key >= after.Key }

func some(names string) (us []mpu.Upload) {
	for _, name := range strings.Fields(names) {
		key, id, _ := strings.Cut(name, "/")
		us = append(us, upload(key, id))
	}
	return us
}

func TestKeysThatAPageCutsInTwo(t *testing.T) {
	for _, tt := range []struct {
		name       string
		there      string
		start      func(mpu.Upload, mpu.Marker) bool
		alone      error
		asked      string // single keys that were listed
		incomplete string
		missing    string // what is not shown
	}{
		{"right", "a/1 b/1 b/2 b/3 c/1 c/2 c/3 d/1 d/2 d/3", right, nil, "[]", "", ""},
		{"right, and no key is cut", "a/1 b/1 c/1 d/1 e/1", right, nil, "[c]", "", ""},
		{"right, and one key fills pages", "a/1 a/2 a/3 a/4 a/5 a/6 a/7 b/1", right, nil, "[]", "", ""},
		{"ignores the upload ID", "a/1 b/1 c/1 c/2 d/1 e/1 e/2 f/1", ignoresID, nil, "[c e]", "", ""},
		{"ignores it at the last key", "a/1 b/1 c/1 c/2 c/3", ignoresID, nil, "[c]", "", ""},
		{"ignores it, and one key has more than a page", "a/1 b/1 c/1 c/2 c/3 c/4 d/1", ignoresID, nil, "[c]",
			`lists no more than 3 uploads of one key, and "c" may have more`, "c/4"},
		{"begins again with the key", "a/1 b/1 c/1 c/2 d/1 e/1 f/1", fromKey, nil, "[]", "", ""},
		{"the key cannot be listed alone", "a/1 b/1 c/1 c/2 d/1", ignoresID, &mpu.Error{Kind: mpu.Denied, Code: "AccessDenied"}, "[c]",
			`uploads of key "c" may be missing`, "c/2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &foreign{uploads: some(tt.there), start: tt.start, alone: func(context.Context) error { return tt.alone }}
			got, incomplete, err := read(t, f, "")
			if err != nil || !strings.Contains(incomplete, tt.incomplete) || tt.incomplete == "" && incomplete != "" {
				t.Errorf("%q, %v; want %q", incomplete, err, tt.incomplete)
			}
			want := slices.DeleteFunc(strings.Fields(tt.there), func(s string) bool { return s == tt.missing })
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if asked := fmt.Sprint(f.asked); asked != tt.asked {
				t.Errorf("asked for %s alone, want %s", asked, tt.asked)
			}
		})
	}
}

// A page that begins again with the upload that the marker names does not show that the upload ID counted.
func TestRepetitionProvesNothing(t *testing.T) {
	f := &foreign{uploads: some("a/1 b/1 b/2 c/1 d/1 d/2 e/1")}
	f.start = func(u mpu.Upload, after mpu.Marker) bool {
		if after.Key == "b" {
			return u.Key > "b" || u.Key == "b" && u.UploadID >= after.UploadID
		}
		return ignoresID(u, after)
	}
	got, incomplete, err := read(t, f, "")
	if err != nil || incomplete != "" || len(got) != len(f.uploads) {
		t.Errorf("%q, %q, %v; want all of %d", got, incomplete, err, len(f.uploads))
	}
}

// The vendor's own service is taken at its word.
func TestOwnServiceIsNotChecked(t *testing.T) {
	f := &foreign{uploads: some("a/1 b/1 c/1 d/1 e/1"), start: right}
	f.script.list = func(prefix string, after mpu.Marker) (store.Page, error) {
		return f.ListUploads(t.Context(), bucket, prefix, after)
	}
	if _, _, err := read(t, &f.script, ""); err != nil || len(f.asked) != 0 {
		t.Errorf("asked for %q alone, %v; want none", f.asked, err)
	}
}

// Whoever stops reading leaves no check behind, and one whose context ends does not wait for it.
func TestCheckEndsWithTheListing(t *testing.T) {
	for name, stop := range map[string]int{"the reader stops": 2, "the context ends": 100} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				f := &foreign{uploads: some("a/1 b/1 c/1 c/2 d/1"), start: ignoresID}
				f.alone = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				pages := 0
				for _, err := range store.New(f).Pages(ctx, bucket, "", mpu.Marker{}) {
					if pages++; err != nil || pages == stop {
						break
					}
				}
			})
		})
	}
}
