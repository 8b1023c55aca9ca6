package trigger

import (
	"fmt"
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
	detail, err := parseObject("detail", o.fields["detail"])
	if err != nil {
		return Event{}, err
	}
	ours := !strings.HasPrefix(sender, "aws.")
	switch {
	case ours && kind == "Multipart Upload Failed":
		return failure(detail, o)
	case sender == "aws.events" && kind == "Scheduled Event":
		return readRule(o, detail)
	}
	return Event{}, &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("detail-type %q from source %q", clip(kind, 60), clip(sender, 60)),
		Hint: `read are "Multipart Upload Failed" from a source of your own, and "Scheduled Event" from "aws.events"`}
}
