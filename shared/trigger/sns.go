package trigger

import "slices"

// Amazon SNS has two forms. A function that subscribes to a topic receives records, whose names begin with capitals (AWS
// Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications"):
//
//	{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Type":"Notification","Message":"{…}","TopicArn":"…"}}]}
//
// A queue or a web address that subscribes receives what stands in Sns, alone.
func isSNSRecord(r object) bool { return r.is("EventSource", "aws:sns") }

func readSNS(o object, records []record) (Event, error) {
	messages := make([]message, len(records))
	for i, r := range records {
		messages[i] = snsMessage(r)
	}
	return carry(o.within, "sns", messages)
}

func snsMessage(r record) message {
	if r.err != nil {
		return message{err: r.err}
	}
	sns, err := r.object.object("Sns")
	if err != nil {
		return message{err: err}
	}
	text, err := sns.text("Message")
	return message{text: []byte(text), err: err}
}

// confirmations are the types of message that ask for something other than work.
var confirmations = []string{"SubscriptionConfirmation", "UnsubscribeConfirmation"}

func isSNSMessage(o object) bool { return o.has("TopicArn") && o.has("Type") && o.has("Message") }

func readSNSMessage(o object) (Event, error) {
	kind, err := o.must("Type")
	switch {
	case err != nil:
		return Event{}, err
	case slices.Contains(confirmations, kind):
		return Event{}, ignored("Type", kind, "subscriptions are confirmed by hand")
	case kind != "Notification":
		return Event{}, invalid("Type", kind, "read is Notification")
	}
	text, err := o.text("Message")
	if err != nil {
		return Event{}, err
	}
	return carry(o.within, "sns", []message{{text: []byte(text)}})
}
