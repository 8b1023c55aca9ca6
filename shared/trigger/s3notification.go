package trigger

import (
	"net/url"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// S3 notifies of what succeeded, never of what failed (Amazon S3 User Guide, "Event message structure"):
//
//	{"Records":[{"eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2026-11-03T08:20:01.123Z",
//	 "eventName":"ObjectCreated:CompleteMultipartUpload","s3":{"bucket":{"name":"media-in"},"object":{"key":"raw/a+b%2Bc.mxf"}}}]}
//
// The key is encoded as in a web form. Huawei OBS sends the same records, eventSource included, so that nothing can be told
// from them: they are S3's, unless they come through SMN or show OBS somewhere. Taken for the wrong store, a record names a
// bucket that the settings do not allow, and is refused.
func isS3Record(r object) bool { return r.has("s3") && (r.is("eventSource", "aws:s3") || saysOBS(r)) }

func saysOBS(r object) bool { return r.is("eventSource", "OBS") || r.is("eventSource", "obs") }

func readS3Records(o object, records []record) (Event, error) {
	return eachRecord("s3 notification", records, func(r object) (mpu.Request, error) {
		return s3Request(r, slices.Contains(o.within, "smn"))
	}), nil
}

func s3Request(r object, isOBS bool) (mpu.Request, error) {
	name, err := r.must("eventName")
	if err != nil {
		return mpu.Request{}, err
	}
	if strings.TrimPrefix(name, "s3:") != "ObjectCreated:CompleteMultipartUpload" {
		return mpu.Request{}, notCompletion("eventName", name)
	}
	at, err := r.mustTime("eventTime")
	if err != nil {
		return mpu.Request{}, err
	}
	region, err := r.name("awsRegion")
	if err != nil {
		return mpu.Request{}, err
	}
	s3, err := r.object("s3")
	if err != nil {
		return mpu.Request{}, err
	}
	bucket, key, err := s3.bucketAndKey()
	if err != nil {
		return mpu.Request{}, err
	}
	if key, err = decodedKey(key, url.QueryUnescape); err != nil {
		return mpu.Request{}, err
	}
	store := "s3"
	if isOBS || showsOBS(r, s3) {
		store = "obs"
	}
	return completed(mpu.Bucket{Store: store, Region: region, Name: bucket}, key, at), nil
}

// bucketAndKey reads {"bucket":{"name":…},"object":{"key":…}}.
func (o object) bucketAndKey() (bucket, key string, err error) {
	b, err := o.object("bucket")
	if err != nil {
		return "", "", err
	}
	if bucket, err = b.must("name"); err != nil {
		return "", "", err
	}
	k, err := o.object("object")
	if err != nil {
		return "", "", err
	}
	key, err = k.must("key")
	return bucket, key, err
}

// decodedKey decodes a key. What is malformed is an error and never taken as it is.
func decodedKey(key string, decode func(string) (string, error)) (string, error) {
	decoded, err := decode(key)
	if err != nil {
		return "", invalid("key", key, "a percent sign is followed by two hexadecimal digits")
	}
	if decoded == "" || damaged(decoded) {
		return "", invalid("key", key, "name the upload by hand, with such characters percent-encoded")
	}
	return decoded, nil
}

// showsOBS looks for what only OBS writes.
func showsOBS(r, s3 object) bool {
	if saysOBS(r) {
		return true
	}
	if b, err := s3.object("bucket"); err == nil {
		if arn, err := b.text("arn"); err == nil && strings.Contains(arn, ":obs:") {
			return true
		}
	}
	response, err := r.object("responseElements")
	return err == nil && slices.ContainsFunc(response.names, func(name string) bool { return strings.HasPrefix(name, "x-obs-") })
}

// A bucket whose notifications have just been set up sends a test.
func isS3Test(o object) bool { return o.is("Event", "s3:TestEvent") }

func readS3Test(object) (Event, error) {
	return Event{}, ignored("Event", "s3:TestEvent", "the notifications of the bucket arrive")
}
