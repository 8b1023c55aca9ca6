package acs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A List is an array in an answer. It is read from a bare array, or from an object that wraps one array under a further
// name, as VideoList wraps Video: operations of the same service do either.
type List[T any] struct {
	Items   []T
	Present bool // the answer had it, if only to say that it is empty
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if len(b) > 0 && b[0] == '{' {
		var wrapper map[string]json.RawMessage
		if err := json.Unmarshal(b, &wrapper); err != nil {
			return err
		}
		inner, err := onlyArray(wrapper)
		if err != nil {
			return err
		}
		b = inner
	}
	l.Present = true
	return json.Unmarshal(b, &l.Items)
}

// onlyArray returns the one array of an object that is there to wrap it. An empty object wraps an empty one.
func onlyArray(wrapper map[string]json.RawMessage) (json.RawMessage, error) {
	var found json.RawMessage
	for name, value := range wrapper {
		if found != nil || value[0] != '[' {
			return nil, fmt.Errorf("an object with member %q stands where a list was expected", name)
		}
		found = value
	}
	if found == nil {
		found = json.RawMessage("[]")
	}
	return found, nil
}

// A Number is a whole number in an answer, written as a number or as a string.
type Number struct {
	N       int64
	Present bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "" || text == "null" {
		return nil
	}
	whole, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		// 1e6 and 12.0 are whole numbers too; what is not stays an error.
		f, floatErr := strconv.ParseFloat(text, 64)
		if whole = int64(f); floatErr != nil || float64(whole) != f {
			return fmt.Errorf("%s is not a whole number", b)
		}
	}
	n.N, n.Present = whole, true
	return nil
}

// A Time is a time in an answer, in UTC. One that is missing or cannot be read is the zero time, so that it is never
// taken for an old one.
type Time struct{ time.Time }

// timeLayouts are the ways in which answers write a time. A time without a zone is taken as UTC: the documents name no
// other, and if it was Beijing's it only looks younger than it is.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			t.Time = at.UTC()
			return nil
		}
	}
	return nil
}
