package trigger

// The timer of Alibaba Function Compute sends its payload as the string that was configured (Function Compute, "Time
// triggers"):
//
//	{"triggerTime":"2026-11-03T10:00:00Z","triggerName":"hourly","payload":"oss://media-oss?region=cn-shanghai&olderThan=24h"}
func isFCTimer(o object) bool { return o.has("triggerTime") && o.has("triggerName") }

func readFCTimer(o object) (Event, error) { return readTimer(o, "fc timer", "triggerTime", "payload") }
