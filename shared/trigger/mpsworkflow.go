package trigger

// A workflow of ApsaraVideo for Media Processing reports to MNS (ApsaraVideo for Media Processing, "Receive message
// notifications"):
//
//	{"RunId":"…","Name":"Act-Report","Type":"Report","State":"Fail","MediaWorkflowExecution":{"MediaWorkflowId":"…","MediaId":"…",…}}
//
// A workflow begins when an upload is complete. That it failed is no reason to delete a media record, whose files would stay
// where they are.
func isMPSWorkflow(o object) bool { return o.has("MediaWorkflowExecution") && o.has("RunId") }

func readMPSWorkflow(o object) (Event, error) {
	kind, err := o.must("Type")
	if err != nil {
		return Event{}, err
	}
	state, err := o.name("State")
	if err != nil {
		return Event{}, err
	}
	if kind != "Report" || state != "Fail" {
		return Event{}, ignored("State", kind+" "+state, "the workflow has not failed")
	}
	execution, err := o.object("MediaWorkflowExecution")
	if err != nil {
		return Event{}, err
	}
	media, err := execution.name("MediaId")
	if err != nil {
		return Event{}, err
	}
	return Event{}, ignored("MediaId", media, "a failed workflow is no failed upload; to delete the media record, name it by hand")
}
