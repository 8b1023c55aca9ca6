package trigger

// A function that an SQS queue invokes receives a batch, and answers with the messageId of each message that is to come
// again (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"):
//
//	{"Records":[{"messageId":"1111…","body":"{…}","attributes":{…},"eventSource":"aws:sqs","eventSourceARN":"…"}]}
//
// The body is any event that is read here.
func isSQSRecord(r object) bool { return r.is("eventSource", "aws:sqs") }

func readSQS(o object, records []record) (Event, error) {
	messages := make([]message, len(records))
	for i, r := range records {
		messages[i] = sqsMessage(r)
	}
	e, err := carry(o.within, "sqs", messages)
	e.Answer = AnswerSQS
	return e, err
}

// sqsMessage keeps the ID of a message that cannot be read, so that the answer can name it.
func sqsMessage(r record) message {
	if r.err != nil {
		return message{err: r.err}
	}
	id, err := r.must("messageId")
	if err != nil {
		return message{err: err}
	}
	body, err := r.text("body")
	if err == nil && !r.has("body") {
		err = invalid("body", "", "the message is missing")
	}
	return message{id: id, text: []byte(body), err: err}
}
