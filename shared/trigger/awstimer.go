package trigger

// AWS has two timers. EventBridge Scheduler sends exactly what its target's Input holds (EventBridge Scheduler User Guide,
// "Adding context attributes"), with the scheduled time in place of <aws.scheduler.scheduled-time>:
//
//	{"sweep":"s3://videos?olderThan=48h","time":"2026-11-03T10:00:00Z"}
//	{"sweep":["s3://videos?olderThan=48h","oss://media-oss?region=cn-shanghai&olderThan=7d"]}
//
// A scheduled rule sends the same if it is the target's constant input.
func isSweep(o object) bool { return o.has("sweep") }

func readSweep(o object) (Event, error) {
	tick, err := o.time("time")
	if err != nil {
		return Event{}, err
	}
	if err := o.onlyKnown("sweep", "time"); err != nil {
		return Event{}, err
	}
	items, err := o.parseRequests("sweep")
	if err != nil {
		return Event{}, err
	}
	return timed("aws timer", tick, items), nil
}

// readRule reads the envelope that a scheduled rule sends if its target has no input. It carries no requests unless
// someone put them into its detail.
func readRule(envelope, detail object) (Event, error) {
	tick, err := envelope.time("time")
	if err != nil {
		return Event{}, err
	}
	if !detail.has("sweep") {
		return Event{}, fault("detail without sweep",
			`set the target's input to the constant {"sweep":"s3://BUCKET?olderThan=48h"}`, nil)
	}
	items, err := sweeps(detail, tick)
	if err != nil {
		return Event{}, err
	}
	return timed("aws rule", tick, items), nil
}
