package vodstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

// ListUploads lists the videos in Uploading and UploadFail, oldest first (GetVideoList). With a prefix, which is then a
// whole media ID, it looks this one up (GetVideoInfos). The markers of a listing hold a time and a page number.
func (d *Driver) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if err := acs.CheckBucket(store.ListUploads, b); err != nil {
		return store.Page{}, err
	}
	call := acs.Call{Op: store.ListUploads, Target: b, Region: b.Name, Action: "GetVideoList", Page: true}
	if prefix != "" {
		if !after.IsZero() {
			return store.Page{}, call.Fail(mpu.Invalid, fmt.Errorf("marker %q: the lookup of one video has one page", after))
		}
		return d.lookUp(ctx, b, prefix)
	}
	size := d.PageSize
	if size < 1 || size > maxPageSize {
		size = maxPageSize
	}
	w, err := parseWindow(after, size)
	if err != nil {
		return store.Page{}, call.Fail(mpu.Invalid, fmt.Errorf("marker %q: %w", after, err))
	}
	if after.IsZero() && d.lookback > 0 {
		// The records of uploads whose parts are gone stay for good. Without a bound every sweep would meet all of them
		// again, at ten aborts a second, before it came to the new ones.
		w.since = d.now().UTC().Add(-d.lookback).Truncate(time.Second)
	}
	call.Params = w.params()
	var answer videoList
	if err := d.client.Do(ctx, call, &answer); err != nil {
		return store.Page{}, notGone(err)
	}
	if err := answer.check(w); err != nil {
		return store.Page{}, call.Fail(0, err)
	}
	return w.read(b, answer), nil
}

// notGone takes the kind off an error that says of a whole listing that something is gone: it would be read as "already
// clean".
func notGone(err error) error {
	e, ok := errors.AsType[*mpu.Error](err)
	if !ok || e.Kind != mpu.Gone {
		return err
	}
	unclear := *e
	unclear.Kind = 0
	return &unclear
}
