package trigger

import (
	"slices"
)

// A person at a console or a terminal types requests in the notation, or an object:
//
//	s3://videos?olderThan=48h
//	{"request":"s3://videos?olderThan=48h"}
//	{"requests":["s3://videos/raw/a.mp4?uploadId=VXBs"],"apply":true}
//	{"store":"s3","bucket":"videos","prefix":"raw/","olderThan":"48h"}
//
// What is typed is only planned, unless it says "apply": true.
var byHandFields = slices.Concat([]string{"request", "requests", "apply"}, whereFields, whenFields)

func isByHand(o object) bool {
	return slices.ContainsFunc(o.names, func(name string) bool { return slices.Contains(byHandFields, name) })
}

func readByHand(o object) (Event, error) {
	if o.has("type") {
		return Event{}, fault(`field "type", `+o.show("type"), "a failure has the type "+failureType+"; a request by hand has none", nil)
	}
	if err := o.onlyKnown(byHandFields...); err != nil {
		return Event{}, err
	}
	apply, err := o.flag("apply")
	if err != nil {
		return Event{}, err
	}
	items, err := typed(o)
	if err != nil {
		return Event{}, err
	}
	return byHand(items, apply, o.has("apply")), nil
}

// readNotation reads an event that is a text.
func readNotation(text string) (Event, error) {
	items, err := parseNotation("event", text)
	if err != nil {
		return Event{}, during("read by hand", err)
	}
	return byHand(items, false, false), nil
}

// byHand makes the event of what was typed, which only plans unless it says to apply.
func byHand(items []Item, apply, said bool) Event {
	for i := range items {
		items[i].PlanOnly, items[i].saidApply = !apply, said
	}
	return Event{Source: "by hand", Items: items}
}

// typed reads the requests of the object, which has one of the three forms.
func typed(o object) ([]Item, error) {
	for _, form := range []string{"request", "requests"} {
		if !o.has(form) {
			continue
		}
		for _, name := range o.names {
			if name != form && name != "apply" {
				return nil, fault("field "+name+", "+o.show(name), "it stands beside "+form+"; write one of the two", nil)
			}
		}
		if form == "requests" {
			return o.parseRequests(form)
		}
		text, err := o.name(form)
		if err != nil {
			return nil, err
		}
		return parseRequest(text), nil
	}
	return typedFields(o)
}

func typedFields(o object) ([]Item, error) {
	r, err := o.where()
	if err != nil {
		return nil, err
	}
	if err := o.when(&r); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return mediaItems(r), nil
}

// flag returns a field that is true or false, false if there is no such field.
func (o object) flag(name string) (bool, error) {
	switch string(o.fields[name]) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, fault(name+", "+describe(o.fields[name]), "write true or false", nil)
}
