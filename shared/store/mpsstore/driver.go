// Package mpsstore drives ApsaraVideo Media Processing (MPS, product code mts), API version 2014-06-18.
//
// MPS has neither buckets nor uploads: a bucket of store mps is a region, by Region and Name at once, and an upload is a
// media record by its media ID, which is Key and UploadID at once. Aborting is DeleteMedia, which makes the record
// unusable and leaves its files in OSS, so that no storage comes back. MPS cannot list its records.
package mpsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

// Driver implements [store.BatchDriver] and [store.RatedDriver]. It is safe for use by many goroutines.
type Driver struct{ client *acs.Client }

var (
	_ store.BatchDriver = (*Driver)(nil)
	_ store.RatedDriver = (*Driver)(nil)
)

// New returns a driver. The error names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	client, err := acs.New(cfg, acs.Service{Product: "mts", Version: "2014-06-18", Codes: codes})
	if err != nil {
		return nil, err
	}
	return &Driver{client: client}, nil
}

// Rates returns the calls a second that the vendor grants an account, main account and RAM users together.
func (d *Driver) Rates() map[store.Op]float64 {
	return map[store.Op]float64{store.AbortUpload: 100}
}

// maxBatch is how many IDs one DeleteMedia takes.
const maxBatch = 10

// BatchSize returns 10.
func (d *Driver) BatchSize() int { return maxBatch }

// AbortUpload deletes one media record (DeleteMedia).
func (d *Driver) AbortUpload(ctx context.Context, u mpu.Upload) error {
	return d.AbortUploads(ctx, []mpu.Upload{u})
}

// AbortUploads deletes up to 10 media records of one region with one request (DeleteMedia). What becomes of the others if
// one is unknown is not documented, and the answer does not tell. More than 10, a repeated ID, one that is no ID or two
// regions are mpu.Refused.
func (d *Driver) AbortUploads(ctx context.Context, us []mpu.Upload) error {
	ids, err := batch(us)
	if err != nil {
		return err
	}
	joined := strings.Join(ids, ",")
	return d.client.Do(ctx, acs.Call{
		Op:     store.AbortUpload,
		Target: mpu.Upload{Bucket: us[0].Bucket, Key: joined, UploadID: joined},
		Region: us[0].Bucket.Name,
		Action: "DeleteMedia",
		Params: map[string]string{"MediaIds": joined},
	}, nil)
}

// batch returns the IDs of a batch that one request can stand for.
func batch(us []mpu.Upload) ([]string, error) {
	if len(us) == 0 || len(us) > maxBatch {
		return nil, refused("", fmt.Errorf("a request takes 1 to %d media, not %d", maxBatch, len(us)))
	}
	ids := make([]string, 0, len(us))
	for _, u := range us {
		if err := acs.CheckUpload(store.AbortUpload, u); err != nil {
			return nil, err
		}
		switch {
		case u.Bucket.Name != us[0].Bucket.Name:
			return nil, refused(u.String(), fmt.Errorf("a request is for one region, and the first media is in %s", us[0].Bucket.Name))
		case slices.Contains(ids, u.UploadID):
			return nil, refused(u.String(), errors.New("a request names each media once"))
		}
		ids = append(ids, u.UploadID)
	}
	return ids, nil
}

func refused(target string, err error) error {
	return &mpu.Error{Kind: mpu.Refused, Op: string(store.AbortUpload), Target: target, Err: err}
}

// ListUploads is not supported: MPS has no operation that lists its media.
func (d *Driver) ListUploads(_ context.Context, b mpu.Bucket, _ string, _ mpu.Marker) (store.Page, error) {
	return store.Page{}, unsupported(store.ListUploads, b)
}

// ListParts is not supported: a media record has no parts.
func (d *Driver) ListParts(_ context.Context, u mpu.Upload, _ int) (store.Parts, error) {
	return store.Parts{}, unsupported(store.ListParts, u)
}

func unsupported(op store.Op, target fmt.Stringer) error {
	return &mpu.Error{Op: string(op), Target: target.String(), Hint: "name the media IDs in the request", Err: errors.ErrUnsupported}
}

// codes are the error codes common to MPS operations ("Error codes" of MPS). DeleteMedia has none of its own.
var codes = acs.Codes{
	"InvalidParameter":                      {Kind: mpu.Invalid},
	"InvalidParameter.NullValue":            {Kind: mpu.Invalid},
	"InvalidParameter.InvalidState":         {Kind: mpu.Invalid},
	"InvalidParameter.EmptyValue":           {Kind: mpu.Invalid},
	"InvalidParameter.NotSupported":         {Kind: mpu.Invalid},
	"InvalidParameter.OutOfRange":           {Kind: mpu.Invalid},
	"InvalidParameter.ResourceNotFound":     {Kind: mpu.Gone},
	"InvalidParameter.ResourceContentBad":   {Kind: mpu.Invalid},
	"InvalidParameter.ResourceNotSupported": {Kind: mpu.Invalid},
	"PermissionDenied.ResourceAccess":       {Kind: mpu.Denied, Hint: "MPS may not reach the resource"},
	"InvalidIdentity.ServiceDisabled":       {Kind: mpu.Denied, Hint: "the MPS service is not activated"},
}
