package trigger

import (
	"encoding/json"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A trail that logs data events sends each call to S3 through EventBridge, with an errorCode if it failed (Amazon S3 User
// Guide, "Amazon S3 CloudTrail events"). It is the one signal of a failed upload that AWS itself makes:
//
//	{"detail-type":"AWS API Call via CloudTrail","source":"aws.s3","time":"…","detail":{"eventSource":"s3.amazonaws.com",
//	 "eventName":"CompleteMultipartUpload","eventTime":"2026-11-03T08:15:42Z","awsRegion":"eu-west-1","errorCode":"InvalidPart",
//	 "requestParameters":{"bucketName":"media-in","key":"raw/a b+c.mxf","uploadId":"VXBs"},…}}
//
// Regions in China spell the detail-type differently, so that both spellings are read.
var cloudTrailTypes = []string{"AWS API Call via CloudTrail", "Amazon API Call via CloudTrail"}

func readCloudTrail(detail object) (Event, error) {
	service, err := detail.must("eventSource")
	if err != nil {
		return Event{}, err
	}
	if service != "s3.amazonaws.com" {
		return Event{}, ignored("eventSource", service, "only calls to S3 are of interest")
	}
	c, err := cloudTrailCall(detail)
	if err != nil {
		return Event{}, err
	}
	if err := c.ignored(); err != nil {
		return Event{}, err
	}
	r, err := cloudTrailUpload(c, detail)
	return one("cloudtrail", r, err)
}

func cloudTrailCall(detail object) (call, error) {
	name, err := detail.must("eventName")
	if err != nil {
		return call{}, err
	}
	code, err := detail.text("errorCode")
	if err != nil {
		return call{}, err
	}
	return call{name: name, code: code, own: ownAccount(detail)}, nil
}

// ownAccount reports whether the caller's account is the one that received the record.
func ownAccount(detail object) bool {
	identity, err := detail.object("userIdentity")
	if err != nil {
		return false
	}
	caller, err := identity.must("accountId")
	return err == nil && detail.is("recipientAccountId", caller)
}

func cloudTrailUpload(c call, detail object) (mpu.Request, error) {
	at, err := detail.mustTime("eventTime")
	if err != nil {
		return mpu.Request{}, err
	}
	region, err := detail.name("awsRegion")
	if err != nil {
		return mpu.Request{}, err
	}
	parameters, err := detail.object("requestParameters")
	if err != nil {
		return mpu.Request{}, err
	}
	return parameters.calledUpload(c, region, at)
}

func (o object) calledUpload(c call, region string, at time.Time) (mpu.Request, error) {
	bucket, err := o.lenient("bucketName")
	if err != nil {
		return mpu.Request{}, err
	}
	key, err := o.lenient("key")
	if err != nil {
		return mpu.Request{}, err
	}
	uploadID, err := o.lenient("uploadId")
	if err != nil {
		return mpu.Request{}, err
	}
	return c.upload(mpu.Bucket{Store: "s3", Region: region, Name: bucket}, key, uploadID, at), nil
}

// lenient returns a name that stands alone or in an array of one, and has to be there: which of the two CloudTrail writes
// for a parameter of a query is documented nowhere.
func (o object) lenient(field string) (string, error) {
	if kindOf(o.fields[field]) != "an array" {
		return o.must(field)
	}
	elements, err := o.array(field)
	if err != nil {
		return "", err
	}
	if len(elements) > 1 {
		return "", fault(field+", an array of several", "an upload has one", nil)
	}
	alone := object{names: []string{field}, fields: map[string]json.RawMessage{field: elements[0]}}
	return alone.must(field)
}
