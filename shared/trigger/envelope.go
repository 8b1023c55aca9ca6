package trigger

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Amazon EventBridge puts what it carries into an envelope (Amazon EventBridge User Guide, "Events structure"):
//
//	{"version":"0","id":"5b1f…","detail-type":"Multipart Upload Failed","source":"com.example.uploader","account":"111122223333",
//	 "time":"2026-11-03T09:00:00Z","region":"eu-west-1","resources":[],"detail":{…}}
//
// What the detail is, detail-type and source say together. Sources that begin with "aws." are AWS's own, and nobody else
// can send them.
func isEnvelope(o object) bool { return o.has("detail-type") && o.has("source") }

func readEnvelope(o object) (Event, error) {
	kind, err := o.text("detail-type")
	if err != nil {
		return Event{}, err
	}
	sender, err := o.text("source")
	if err != nil {
		return Event{}, err
	}
	detail, err := o.object("detail")
	if err != nil {
		return Event{}, err
	}
	detail.within = o.within
	return readDetail(kind, sender, o, detail)
}

func readDetail(kind, sender string, envelope, detail object) (Event, error) {
	aws := strings.HasPrefix(sender, "aws.")
	switch {
	case !aws && kind == "Multipart Upload Failed":
		return failure(detail, envelope)
	case sender == "aws.events" && kind == "Scheduled Event":
		return readRule(envelope, detail)
	case aws && slices.Contains(cloudTrailTypes, kind):
		return readCloudTrail(detail)
	case sender == "aws.s3" && strings.HasPrefix(kind, "Object "):
		return readS3Object(kind, envelope, detail)
	case sender == "lambda" && strings.HasPrefix(kind, "Lambda Function Invocation Result"):
		return onlyFailures(readDestination(detail))
	}
	return Event{}, &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("detail-type %q from source %q", clip(kind, 60), clip(sender, 60)),
		Hint: `read are "Multipart Upload Failed" from a source of your own, "Scheduled Event" from "aws.events", ` +
			`and what "aws.s3" and "lambda" send`}
}

// onlyFailures lets nothing but the project's own failure message through. Whoever may put events on a bus may write what
// they like into a detail, the name of a source that is not reserved included.
func onlyFailures(e Event, err error) (Event, error) {
	if err == nil && len(e.Items) == 1 && errors.Is(e.Items[0].Err, mpu.Invalid) {
		err = e.Items[0].Err // it says more than that a message which cannot be read is no failure message
	}
	if err == nil && !strings.HasPrefix(e.Source, "upload failure") {
		err = &mpu.Error{Kind: mpu.Invalid, Target: clip(e.Source, 60), Hint: "on an event bus only the failure message is read from a destination; send the rest by queue or topic"}
	}
	if err != nil {
		return Event{}, err
	}
	return e, nil
}
