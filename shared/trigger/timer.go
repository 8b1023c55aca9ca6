package trigger

import (
	"strings"
	"time"
)

// timed makes the event of a timer: ages are counted back from the tick, so that a delivery that comes late, or twice,
// asks for the same. Without a tick the ages are left to the receiver.
func timed(source string, tick time.Time, items []Item) Event {
	for i, item := range items {
		if item.Err == nil {
			items[i] = atTick(item, tick)
		}
	}
	return Event{Source: source, Tick: tick, Items: items}
}

func atTick(item Item, tick time.Time) Item {
	r := item.Request
	if r.Bucket.Store == "mps" {
		return Item{Err: refused(r, "a timer never reaches mps; name the media IDs by hand or in a failure message")}
	}
	if r.UploadID != "" {
		return Item{Err: refused(r, "a timer sweeps, or names a key; an upload is named by hand or in a failure message")}
	}
	if !tick.IsZero() {
		r = r.At(tick)
	}
	if err := r.Validate(); err != nil {
		return Item{Err: during("read request", err)}
	}
	item.Request = r
	return item
}

// readTimer reads a timer that has a field for its time and one for the text that a person gave to it.
func readTimer(o object, source, timeField, textField string) (Event, error) {
	tick, err := o.time(timeField)
	if err != nil {
		return Event{}, err
	}
	if tick.IsZero() {
		return Event{}, invalid(timeField, "", "the timer says when it fired")
	}
	text, err := o.text(textField)
	if err != nil {
		return Event{}, err
	}
	items, err := carried(textField, text, tick)
	if err != nil {
		return Event{}, err
	}
	return timed(source, tick, items), nil
}

// carried reads the text that a person gave to a timer: requests in the notation, or the object of an AWS timer, whose
// own time the timer's tick replaces.
func carried(field, text string, tick time.Time) ([]Item, error) {
	trimmed := strings.Trim(text, blanks)
	if trimmed == "" {
		return nil, invalid(field, text, "set it to requests, as in scheme://bucket?olderThan=48h")
	}
	if trimmed[0] != '{' {
		return parseNotation(field, text)
	}
	o, err := parseObject(field, []byte(trimmed))
	if err != nil {
		return nil, err
	}
	return sweeps(o, tick)
}

// sweeps reads the requests of {"sweep": …} where the timer itself has said the time.
func sweeps(o object, tick time.Time) ([]Item, error) {
	if !o.has("sweep") {
		return nil, unknown(o)
	}
	if o.has("time") && !tick.IsZero() {
		return nil, fault("field time, "+o.show("time"), "the timer says the time itself; leave it out", nil)
	}
	if err := o.onlyKnown("sweep", "time"); err != nil {
		return nil, err
	}
	return o.parseRequests("sweep")
}
