package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

func short(seed uint64) config {
	return config{days: 1, uploads: 600, seed: seed, page: 7, step: time.Hour, sweepEvery: 4 * time.Hour}
}

func simulate(t *testing.T, c config) *result {
	t.Helper()
	r, err := run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestChaos(t *testing.T) {
	deadlines := 0
	for seed := range uint64(3) {
		r := simulate(t, short(seed))
		deadlines += r.deadlines
		if len(r.wrong()) > 0 {
			var out bytes.Buffer
			r.print(&out)
			t.Errorf("seed %d:\n%s", seed, &out)
		}
		if r.aborted == 0 || r.completed == 0 || r.counts.faults == 0 || r.events == 0 || r.left == 0 {
			t.Errorf("seed %d: nothing of one kind happened: %+v", seed, r.sums)
		}
	}
	if deadlines == 0 {
		t.Error("no run met its deadline")
	}
}

// broken is partsweep with something broken in it.
type broken struct {
	store.Driver
	marker func(mpu.Marker) mpu.Marker
	page   func(store.Page) store.Page
	parts  func(store.Parts) store.Parts
	abort  func(context.Context, mpu.Upload) error
}

func (b *broken) ListUploads(ctx context.Context, bucket mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if b.marker != nil {
		after = b.marker(after)
	}
	p, err := b.Driver.ListUploads(ctx, bucket, prefix, after)
	if b.page != nil {
		p = b.page(p)
	}
	return p, err
}

func (b *broken) ListParts(ctx context.Context, u mpu.Upload, after int) (store.Parts, error) {
	p, err := b.Driver.ListParts(ctx, u, after)
	if b.parts != nil {
		p = b.parts(p)
	}
	return p, err
}

func (b *broken) AbortUpload(ctx context.Context, u mpu.Upload) error {
	if b.abort != nil {
		return b.abort(ctx, u)
	}
	return b.Driver.AbortUpload(ctx, u)
}

// The simulation is worth something only if it notices what it is there to notice.
func TestChaosNotices(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil broken
		want  string
	}{
		{"no idle rule", broken{parts: func(p store.Parts) store.Parts {
			p.Newest, p.Count = time.Time{}, 0
			return p
		}}, "had shown a sign of life"},
		{"no key marker", broken{marker: func(m mpu.Marker) mpu.Marker { return mpu.Marker{UploadID: m.UploadID} }}, "is left"},
		{"no upload ID marker", broken{marker: func(m mpu.Marker) mpu.Marker { return mpu.Marker{Key: m.Key} }}, "is left"},
		{"no second page", broken{page: func(p store.Page) store.Page { p.More = false; return p }}, "is left"},
		{"every abort said to work", broken{abort: func(context.Context, mpu.Upload) error { return nil }}, "never was"},
		{"bytes made up", broken{parts: func(p store.Parts) store.Parts {
			if p.Bytes > 0 {
				p.Bytes++
			}
			return p
		}}, "bytes were removed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := short(1)
			c.spoil = func(d store.Driver) store.Driver {
				b := tt.spoil
				b.Driver = d
				return &b
			}
			wrong := simulate(t, c).wrong()
			if !strings.Contains(strings.Join(wrong, "\n"), tt.want) {
				t.Errorf("%d things are wrong, none of them %q: %.500q", len(wrong), tt.want, wrong)
			}
		})
	}
}
