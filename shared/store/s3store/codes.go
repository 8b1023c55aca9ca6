package s3store

import (
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// codes is the part of S3's list of error codes that the three operations can meet, and what other servers add to it
// (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Zero means that no kind fits.
var codes = wire.Codes{
	"NoSuchUpload": mpu.Gone,
	"NoSuchBucket": mpu.Missing,

	"AccessDenied":          mpu.Denied,
	"AccessForbidden":       mpu.Denied,
	"AccountProblem":        mpu.Denied,
	"AllAccessDisabled":     mpu.Denied,
	"ExpiredToken":          mpu.Denied,
	"InvalidAccessKeyId":    mpu.Denied,
	"InvalidPayer":          mpu.Denied,
	"InvalidSecurity":       mpu.Denied,
	"InvalidToken":          mpu.Denied,
	"NotSignedUp":           mpu.Denied,
	"RequestTimeTooSkewed":  mpu.Denied,
	"SignatureDoesNotMatch": mpu.Denied,
	"TokenRefreshRequired":  mpu.Denied,

	"BandwidthLimitExceeded": mpu.Transient,
	"InternalError":          mpu.Transient,
	"OperationAborted":       mpu.Transient,
	"RequestLimitExceeded":   mpu.Transient,
	"RequestTimeout":         mpu.Transient,
	"ServiceUnavailable":     mpu.Transient,
	"SlowDown":               mpu.Transient,
	"Throttling":             mpu.Transient,
	"ThrottlingException":    mpu.Transient,
	"TooManyRequests":        mpu.Transient,

	"InvalidArgument":           mpu.Invalid,
	"InvalidBucketName":         mpu.Invalid,
	"InvalidRequest":            mpu.Invalid,
	"InvalidURI":                mpu.Invalid,
	"KeyTooLongError":           mpu.Invalid,
	"MalformedXML":              mpu.Invalid,
	"MethodNotAllowed":          mpu.Invalid,
	"MissingSecurityHeader":     mpu.Invalid,
	"NotImplemented":            mpu.Invalid,
	"XAmzContentSHA256Mismatch": mpu.Invalid,

	// The bucket is elsewhere. Where the answer says in which region, the driver goes there; see Driver.moved.
	"AuthorizationHeaderMalformed":       0,
	"IllegalLocationConstraintException": 0,
	"PermanentRedirect":                  0,
	"Redirect":                           0,
	"TemporaryRedirect":                  0,

	"InvalidBucketState":           0,
	"NoSuchLifecycleConfiguration": 0, // only of a lifecycle, and no error there
	"NoSuchKey":                    0, // never "gone": a wrong addressing style looks like this
	"NoSuchVersion":                0,
	"PreconditionFailed":           0,

	// What only other requests can meet.
	"BadDigest":               0,
	"BucketAlreadyOwnedByYou": 0,
	"BucketNotEmpty":          0,
	"EntityTooSmall":          0,
	"IncompleteBody":          0,
	"InvalidPart":             0,
	"InvalidPartOrder":        0,
}

// permissions is what each operation needs (docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
var permissions = map[store.Op]string{
	store.ListBuckets: "grant s3:ListAllMyBuckets on *",
	store.ListUploads: "grant s3:ListBucketMultipartUploads on arn:{partition}:s3:::{bucket}",
	store.ListParts: "grant s3:ListMultipartUploadParts on arn:{partition}:s3:::{bucket}/*; " +
		"ListParts of an SSE-KMS upload also needs kms:Decrypt on its key",
	store.AbortUpload: "grant s3:AbortMultipartUpload on arn:{partition}:s3:::{bucket}/*",

	store.GetLifecycle: "grant s3:GetLifecycleConfiguration on arn:{partition}:s3:::{bucket}",
	store.PutLifecycle: "grant s3:PutLifecycleConfiguration on arn:{partition}:s3:::{bucket}",
}

const (
	elsewhere  = "set the bucket's region, or the endpoint"
	wrongKeys  = "check the access key ID and the secret"
	newSession = "the session's credentials are not valid any more; fetch new ones"
)

var hints = map[string]string{
	"AuthorizationHeaderMalformed":       elsewhere,
	"IllegalLocationConstraintException": elsewhere,
	"PermanentRedirect":                  elsewhere,
	"Redirect":                           elsewhere,
	"TemporaryRedirect":                  elsewhere,
	"ExpiredToken":                       newSession,
	"InvalidToken":                       newSession,
	"TokenRefreshRequired":               newSession,
	"InvalidAccessKeyId":                 wrongKeys,
	"SignatureDoesNotMatch":              wrongKeys,
	"RequestTimeTooSkewed":               "set this machine's clock",
	"NoSuchKey":                          "an upload is asked for, not an object: check the addressing style (PathStyle)",
}
