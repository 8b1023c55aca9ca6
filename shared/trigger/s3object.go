package trigger

import "github.com/partsweep/partsweep/shared/mpu"

// A bucket that delivers to EventBridge sends the same news in another form, with the key as it is (Amazon S3 User Guide,
// "EventBridge event message structure"):
//
//	{"detail-type":"Object Created","source":"aws.s3","time":"2026-11-03T08:20:01Z","region":"eu-west-1",
//	 "detail":{"bucket":{"name":"media-in"},"object":{"key":"raw/a b+c.mxf"},"reason":"CompleteMultipartUpload"}}
func readS3Object(kind string, envelope, detail object) (Event, error) {
	if kind != "Object Created" {
		return Event{}, notCompletion("detail-type", kind)
	}
	reason, err := detail.must("reason")
	if err != nil {
		return Event{}, err
	}
	if reason != completion {
		return Event{}, notCompletion("reason", reason)
	}
	r, err := s3ObjectRequest(envelope, detail)
	return one("s3 event", r, err)
}

func s3ObjectRequest(envelope, detail object) (mpu.Request, error) {
	at, err := envelope.mustTime("time")
	if err != nil {
		return mpu.Request{}, err
	}
	region, err := envelope.name("region")
	if err != nil {
		return mpu.Request{}, err
	}
	bucket, key, err := detail.bucketAndKey()
	if err != nil {
		return mpu.Request{}, err
	}
	return completed(mpu.Bucket{Store: "s3", Region: region, Name: bucket}, key, at), nil
}
