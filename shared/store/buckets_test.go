package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// An account lists its buckets, page by page.
type account struct {
	store.Driver
	pages map[string]store.BucketPage
	asked int
}

func (a *account) ListBuckets(_ context.Context, _ mpu.Bucket, after string) (store.BucketPage, error) {
	a.asked++
	page, ok := a.pages[after]
	if !ok {
		return page, errors.New("no such page")
	}
	return page, nil
}

func TestBuckets(t *testing.T) {
	named := func(names ...string) (all []mpu.Bucket) {
		for _, n := range names {
			all = append(all, mpu.Bucket{Store: "s3", Name: n})
		}
		return all
	}
	for _, tt := range []struct {
		name  string
		pages map[string]store.BucketPage
		want  string
		err   string
	}{
		{"one page", map[string]store.BucketPage{"": {Buckets: named("a", "b")}}, "a b", ""},
		{"two pages, one bucket on both", map[string]store.BucketPage{"": {Buckets: named("a", "b"), Next: "b"}, "b": {Buckets: named("b", "c")}}, "a b c", ""},
		{"an empty page in between", map[string]store.BucketPage{"": {Next: "x"}, "x": {Buckets: named("a")}}, "a", ""},
		{"a circle", map[string]store.BucketPage{"": {Next: "x"}, "x": {Next: "y"}, "y": {Next: "x"}}, "", "came back"},
		{"it stands still", map[string]store.BucketPage{"": {Next: "x"}, "x": {Next: "x"}}, "", "came back"},
		{"the second page fails", map[string]store.BucketPage{"": {Buckets: named("a"), Next: "x"}}, "", "no such page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &account{pages: tt.pages}
			got, err := store.New(a).Buckets(t.Context(), mpu.Bucket{Store: "s3", Name: mpu.AnyBucket})
			if tt.err == "" && (err != nil || !slices.Equal(got, named(strings.Fields(tt.want)...))) ||
				tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || got != nil) || a.asked > 10 {
				t.Errorf("%v, %v after %d requests; want %q or an error of %q", got, err, a.asked, tt.want, tt.err)
			}
		})
	}
	if _, err := store.New(struct{ store.Driver }{}).Buckets(t.Context(), mpu.Bucket{Store: "mps", Name: mpu.AnyBucket}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v, want unsupported", err)
	}
}
