package janitor

import (
	"sync"

	"github.com/partsweep/partsweep/shared/mpu"
)

// failures remembers the uploads of a job that failed, so that one that is listed again is not tried and counted again.
type failures struct {
	mu     sync.Mutex
	failed map[mpu.Upload]bool // without times
}

// mostFailed bounds what is remembered. Where more fails, another look at the listing does not help.
const mostFailed = 1000

func (f *failures) add(u mpu.Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = map[mpu.Upload]bool{}
	}
	if len(f.failed) <= mostFailed {
		f.failed[nameOf(u)] = true
	}
}

func (f *failures) has(u mpu.Upload) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.failed) > 0 && f.failed[nameOf(u)]
}

// few reports whether all that failed is remembered.
func (f *failures) few() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.failed) <= mostFailed
}

// nameOf returns an upload with nothing but what names it.
func nameOf(u mpu.Upload) mpu.Upload {
	return mpu.Upload{Bucket: mpu.Bucket{Store: u.Bucket.Store, Name: u.Bucket.Name}, Key: u.Key, UploadID: u.UploadID}
}
