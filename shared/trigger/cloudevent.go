package trigger

import (
	"fmt"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Alibaba Cloud EventBridge puts what it carries into a CloudEvent (EventBridge, "Event specifications"):
//
//	{"specversion":"1.0","id":"…","source":"acs.oss","type":"oss:ObjectCreated:CompleteMultipartUpload","time":"…","data":{…}}
//	{"specversion":"1.0","id":"…","source":"acs:mns","type":"mns:Queue:SendMessage","data":{"messageId":"…","messageBody":"{…}"}}
//
// The type says what the data is. A rule may leave everything but the data out. A source of one's own may carry the
// project's failure message under any type. Events of other clouds and products have the same envelope, and are invalid.
func isCloudEvent(o object) bool { return o.has("specversion") && o.has("type") && o.has("source") }

func readCloudEvent(o object) (Event, error) {
	kind, err := o.must("type")
	if err != nil {
		return Event{}, err
	}
	sender, err := o.text("source")
	if err != nil {
		return Event{}, err
	}
	product, _, _ := strings.Cut(kind, ":")
	// Anyone may write any type into an event of their own; the product's own source says that it is the product's.
	vendor := sender == "acs."+product || strings.HasPrefix(sender, "acs:"+product)
	switch {
	case product == "oss" && vendor:
		return readOSSCloudEvent(o, kind)
	case product == "mns" && vendor:
		data, err := o.object("data")
		if err != nil {
			return Event{}, err
		}
		data.within = o.within
		return readMNSData(data)
	case product == "vod" || product == "mts":
		return Event{}, ignored("type", kind, "it tells of a call, and never of an upload")
	}
	if data, err := o.object("data"); err == nil && isFailure(data) {
		return carryField(o, "cloudevent", "data")
	}
	return Event{}, unknownCloudEvent(o, kind)
}

func unknownCloudEvent(o object, kind string) error {
	sender, err := o.text("source")
	if err != nil {
		return err
	}
	return &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("type %q from source %q", clip(kind, 60), clip(sender, 60)),
		Hint: `read are "oss:…" and "mns:…", and the project's own failure message under any other type`}
}
