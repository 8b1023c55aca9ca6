// Package vodstore drives ApsaraVideo VOD, API version 2017-03-21.
//
// VOD has no buckets and no keys. A bucket of store vod is a region, by Region and Name at once, and an upload is a video
// by its media ID, which is Key and UploadID at once. An upload that fails normally stays in status Uploading for good,
// so that the records in Uploading and UploadFail are what a sweep looks at. Aborting removes the parts and leaves the
// record, which is therefore listed again and then answered with mpu.Gone. A video in any other status is finished, and
// no method here returns it or touches it but AbortUpload, which does as it is told.
package vodstore

import (
	"context"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

// Driver implements [store.RatedDriver]. It is safe for use by many goroutines once its fields are set.
type Driver struct {
	// PageSize is how many records one page of a listing holds, 1 to 100. Default 100. A listing must be continued with
	// the page size that it began with, because its markers count pages.
	PageSize int

	lookback time.Duration // 0 for no limit
	now      func() time.Time
	client   *acs.Client
}

var _ store.RatedDriver = (*Driver)(nil)

// New returns a driver. The error names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	client, err := acs.New(cfg, acs.Service{Product: "vod", Version: "2017-03-21", Codes: codes})
	if err != nil {
		return nil, err
	}
	d := &Driver{PageSize: maxPageSize, lookback: cfg.Lookback, now: cfg.Now, client: client}
	if d.now == nil {
		d.now = time.Now
	}
	return d, nil
}

// Rates returns the calls a second that the vendor grants an account, main account and RAM users together ("QPS limits
// on API operations").
func (d *Driver) Rates() map[store.Op]float64 {
	return map[store.Op]float64{store.ListUploads: 100, store.ListParts: 100, store.AbortUpload: 10}
}

// AbortUpload removes the parts of a video (DeleteMultipartUpload). The record stays.
func (d *Driver) AbortUpload(ctx context.Context, u mpu.Upload) error {
	if err := acs.CheckUpload(store.AbortUpload, u); err != nil {
		return err
	}
	return d.client.Do(ctx, acs.Call{
		Op: store.AbortUpload, Target: u, Region: u.Bucket.Name,
		Action: "DeleteMultipartUpload",
		Params: map[string]string{"MediaId": u.UploadID, "MediaType": mediaType},
	}, nil)
}

const mediaType = "video" // the only one there is, and yet required

// codes are VOD's own error codes, from the page of DeleteMultipartUpload and from "Common error codes" of VOD.
var codes = acs.Codes{
	"InvalidMultipartUpload.NotFound": {Kind: mpu.Gone},
	"InvalidVideo.NotFound":           {Kind: mpu.Gone},
	"InvalidFile.NotFound":            {Kind: mpu.Gone},

	"InvalidStorage.NotFound": {Kind: mpu.Missing, Hint: "wrong region, or storage that was removed"},

	"InvalidParameter": {Kind: mpu.Invalid},
	"MissingParameter": {Kind: mpu.Invalid},

	"AccessDenied":              {Kind: mpu.Denied, Hint: "authorise VOD on the self-managed bucket"},
	"OperationDenied":           {Kind: mpu.Denied, Hint: "the VOD service is not activated"},
	"OperationDenied.Suspended": {Kind: mpu.Denied, Hint: "the VOD service is suspended, most likely for arrears"},
	"Forbidden":                 {Kind: mpu.Denied},
	"ServiceUnAvailable":        {Kind: mpu.Transient},
}
