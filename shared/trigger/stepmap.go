package trigger

import "time"

// A distributed map of AWS Step Functions calls with a batch of items, and with what its ItemBatcher adds for all of them
// (AWS Step Functions Developer Guide, "ItemBatcher"):
//
//	{"Items":["s3://media-in/raw/a.mxf",{"store":"s3","bucket":"media-in","prefix":"raw/"}],"BatchInput":{"olderThan":"72h","apply":true}}
//
// An item is any event that is read here. The BatchInput may hold olderThan for the items that say no time, apply for those
// that do not say it themselves, and a reason.
func isMap(o object) bool { return kindOf(o.fields["Items"]) == "an array" }

func readMap(o object) (Event, error) {
	elements, err := o.array("Items")
	if err != nil {
		return Event{}, err
	}
	input, err := readBatchInput(o)
	if err != nil {
		return Event{}, err
	}
	messages := streamed("Items", elements)
	for i := range messages {
		messages[i].amend = input.amend
	}
	return carry(o.within, "step functions map", messages)
}

// A batchInput is what holds for all items of a batch.
type batchInput struct {
	olderThan time.Duration
	apply     bool
	reason    string
}

var batchInputFields = []string{"olderThan", "apply", "reason"}

// readBatchInput passes over fields of the state machine's own, but not over a slip of the pen.
func readBatchInput(o object) (batchInput, error) {
	var b batchInput
	if !o.has("BatchInput") {
		return b, nil
	}
	input, err := o.object("BatchInput")
	if err != nil {
		return b, err
	}
	if err := input.noneLike(batchInputFields); err != nil {
		return b, err
	}
	if b.olderThan, err = input.age("olderThan"); err != nil {
		return b, err
	}
	if b.apply, err = input.flag("apply"); err != nil {
		return b, err
	}
	b.reason, err = input.cause("reason")
	return b, err
}

// amend fills in what the item has left open.
func (b batchInput) amend(item Item) Item {
	if item.URLJob != "" {
		return item
	}
	item.PlanOnly = item.PlanOnly && (item.saidApply || !b.apply)
	r := item.Request
	if r.Before.IsZero() && r.OlderThan == 0 {
		r.OlderThan = b.olderThan
	}
	if r.Cause == "" {
		r.Cause = b.reason
	}
	if err := r.Validate(); err != nil {
		return Item{Err: during("read request", err)}
	}
	item.Request = r
	return item
}
