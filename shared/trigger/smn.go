package trigger

import (
	"slices"
	"strings"
)

// Huawei Cloud SMN posts this to a web address that subscribes to a topic (Simple Message Notification, User Guide, "HTTP(S)
// message formats"):
//
//	{"type":"Notification","topic_urn":"urn:smn:cn-north-4:0123:mpu","message_id":"d84b…","message":"{…}","timestamp":"…"}
//
// Notifications of OBS come this way. Their records look like those of S3, and are taken for OBS's here.
func isSMN(o object) bool {
	urn, err := o.text("topic_urn")
	return err == nil && strings.HasPrefix(urn, "urn:smn:") && o.has("type")
}

func readSMN(o object) (Event, error) {
	kind, err := o.must("type")
	switch {
	case err != nil:
		return Event{}, err
	case slices.Contains(confirmations, kind):
		return Event{}, ignored("type", kind, "subscriptions are confirmed by hand")
	case kind != "Notification":
		return Event{}, invalid("type", kind, "read is Notification")
	}
	text, err := o.text("message")
	if err != nil {
		return Event{}, err
	}
	return carry(o.within, "smn", []message{{text: []byte(text)}})
}
