package trigger

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// A path names the envelopes around an event, the outermost first.
type path []string

// A message is an event that stands in another.
type message struct {
	id    string          // its name in the platform's answer
	text  []byte          // the event
	err   error           // why there is none
	amend func(Item) Item // what the envelope adds to each of its items, nil for nothing
}

// carry reads the messages of an envelope. Each is an event of its own, and one that cannot be read is an item of its own.
func carry(within path, name string, messages []message) (Event, error) {
	if len(within) >= maxEnvelopes {
		return Event{}, fault(name, fmt.Sprintf("an event stands in at most %d others", maxEnvelopes), nil)
	}
	within = append(slices.Clip(within), name)
	whole := Event{Source: name}
	var sources []string
	for i, m := range messages {
		e, err := m.read(within, len(whole.Items))
		if err != nil {
			whole.Items = append(whole.Items, Item{ID: m.id, Err: numbered(err, name, i, len(messages))})
			continue
		}
		whole.Items = append(whole.Items, m.own(e.Items)...)
		if !slices.Contains(sources, e.Source) {
			sources = append(sources, e.Source)
		}
		if len(messages) == 1 {
			whole.Tick = e.Tick
		}
	}
	if len(sources) == 1 {
		whole.Source = sources[0] + " in " + name
	}
	return whole, nil
}

// read reads the message, of an envelope that has asked for so much already.
func (m message) read(within path, asked int) (Event, error) {
	if m.err != nil {
		return Event{}, m.err
	}
	if asked >= maxItems {
		return Event{}, &mpu.Error{Kind: mpu.Refused, Op: "read message",
			Hint: fmt.Sprintf("the messages before it ask for %d already; send fewer at once", maxItems)}
	}
	e, err := read(m.text, within)
	if err == nil && len(e.Items) > maxItems {
		err = tooMany("requests", len(e.Items))
	}
	if err != nil {
		return Event{}, during("read message", err)
	}
	return e, nil
}

// own gives the items of the message its ID.
func (m message) own(items []Item) []Item {
	for i := range items {
		if m.amend != nil && items[i].Err == nil {
			items[i] = m.amend(items[i])
		}
		items[i].ID = m.id
	}
	return items
}

// numbered says which of several could not be read.
func numbered(err error, name string, i, n int) error {
	if n == 1 {
		return err
	}
	return &mpu.Error{Kind: mpu.KindOf(err), Op: "read " + name, Target: fmt.Sprintf("%d of %d", i+1, n), Err: err}
}

// outermost is what only a platform itself may say: carried in another event, nobody could answer it, or vouch for it.
func (o object) outermost(what string) error {
	if len(o.within) == 0 {
		return nil
	}
	return fault(what+" in "+strings.Join(o.within, ", "), "it comes from the platform itself, and in no other event", nil)
}

// textOr64 returns a message that may have been encoded on its way. The characters that every event begins with or holds
// ({, [, ", :) are none of Base64's.
func textOr64(s string) []byte {
	s = strings.Trim(s, blanks)
	decoded, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(decoded) == 0 || !utf8.Valid(decoded) {
		return []byte(s)
	}
	return decoded
}

// messageText returns a field that holds an event: as a text, or as it is.
func (o object) messageText(field string) ([]byte, error) {
	raw, ok := o.fields[field]
	if !ok {
		return nil, invalid(field, "", "the message is missing")
	}
	if kindOf(raw) != "a string" {
		return raw, nil
	}
	s, err := parseText(field, raw)
	return textOr64(s), err
}

// carryField reads the one message that stands in a field.
func carryField(o object, name, field string) (Event, error) {
	text, err := o.messageText(field)
	if err != nil {
		return Event{}, err
	}
	return carry(o.within, name, []message{{text: text}})
}
