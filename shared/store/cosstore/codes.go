package cosstore

import (
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// codes is COS's list of error codes (cloud.tencent.com/document/product/436/7730), as far as the three operations can
// meet them. Zero means that no kind fits.
var codes = wire.Codes{
	"NoSuchUpload": mpu.Gone,
	"NoSuchBucket": mpu.Missing,

	"AccessDenied":               mpu.Denied,
	"AccessForbidden":            mpu.Denied,
	"DomainAuditFailed":          mpu.Denied,
	"ExpiredToken":               mpu.Denied,
	"InvalidAccessKeyId":         mpu.Denied,
	"PaymentRequired":            mpu.Denied,
	"Request has expired":        mpu.Denied,
	"RequestTimeTooSkewed":       mpu.Denied,
	"SignatureDoesNotMatch":      mpu.Denied,
	"UnavailableForLegalReasons": mpu.Denied,

	"InternalError":      mpu.Transient,
	"KmsFreqControl":     mpu.Transient,
	"RequestTimeout":     mpu.Transient,
	"ServiceUnavailable": mpu.Transient,
	"SlowDown":           mpu.Transient,
	"UserNetworkTooSlow": mpu.Transient,
	// Conflicts of the moment, which the vendor's page advises to try again.
	"BucketLocked":       mpu.Transient,
	"InvalidBucketState": mpu.Transient,
	"ObjectLocked":       mpu.Transient,
	"PathConflict":       mpu.Transient,
	"UploadConflict":     mpu.Transient,

	"ActionAccelerateNotSupported": mpu.Invalid,
	"BucketAccelerateNotEnabled":   mpu.Invalid,
	"InvalidArgument":              mpu.Invalid,
	"InvalidBucketName":            mpu.Invalid,
	"InvalidRequest":               mpu.Invalid,
	"InvalidURI":                   mpu.Invalid,
	"KeyTooLong":                   mpu.Invalid,
	"ListPartUploadIdIsEmpty":      mpu.Invalid,
	"MalformedXML":                 mpu.Invalid,
	"MethodNotAllowed":             mpu.Invalid,
	"MissingContentLength":         mpu.Invalid,
	"NotImplemented":               mpu.Invalid,
	"PathStyleDomainForbidden":     mpu.Invalid,
	"UploadIdNotSupported":         mpu.Invalid,

	"InvalidObjectState":           0,
	"InvalidUploadStatus":          0,
	"NoSuchKey":                    0,
	"NoSuchLifecycleConfiguration": 0,
	"NoSuchVersion":                0,
	"PreconditionFailed":           0,

	// What only other requests can meet.
	"BadDigest":               0,
	"BucketAlreadyOwnedByYou": 0,
	"BucketNotEmpty":          0,
	"IncompleteBody":          0,
	"InvalidPart":             0,
	"InvalidPartOrder":        0,
}

// permissions is what each operation needs (cloud.tencent.com/document/product/436/31923).
var permissions = map[store.Op]string{
	store.ListBuckets: "grant name/cos:GetService on *",
	store.ListUploads: "grant name/cos:ListMultipartUploads on {bucket}/* in {region}",
	store.ListParts:   "grant name/cos:ListParts on {bucket}/* in {region}",
	store.AbortUpload: "grant name/cos:AbortMultipartUpload on {bucket}/* in {region}",

	store.GetLifecycle: "grant name/cos:GetBucketLifecycle on the bucket",
	store.PutLifecycle: "grant name/cos:PutBucketLifecycle on the bucket",
}

const (
	wrongKeys  = "check the secret ID and the secret key"
	setClock   = "set this machine's clock"
	wrongStyle = "use the bucket's own host: an Endpoint with {bucket}, or none"
)

var hints = map[string]string{
	"BucketAccelerateNotEnabled": "use the bucket's own endpoint, not the one for acceleration",
	"ExpiredToken":               "the temporary key is not valid any more; fetch a new one",
	"InvalidAccessKeyId":         wrongKeys,
	"PathStyleDomainForbidden":   wrongStyle,
	"Request has expired":        setClock,
	"RequestTimeTooSkewed":       setClock,
	"SignatureDoesNotMatch":      wrongKeys,
}
