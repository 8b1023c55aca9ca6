package obsstore

import (
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// codes is OBS's list of error codes (support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html), as far as the three
// operations can meet them. Zero means that no kind fits.
var codes = wire.Codes{
	"NoSuchUpload":  mpu.Gone,
	"NoSuchBucket":  mpu.Missing,
	"InvalidBucket": mpu.Missing, // under status 400

	"AccessDenied":                  mpu.Denied,
	"AccessForbidden":               mpu.Denied,
	"AccountProblem":                mpu.Denied,
	"AllAccessDisabled":             mpu.Denied,
	"DeregisterUserId":              mpu.Denied,
	"FrozenUserId":                  mpu.Denied,
	"InArrearOrInsufficientBalance": mpu.Denied,
	"InvalidAccessKeyId":            mpu.Denied,
	"InvalidSecurity":               mpu.Denied,
	"NotSignedUp":                   mpu.Denied,
	"RequestPayerDenied":            mpu.Denied,
	"RequestTimeTooSkewed":          mpu.Denied,
	"SignatureDoesNotMatch":         mpu.Denied,
	"TooManyWrongSignature":         mpu.Denied,
	"Unauthorized":                  mpu.Denied,

	"InternalError":      mpu.Transient,
	"OperationAborted":   mpu.Transient,
	"RequestTimeout":     mpu.Transient,
	"ServiceUnavailable": mpu.Transient,
	"SlowDown":           mpu.Transient,
	"TooManyRequests":    mpu.Transient,

	"BadDomainName":             mpu.Invalid,
	"FsNotSupport":              mpu.Invalid,
	"InvalidArgument":           mpu.Invalid,
	"InvalidBucketName":         mpu.Invalid,
	"InvalidRequest":            mpu.Invalid,
	"InvalidURI":                mpu.Invalid,
	"KeyTooLongError":           mpu.Invalid,
	"MalformedXML":              mpu.Invalid,
	"MethodNotAllowed":          mpu.Invalid,
	"MissingRegion":             mpu.Invalid,
	"NotImplemented":            mpu.Invalid,
	"ServiceNotImplemented":     mpu.Invalid,
	"ServiceNotSupported":       mpu.Invalid,
	"VirtualHostDomainRequired": mpu.Invalid,
	"XAmzContentSHA256Mismatch": mpu.Invalid,

	// The endpoint is wrong. A signed request is not sent again to another host.
	"PermanentRedirect": 0,
	"Redirect":          0,
	"TemporaryRedirect": 0,

	"BucketExpanding":              0,
	"InvalidBucketState":           0,
	"NoSuchKey":                    0, // never "gone": refused path style looks like this
	"NoSuchLifecycleConfiguration": 0,
	"NoSuchVersion":                0,

	// What only other requests can meet.
	"BadDigest":               0,
	"BucketAlreadyOwnedByYou": 0,
	"BucketNotEmpty":          0,
	"IncompleteBody":          0,
	"InvalidPart":             0,
	"InvalidPartOrder":        0,
}

// permissions is what each operation needs, as policies of version 1.1 spell it.
var permissions = map[store.Op]string{
	store.ListBuckets: "grant obs:bucket:ListAllMyBuckets on OBS:*:*:bucket:*",
	store.ListUploads: "grant obs:bucket:ListBucketMultipartUploads on OBS:*:*:bucket:{bucket}",
	store.ListParts:   "grant obs:object:ListMultipartUploadParts on OBS:*:*:object:{bucket}/*",
	store.AbortUpload: "grant obs:object:AbortMultipartUpload on OBS:*:*:object:{bucket}/*; " +
		"only the initiator and the bucket's owner may abort",

	store.GetLifecycle: "grant obs:bucket:GetLifecycleConfiguration on the bucket",
	store.PutLifecycle: "grant obs:bucket:PutLifecycleConfiguration on the bucket",
}

const (
	elsewhere = "set the bucket's region, or the endpoint"
	wrongKeys = "check the access key ID and the secret; OBS locks out who goes on with wrong ones"
	style     = "leave PathStyle out: this endpoint wants the bucket in the host"
)

var hints = map[string]string{
	"InvalidAccessKeyId":        wrongKeys,
	"SignatureDoesNotMatch":     wrongKeys,
	"TooManyWrongSignature":     wrongKeys,
	"NoSuchKey":                 style,
	"VirtualHostDomainRequired": style,
	"PermanentRedirect":         elsewhere,
	"Redirect":                  elsewhere,
	"TemporaryRedirect":         elsewhere,
	"RequestTimeTooSkewed":      "set this machine's clock",
}
