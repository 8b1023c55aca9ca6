package acs

import (
	"errors"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

func TestCheckUpload(t *testing.T) {
	region := func(name, region string) mpu.Bucket { return mpu.Bucket{Store: "vod", Name: name, Region: region} }
	good := region("cn-shanghai", "cn-shanghai")
	for _, test := range []struct {
		name string
		u    mpu.Upload
		ok   bool
	}{
		{"whole", mpu.Upload{Bucket: good, Key: "id", UploadID: "id"}, true},
		{"region left out", mpu.Upload{Bucket: region("cn-shanghai", ""), Key: "id", UploadID: "id"}, true},
		{"nothing", mpu.Upload{}, false},
		{"no bucket", mpu.Upload{Key: "id", UploadID: "id"}, false},
		{"no bucket but a region", mpu.Upload{Bucket: region("", "cn-shanghai"), Key: "id", UploadID: "id"}, false},
		{"every bucket", mpu.Upload{Bucket: region("*", "*"), Key: "id", UploadID: "id"}, false},
		{"two regions", mpu.Upload{Bucket: region("cn-shanghai", "cn-beijing"), Key: "id", UploadID: "id"}, false},
		{"a host", mpu.Upload{Bucket: region("evil.example.com/", ""), Key: "id", UploadID: "id"}, false},
		{"no key", mpu.Upload{Bucket: good, UploadID: "id"}, false},
		{"no upload ID", mpu.Upload{Bucket: good, Key: "id"}, false},
		{"neither", mpu.Upload{Bucket: good}, false},
		{"blanks", mpu.Upload{Bucket: good, Key: " ", UploadID: " "}, false},
		{"two media", mpu.Upload{Bucket: good, Key: "a,b", UploadID: "a,b"}, false},
		{"key and upload ID differ", mpu.Upload{Bucket: good, Key: "a", UploadID: "b"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckUpload(store.AbortUpload, test.u)
			if test.ok != (err == nil) || err != nil && !errors.Is(err, mpu.Refused) {
				t.Errorf("error %v", err)
			}
		})
	}
}
