package trigger

import "slices"

const destination = "destination"

// A function that failed for good leaves a record at its destination, with the event that it was called with (AWS Lambda
// Developer Guide, "Capturing records of Lambda asynchronous invocations"; Function Compute, "Result callback", sends the
// same with the event as a text):
//
//	{"version":"1.0","requestContext":{"functionArn":"…","condition":"RetriesExhausted",…},"requestPayload":{…},"responsePayload":{…}}
//
// The event is read again, once: a record within a record is the work of a loop. A dead-letter queue holds the event
// itself, and needs no unwrapping.
func isDestination(o object) bool {
	if !o.has("requestPayload") {
		return false
	}
	c, err := o.object("requestContext")
	return err == nil && c.has("functionArn")
}

func readDestination(o object) (Event, error) {
	if slices.Contains(o.within, destination) {
		return Event{}, fault("requestPayload in requestPayload", "a record of a destination holds an event, and not another record", nil)
	}
	c, err := o.object("requestContext")
	if err != nil {
		return Event{}, err
	}
	if condition, err := c.text("condition"); err != nil || condition == "Success" {
		return Event{}, orIgnored(err, "condition", condition, "the function has done its work")
	}
	raw := o.fields["requestPayload"]
	if kindOf(raw) != "a string" {
		return carry(o.within, destination, []message{{text: raw}})
	}
	text, err := parseText("requestPayload", raw)
	if err != nil {
		return Event{}, err
	}
	return carry(o.within, destination, []message{{text: []byte(text)}})
}

// orIgnored returns the error, or if there is none that the event is ignored.
func orIgnored(err error, field, value, why string) error {
	if err != nil {
		return err
	}
	return ignored(field, value, why)
}
