package trigger

import (
	"slices"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A call is a request that somebody sent to a store, as an audit record or an access log tells it. Both tell of failures
// that nobody reported; neither says whether the client has given up.
type call struct {
	name, code string
	own        bool // the caller belongs to the account whose record this is
}

var (
	// hopelessCodes are the answers to CompleteMultipartUpload that stay what they are, however often it is sent.
	hopelessCodes = []string{"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "EntityTooLarge", "MalformedXML", "InvalidRequest"}

	// passingCodes are the answers that another attempt may not get.
	passingCodes = []string{"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "ThrottlingException"}

	// denials begin the codes that say who the caller is not. Anyone can cause them for any upload.
	denials = []string{"AccessDenied", "AllAccessDisabled", "AccountProblem", "Authorization", "AuthFailure", "CredentialsNot",
		"ExpiredToken", "InvalidAccessKey", "InvalidPayer", "InvalidSecret", "InvalidSecurity", "InvalidSignature", "InvalidToken",
		"KMS", "MissingAuthentication", "MissingSecurity", "NotSignedUp", "OptInRequired", "RequestExpired", "RequestTimeTooSkewed",
		"SignatureDoesNotMatch", "TokenRefresh", "Unauthorized"}
)

// ignored returns why nothing follows from the call, and nil if its upload is to be aborted. A part that failed is usually
// sent again, a call that was denied may be a stranger's, and an unknown code may be a passing one: a live upload must
// survive all of them. An abort that failed in passing is completed, because its sender wanted the upload gone. What a
// caller from another account sends is ignored whatever its code: a store throttles, and finds requests malformed, before
// it knows who sent them.
func (c call) ignored() error {
	why := c.whyIgnored()
	if why == "" && !c.own {
		why = "the caller belongs to another account"
	}
	switch {
	case why == "":
		return nil
	case c.code == "":
		return ignored("call", c.name, why)
	}
	return ignored("call", c.name+" "+c.code, why)
}

func (c call) whyIgnored() string {
	switch {
	case c.code == "":
		return "it succeeded"
	case c.code == "NoSuchUpload":
		return "the upload is gone already"
	case slices.ContainsFunc(denials, func(code string) bool { return strings.HasPrefix(c.code, code) }):
		return "a call that was denied says nothing about the upload; anybody can send one"
	}
	switch c.name {
	case "CompleteMultipartUpload":
		return unless(slices.Contains(hopelessCodes, c.code), "the client may try again")
	case "UploadPart", "UploadPartCopy":
		return unless(c.code == "EntityTooLarge", "a part that failed is usually sent again")
	case "AbortMultipartUpload":
		return unless(slices.Contains(passingCodes, c.code), "the store said why it cannot be aborted")
	case "CreateMultipartUpload", "InitiateMultipartUpload":
		return "no upload was begun"
	}
	return "it is not about a multipart upload"
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}

// upload is the request for the upload that the call named. Without its ID it would be about every upload of the key.
func (c call) upload(b mpu.Bucket, key, uploadID string, at time.Time) mpu.Request {
	return mpu.Request{Bucket: b, Key: key, UploadID: uploadID, Before: at, Cause: clip(singleLine(c.name+" "+c.code), 200)}
}

// completed is the request that follows from a completed upload: older uploads of the same key were attempts at the same
// file. It names no upload, so that the receiver's minimum age holds.
func completed(b mpu.Bucket, key string, at time.Time) mpu.Request {
	return mpu.Request{Bucket: b, Key: key, Before: at, Cause: completion}
}

const completion = "CompleteMultipartUpload"

// notCompletion says why an event of a store is ignored.
func notCompletion(field, name string) error {
	if strings.Contains(name, "Abort") || strings.Contains(name, "ObjectRemove") {
		return ignored(field, name, "nothing is left to do after it; our own aborts cause such events")
	}
	return ignored(field, name, "only a completed multipart upload asks for anything")
}
