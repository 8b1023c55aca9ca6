package trigger

// Alibaba Cloud MNS has three forms. A topic calls a function with a JSON object, to which each attribute of the message is
// added as a field, or with the bare message; with attributes the bare message stands in a body (Function Compute, "MNS
// triggers"):
//
//	{"TopicOwner":"123","TopicName":"mpu","Subscriber":"123","SubscriptionName":"s","MessageId":"…","MessageMD5":"…","Message":"{…}","PublishTime":1550216480040}
//	{"body":"{…}","attrs":{"Extend":"{…}"}}
//
// A queue comes through EventBridge, as data that holds a messageBody. The message is any event that is read here, a
// callback of ApsaraVideo VOD among them; Base64 is undone if it was left in place.
// A CloudEvent may have fields of any name beside its own.
func isMNSTopic(o object) bool {
	return o.has("TopicOwner") && o.has("TopicName") && o.has("Message") && !o.has("specversion")
}

func readMNSTopic(o object) (Event, error) { return carryField(o, "mns topic", "Message") }

func isMNSStream(o object) bool { return len(o.names) == 2 && o.has("body") && o.has("attrs") }

func readMNSStream(o object) (Event, error) { return carryField(o, "mns topic", "body") }

func isMNSData(o object) bool { return o.has("messageId") && o.has("messageBody") }

func readMNSData(o object) (Event, error) { return carryField(o, "mns queue", "messageBody") }
