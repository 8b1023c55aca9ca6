package trigger

import (
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// OSS calls a function with the records of a trigger (Function Compute, "OSS triggers"). An event of EventBridge holds one
// of them as its data (EventBridge, "OSS events"):
//
//	{"events":[{"eventName":"ObjectCreated:CompleteMultipartUpload","eventSource":"acs:oss","eventTime":"2026-11-03T08:20:01.000Z",
//	 "region":"cn-shanghai","oss":{"bucket":{"name":"media-oss"},"object":{"key":"raw/a.mxf"}}}]}
//
// OSS tells of every step of an upload, but never of a failure, and without the upload's ID. A part, or an upload begun, says
// that it is alive. Whether the key is encoded is documented nowhere: it is taken as it is, and if it was encoded there is
// no upload of that key.
func isOSSTrigger(o object) bool { return kindOf(o.fields["events"]) == "an array" }

func readOSSTrigger(o object) (Event, error) {
	records, err := o.records("events")
	if err != nil {
		return Event{}, err
	}
	return eachRecord("oss event", records, ossRequest), nil
}

func readOSSCloudEvent(o object, kind string) (Event, error) {
	if name := strings.TrimPrefix(kind, "oss:"); name != ossCompletion {
		return Event{}, notCompletion("type", kind)
	}
	data, err := o.object("data")
	if err != nil {
		return Event{}, err
	}
	return readOSSRecord(data)
}

const ossCompletion = "ObjectCreated:CompleteMultipartUpload"

func isOSSRecord(o object) bool { return o.is("eventSource", "acs:oss") }

func readOSSRecord(o object) (Event, error) {
	r, err := ossRequest(o)
	return one("oss event", r, err)
}

func ossRequest(o object) (mpu.Request, error) {
	if !isOSSRecord(o) {
		return mpu.Request{}, fault("eventSource, "+describe(o.fields["eventSource"]), "read are records of acs:oss", nil)
	}
	name, err := o.must("eventName")
	if err != nil {
		return mpu.Request{}, err
	}
	if strings.TrimPrefix(name, "oss:") != ossCompletion {
		return mpu.Request{}, notCompletion("eventName", name)
	}
	at, err := o.mustTime("eventTime")
	if err != nil {
		return mpu.Request{}, err
	}
	region, err := o.name("region")
	if err != nil {
		return mpu.Request{}, err
	}
	oss, err := o.object("oss")
	if err != nil {
		return mpu.Request{}, err
	}
	bucket, key, err := oss.bucketAndKey()
	if err != nil {
		return mpu.Request{}, err
	}
	return completed(mpu.Bucket{Store: "oss", Region: region, Name: bucket}, key, at), nil
}
