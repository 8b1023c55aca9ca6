package store

import (
	"context"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A Driver speaks one cloud's API. Every method sends exactly one request, signed afresh, and reads its whole answer: no
// retry, no paging, no following of redirects, no state that one call leaves for the next but a learnt region. A method
// whose context is done, or whose input has a blank that would make it a different request, sends none.
//
// An error is an *mpu.Error with the kind from the driver's code table, the provider's code, message and request ID, and,
// where the kind is Denied, the missing permission in its hint. An operation that the service does not have returns an
// error for which errors.Is(err, errors.ErrUnsupported) holds.
type Driver interface {
	// ListUploads returns one page of the uploads of a bucket whose keys begin with prefix, from after on. Prefix may be
	// empty. For a service without keys a non-empty prefix is the media ID itself. Uploads carry b as their Bucket, with
	// the region filled in if it has been learnt.
	ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (Page, error)

	// ListParts sums one page of an upload's parts, those with numbers above after. An upload that no longer exists is an
	// mpu.Gone error, by the provider's code for exactly that and by nothing else.
	ListParts(ctx context.Context, u mpu.Upload, after int) (Parts, error)

	// AbortUpload aborts the one upload that has this bucket, key and upload ID. An upload that does not exist is an
	// mpu.Gone error.
	AbortUpload(ctx context.Context, u mpu.Upload) error
}

// A BatchDriver's API takes several uploads in one abort.
type BatchDriver interface {
	Driver
	// BatchSize is the most uploads that one AbortUploads takes.
	BatchSize() int
	// AbortUploads aborts all of the uploads with one request. If it fails, nothing is known of any single one.
	AbortUploads(ctx context.Context, us []mpu.Upload) error
}

// A ForeignDriver may speak to a service that is not the vendor's own but merely speaks its language. No two of those list
// uploads alike, so what such a service says is checked where it can be.
type ForeignDriver interface {
	Driver
	// Foreign reports whether the service is somebody else's.
	Foreign() bool
}

// A RatedDriver's service publishes how many calls a second it takes from one account.
type RatedDriver interface {
	Driver
	// Rates are in calls a second; an operation that is not named has no published limit.
	Rates() map[Op]float64
}

// A PullDriver's service pulls media from URLs, and can say which media a failed pull was to make.
type PullDriver interface {
	Driver
	// MediaOfPull returns the media ID of a pull by the ID of its job, with one request. It is an mpu.Gone error if there
	// is none: the pull then left nothing behind.
	MediaOfPull(ctx context.Context, b mpu.Bucket, jobID string) (mediaID string, err error)
}

// A BucketsDriver's service lists the buckets of an account.
type BucketsDriver interface {
	Driver
	// ListBuckets returns one page of the account's buckets in all regions, from after on, which is empty at first. Of in
	// only the store counts, and the region as one to ask in, if there is one. Buckets carry their regions as far as the
	// service tells them.
	ListBuckets(ctx context.Context, in mpu.Bucket, after string) (BucketPage, error)
}

// A LifecycleDriver's service keeps lifecycle rules for a bucket, one of which may abort multipart uploads by their age.
type LifecycleDriver interface {
	Driver
	// Lifecycle returns a bucket's rules, the zero value if it has none.
	Lifecycle(ctx context.Context, b mpu.Bucket) (Lifecycle, error)
	// PutLifecycle replaces all of a bucket's rules. No service offers to write only if nobody else has.
	PutLifecycle(ctx context.Context, b mpu.Bucket, l Lifecycle) error
}

// A Lifecycle is all that a service keeps about a bucket's lifecycle.
type Lifecycle struct {
	Document []byte // a LifecycleConfiguration in XML, as the service wrote it; nil if there is none
	Minimum  string // S3's TransitionDefaultMinimumObjectSize, which reverts if it is not written back; empty elsewhere
}

// A BucketPage is one answer to ListBuckets.
type BucketPage struct {
	Buckets []mpu.Bucket
	Next    string // where it goes on, opaque; empty: there are no more
}

// A Page is one answer to ListUploads.
type Page struct {
	After   mpu.Marker // where this page begins; filled in by Store
	Uploads []mpu.Upload
	More    bool       // the service says that there is more; nothing else ends or continues a listing
	Next    mpu.Marker // where it goes on, as the service said it; both halves opaque
	// Incomplete says why the listing is known to leave uploads out, empty if nothing is known.
	Incomplete string
}

// Parts sums the parts of an upload, or one page of them.
type Parts struct {
	Count     int
	Bytes     int64
	Newest    time.Time // when the newest part was finished, UTC; zero if there is none or the service does not say
	Initiated time.Time // when the upload was initiated, if the service says so here
	More      bool      // there are parts with numbers above Next
	Next      int
}

// An Op is one of a driver's operations.
type Op string

// The operations, in words for logs and errors.
const (
	ListUploads Op = "list uploads"
	ListParts   Op = "list parts"
	AbortUpload Op = "abort upload"
	ListBuckets Op = "list buckets"
	LookUpPull  Op = "look up pull"

	GetLifecycle Op = "read lifecycle"
	PutLifecycle Op = "write lifecycle"
)
