package trigger

// The timer of Tencent SCF sends its Message as the string that was configured, at most 4 KB (Serverless Cloud Function,
// document 583/9708):
//
//	{"Type":"Timer","TriggerName":"mpu-sweep","Time":"2026-11-03T10:00:00Z","Message":"cos://media-1250000000?region=ap-guangzhou&olderThan=24h"}
func isSCFTimer(o object) bool { return o.is("Type", "Timer") }

func readSCFTimer(o object) (Event, error) { return readTimer(o, "scf timer", "Time", "Message") }
