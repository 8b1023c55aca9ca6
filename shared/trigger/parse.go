// Package trigger turns the bytes of an event into requests: an upload that failed, a timer, a person at a console.
//
// Every source, one a file, answers the same three questions: where, which, since when. Whatever acts on the answer never
// learns where the news came from. The package knows no network, no clock and no environment: a time that an event does
// not say, or says badly, is an error and never "now".
//
// Events are untrusted. Nothing is guessed from an event that is not understood: it is an error that names the fields that
// were seen. An event is never quoted whole, for it may hold somebody's credentials.
package trigger

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// The bounds of one event.
const (
	maxEvent = 1 << 20 // bytes
	maxDepth = 64      // levels of JSON
	maxItems = 1000    // requests
)

// An Event is what an event asks for.
type Event struct {
	Source string    // what sent it: "upload failure", "aws timer", "aws rule", "fc timer", "scf timer", "by hand"
	Tick   time.Time // the timer's own time in UTC, zero if there is none
	Items  []Item    // in the order of the event, never empty
}

// An Item is one request of an event, or the reason why it is none.
type Item struct {
	ID       string      // names the item in an answer about partial failure; empty where the source has no such answer
	Request  mpu.Request // valid if Err is nil, otherwise empty
	PlanOnly bool        // show what would be done, and do nothing
	Err      error       // an *mpu.Error: Ignored, Invalid or Refused
}

// Parse turns the bytes of an event into requests. One bad request among several is an [Item] with its Err and does not
// lose the others. The error is an *[mpu.Error], [mpu.Invalid] or [mpu.Ignored], and means that the event as a whole asks
// for nothing.
//
// Names are compared exactly, letter case included, and no object that is read may have a name twice: a field that one
// reader takes for the first and another for the last of its kind is no instruction. An event has at most 1 MiB, 64
// levels and 1,000 requests.
func Parse(event []byte) (Event, error) {
	if len(event) > maxEvent {
		return Event{}, &mpu.Error{Kind: mpu.Invalid, Op: "read event", Target: fmt.Sprintf("size %d", len(event)),
			Hint: fmt.Sprintf("an event has at most %d bytes", maxEvent)}
	}
	if !utf8.Valid(event) {
		// Decoding would put a replacement character in the place of each bad byte, and so name another key.
		return Event{}, &mpu.Error{Kind: mpu.Invalid, Op: "read event", Target: "encoding", Hint: "an event is UTF-8"}
	}
	e, err := read(event)
	if err == nil && len(e.Items) > maxItems {
		err = tooMany(len(e.Items))
	}
	if err != nil {
		return Event{}, during("read event", err)
	}
	return e, nil
}

// read tells the forms of an event apart by their first byte.
func read(event []byte) (Event, error) {
	event = bytes.Trim(event, blanks)
	switch {
	case len(event) == 0:
		return Event{}, unusable("an empty event")
	case event[0] == '{':
		o, err := parseObject("event", event)
		if err != nil {
			return Event{}, err
		}
		return readObject(o)
	case event[0] == '"':
		text, err := parseText("event", event)
		if err != nil {
			return Event{}, err
		}
		return readNotation(text)
	case event[0] == '[':
		return Event{}, unusable("an array")
	}
	return readNotation(string(event))
}

// invalid is the one form of a complaint about a field of an event.
func invalid(field, value, hint string) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("%s %q", field, clip(value, 120)), Hint: hint}
}

// unusable is the complaint about an event that is no request at all.
func unusable(what string) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: what,
		Hint: `write scheme://bucket?olderThan=48h, or {"request":"scheme://bucket/key?uploadId=ID"}`}
}

func tooMany(n int) error {
	return invalid("requests", fmt.Sprint(n), fmt.Sprintf("an event has at most %d", maxItems))
}

// during says what was being read, unless the error says so itself.
func during(op string, err error) error {
	var e *mpu.Error
	if !errors.As(err, &e) {
		return &mpu.Error{Kind: mpu.Invalid, Op: op, Err: err}
	}
	if e.Op != "" {
		return err
	}
	named := *e
	named.Op = op
	return &named
}

// clip shortens a value for a message, between two characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	most -= len("...")
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}
