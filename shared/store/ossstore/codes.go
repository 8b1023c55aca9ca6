package ossstore

import (
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// codes is OSS's list of error codes (alibabacloud.com/help/en/oss/developer-reference/error-codes), as far as the three
// operations can meet them. Zero means that no kind fits.
var codes = wire.Codes{
	"NoSuchUpload": mpu.Gone,
	"NoSuchBucket": mpu.Missing,

	"AccessDenied":          mpu.Denied,
	"InvalidAccessKeyId":    mpu.Denied,
	"InvalidSecurityToken":  mpu.Denied,
	"RequestTimeTooSkewed":  mpu.Denied,
	"SecurityTokenExpired":  mpu.Denied,
	"SignatureDoesNotMatch": mpu.Denied,
	"UserDisable":           mpu.Denied,

	"BadRequest":            mpu.Transient, // the vendor's own client tries again
	"InternalError":         mpu.Transient,
	"QpsLimitExceeded":      mpu.Transient,
	"RequestTimeout":        mpu.Transient,
	"ServiceUnavailable":    mpu.Transient,
	"SlowDown":              mpu.Transient,
	"TotalQpsLimitExceeded": mpu.Transient,

	"InvalidArgument":           mpu.Invalid,
	"InvalidBucketName":         mpu.Invalid,
	"InvalidObjectName":         mpu.Invalid,
	"InvalidRequest":            mpu.Invalid,
	"InvalidURI":                mpu.Invalid,
	"MalformedXML":              mpu.Invalid,
	"MethodNotAllowed":          mpu.Invalid,
	"NotImplemented":            mpu.Invalid,
	"XAmzContentSHA256Mismatch": mpu.Invalid,

	"NoSuchLifecycle":    0, // only of a lifecycle, and no error there
	"NoSuchKey":          0,
	"PermanentRedirect":  0,
	"PreconditionFailed": 0,
	"TemporaryRedirect":  0,

	// What only other requests can meet.
	"BadDigest":           0,
	"BucketAlreadyExists": 0,
	"BucketNotEmpty":      0,
	"IncompleteBody":      0,
	"InvalidPart":         0,
	"InvalidPartOrder":    0,
}

// permissions is what each operation needs.
var permissions = map[store.Op]string{
	store.ListBuckets: "grant oss:ListBuckets on acs:oss:*:*:*",
	store.ListUploads: "grant oss:ListMultipartUploads on acs:oss:*:*:{bucket}",
	store.ListParts:   "grant oss:ListParts on acs:oss:*:*:{bucket}/*",
	store.AbortUpload: "grant oss:AbortMultipartUpload on acs:oss:*:*:{bucket}/*",

	store.GetLifecycle: "grant oss:GetBucketLifecycle on acs:oss:*:*:{bucket}",
	store.PutLifecycle: "grant oss:PutBucketLifecycle on acs:oss:*:*:{bucket}",
}

const (
	elsewhere  = "set the bucket's region, or the endpoint"
	wrongKeys  = "check the access key ID and the secret"
	newSession = "the temporary credentials are not valid any more; fetch new ones"
)

var hints = map[string]string{
	"InvalidAccessKeyId":    wrongKeys,
	"InvalidSecurityToken":  newSession,
	"PermanentRedirect":     elsewhere,
	"RequestTimeTooSkewed":  "set this machine's clock",
	"SecurityTokenExpired":  newSession,
	"SignatureDoesNotMatch": wrongKeys,
	"TemporaryRedirect":     elsewhere,
	"UserDisable":           "pay what is owed, or ask the vendor why the account is disabled",
}
