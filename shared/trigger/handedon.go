package trigger

import (
	"strconv"
	"time"
)

// The project's own message: a run hands on what it left, or one bucket of many.
//
//	{"type":"handed-on","request":"s3://videos?before=2026-01-01T00:00:00Z","hops":1,"expires":"2026-01-04T00:00:00Z"}
const handedOnType = "handed-on"

// maxHops bounds what can be written as a number of hops; how many are too many is for the reader of the item.
const maxHops = 1_000_000

func isHandedOn(o object) bool { return o.is("type", handedOnType) }

func readHandedOn(o object) (Event, error) {
	if err := o.onlyKnown("type", "request", "hops", "expires"); err != nil {
		return Event{}, err
	}
	expires, err := o.mustTime("expires")
	if err != nil {
		return Event{}, err
	}
	hops, err := strconv.Atoi(string(o.fields["hops"]))
	if err != nil || hops < 1 || hops > maxHops {
		return Event{}, invalid("hops", string(o.fields["hops"]), "say how often the request has been handed on")
	}
	text, err := o.must("request")
	if err != nil {
		return Event{}, err
	}
	items := parseRequest(text)
	for i := range items {
		items[i].Hops, items[i].Expires = hops, expires.UTC().Round(time.Second)
	}
	return Event{Source: "handed on", Items: items}, nil
}
