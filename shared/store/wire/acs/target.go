package acs

import (
	"fmt"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// CheckBucket refuses a bucket that is not a region by both of its names.
func CheckBucket(op store.Op, b mpu.Bucket) error {
	switch {
	case !wire.IsRegion(b.Name):
		return refused(op, b, "bucket %q is no region ID", b.Name)
	case b.Region != "" && b.Region != b.Name:
		return refused(op, b, "region %q and bucket %q differ, and both name the region", b.Region, b.Name)
	}
	return nil
}

// CheckUpload refuses an upload whose key and upload ID are not one and the same media ID.
func CheckUpload(op store.Op, u mpu.Upload) error {
	if err := CheckBucket(op, u.Bucket); err != nil {
		return err
	}
	if u.Key != u.UploadID {
		return refused(op, u, "key %q and upload ID %q differ, and both name the media", u.Key, u.UploadID)
	}
	return CheckID(op, u.Bucket, u.UploadID)
}

// CheckID refuses what is not exactly one media ID: a comma would make it several.
func CheckID(op store.Op, b mpu.Bucket, id string) error {
	if id == "" || strings.ContainsAny(id, ", \t\r\n") {
		return refused(op, b, "%q is no media ID", id)
	}
	return nil
}

func refused(op store.Op, target fmt.Stringer, format string, args ...any) error {
	return &mpu.Error{Kind: mpu.Refused, Op: string(op), Target: target.String(), Err: fmt.Errorf(format, args...)}
}
