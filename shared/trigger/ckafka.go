package trigger

// CKafka calls a function of Tencent SCF with records (Serverless Cloud Function, "CKafka trigger"):
//
//	{"Records":[{"Ckafka":{"topic":"mpu","partition":0,"offset":7,"msgKey":"k","msgBody":"{…}"}}]}
//
// The msgBody is any event that is read here.
func isCKafkaRecord(r object) bool { return r.has("Ckafka") }

func readCKafka(o object, records []record) (Event, error) {
	return carry(o.within, "ckafka", msgBodies(records, "Ckafka"))
}
