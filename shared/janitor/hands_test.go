package janitor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

// again accepts the abort of an upload that is gone, as S3 does for hours.
type again struct{ *storetest.Memory }

func (d *again) AbortUpload(ctx context.Context, u mpu.Upload) error {
	if err := d.Memory.AbortUpload(ctx, u); !errors.Is(err, mpu.Gone) {
		return err
	}
	return nil
}

// A queue delivers twice, and a sweep finds what an event names: the bytes come back once.
func TestUploadThatSeveralRequestsAreAbout(t *testing.T) {
	const named = "s3://media/k?uploadId=u&before=2026-11-21T11:00:00Z"
	for _, tt := range []struct {
		name     string
		requests []string
	}{
		{"one message twice", []string{named, named}},
		{"one upload since two times", []string{named, "s3://media/k?uploadId=u&before=2026-11-21T10:30:00Z"}},
		{"one upload, and its key", []string{"s3://media/k?olderThan=1d", named}},
		{"one upload, and a sweep", []string{"s3://media?olderThan=2d", named, named}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &again{&storetest.Memory{}}
				d.Add(upload("k", "u", 72*time.Hour), part(10, 72*time.Hour))
				d.OnParts = func(mpu.Upload) error { time.Sleep(time.Second); return nil }
				d.OnAbort = d.OnParts
				j := janitorOver(d)
				j.Open = func(mpu.Bucket) (*store.Store, error) { return store.New(d), nil }
				var tasks []Task
				for _, r := range tt.requests {
					tasks = append(tasks, task(t, r))
				}
				r := j.Run(t.Context(), tasks)
				if got := r.Totals; got.Aborted != 1 || got.BytesFreed != 10 || got.Gone != len(tasks)-1 || r.Err() != nil {
					t.Errorf("%+v, %v; want one abort of 10 bytes, and gone for the others", got, r.Err())
				}
			})
		})
	}
}
