package trigger

import (
	"encoding/json"
	"fmt"
)

// An event stream of Alibaba Cloud EventBridge calls with an array: of events, or of texts that hold one each (Function
// Compute, "Message Queue for Apache Kafka triggers"). What else may stand in it is what the rule's schema leaves of an
// event, see readCloudEvent.
func readStream(raw []byte, within path) (Event, error) {
	if err := checkJSON("event", raw); err != nil {
		return Event{}, err
	}
	elements, err := cutArray("event", raw)
	if err != nil {
		return Event{}, err
	}
	return carry(within, "event stream", streamed("event", elements))
}

// streamed makes messages of the elements of an array.
func streamed(field string, elements []json.RawMessage) []message {
	messages := make([]message, len(elements))
	for i, element := range elements {
		switch kindOf(element) {
		case "an object":
			messages[i].text = element
		case "a string":
			text, err := parseText(fmt.Sprintf("%s[%d]", field, i), element)
			messages[i] = message{text: []byte(text), err: err}
		default:
			messages[i].err = fault(fmt.Sprintf("%s[%d], %s", field, i, describe(element)), "write an object or a string", nil)
		}
	}
	return messages
}
