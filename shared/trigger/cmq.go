package trigger

// A topic of Tencent CMQ, today TDMQ, calls a function of Tencent SCF with records (Serverless Cloud Function, document
// 583/31927):
//
//	{"Records":[{"CMQ":{"type":"topic","topicName":"mpu","msgId":"1","msgBody":"{…}","publishTime":"2026-11-21T02:00:00.000Z"}}]}
//
// The msgBody is any event that is read here.
func isCMQRecord(r object) bool { return r.has("CMQ") }

func readCMQ(o object, records []record) (Event, error) {
	return carry(o.within, "cmq", msgBodies(records, "CMQ"))
}

// msgBodies returns the messages of records that hold them in an object under that name.
func msgBodies(records []record, name string) []message {
	messages := make([]message, len(records))
	for i, r := range records {
		messages[i] = msgBody(r, name)
	}
	return messages
}

func msgBody(r record, name string) message {
	if r.err != nil {
		return message{err: r.err}
	}
	o, err := r.object.object(name)
	if err != nil {
		return message{err: err}
	}
	text, err := o.messageText("msgBody")
	return message{text: text, err: err}
}
