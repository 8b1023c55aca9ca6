package trigger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// An object is a JSON object whose fields are found by their exact names. A struct would not do: encoding/json takes
// "EventSource" for "eventSource", and the last of two equal names.
type object struct {
	names  []string // in the order of the event
	fields map[string]json.RawMessage
	within path // the envelopes around it
}

// parseObject reads the object that stands in a text.
func parseObject(field string, text []byte) (object, error) {
	if err := checkJSON(field, text); err != nil {
		return object{}, err
	}
	return cutObject(field, text)
}

// cutObject cuts an object into its fields. It stands in JSON that has been checked.
func cutObject(field string, raw []byte) (object, error) {
	if kind := kindOf(raw); kind != "an object" {
		return object{}, fault(field+", "+kind, "write an object", nil)
	}
	o := object{fields: map[string]json.RawMessage{}}
	for i := skipBlanks(raw, 1); raw[i] != '}'; {
		end := valueEnd(raw, i)
		name, err := parseText(field, raw[i:end])
		if err != nil {
			return object{}, err
		}
		i = skipBlanks(raw, skipBlanks(raw, end)+1) // over the colon
		end = valueEnd(raw, i)
		switch {
		case o.has(name):
			return object{}, invalid("field", name, "a field stands once")
		case len(o.names) == maxFields:
			return object{}, fault(field, fmt.Sprintf("an object has at most %d fields", maxFields), nil)
		}
		o.names = append(o.names, name)
		o.fields[name] = raw[i:end]
		i = skipComma(raw, end)
	}
	return o, nil
}

// cutArray cuts an array into its elements. It stands in JSON that has been checked.
func cutArray(field string, raw []byte) ([]json.RawMessage, error) {
	if kind := kindOf(raw); kind != "an array" {
		return nil, fault(field+", "+kind, "write an array", nil)
	}
	var elements []json.RawMessage
	n := 0
	for i := skipBlanks(raw, 1); raw[i] != ']'; n++ {
		end := valueEnd(raw, i)
		if n < maxItems {
			elements = append(elements, raw[i:end])
		}
		i = skipComma(raw, end)
	}
	switch {
	case n == 0:
		return nil, fault(field+", an empty array", "name at least one", nil)
	case n > maxItems:
		return nil, tooMany(field, n)
	}
	return elements, nil
}

// checkJSON makes sure that what follows may cut a text into pieces without looking out for its end.
func checkJSON(field string, text []byte) error {
	if tooDeep(text) {
		return fault(field, fmt.Sprintf("nesting goes at most %d levels deep", maxDepth), nil)
	}
	if json.Valid(text) {
		return nil
	}
	var whole json.RawMessage
	return fault(field, "", json.Unmarshal(text, &whole))
}

func skipBlanks(raw []byte, i int) int {
	for strings.IndexByte(blanks, raw[i]) >= 0 {
		i++
	}
	return i
}

func skipComma(raw []byte, i int) int {
	if i = skipBlanks(raw, i); raw[i] == ',' {
		i = skipBlanks(raw, i+1)
	}
	return i
}

// valueEnd returns where the value that begins at i ends.
func valueEnd(raw []byte, i int) int {
	depth, quoted := 0, false
	for ; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && quoted:
			i++
			continue
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '{' || c == '[':
			depth++
			continue
		case depth == 0 && strings.IndexByte(",:]}"+blanks, c) >= 0:
			return i
		case c == '}' || c == ']':
			depth--
		default:
			continue
		}
		if depth == 0 && !quoted {
			return i + 1
		}
	}
	return i
}

// fault is the complaint about a field whose value is better not shown.
func fault(field, hint string, err error) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: field, Hint: hint, Err: err}
}

// tooDeep reports whether JSON is nested deeper than any event is, in one pass and before anything else looks at it.
func tooDeep(raw []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func (o object) has(name string) bool {
	_, ok := o.fields[name]
	return ok
}

// is reports whether a field is there and holds exactly this string.
func (o object) is(name, value string) bool {
	s, err := o.text(name)
	return err == nil && o.has(name) && s == value
}

// text returns a field that is a string, empty if there is no such field.
func (o object) text(name string) (string, error) {
	raw, ok := o.fields[name]
	if !ok {
		return "", nil
	}
	return parseText(name, raw)
}

func parseText(field string, raw []byte) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", fault(field+", "+describe(raw), "write a string", nil)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fault(field, "", err)
	}
	return s, nil
}

// name returns a field that names something, empty if there is no such field. A blank one is an error, because a blank
// would widen the request: the sender whose upload ID is blank meant one upload.
func (o object) name(field string) (string, error) {
	s, err := o.text(field)
	switch {
	case err != nil:
		return "", err
	case s == "" && o.has(field):
		return "", invalid(field, "", "leave it out, or fill it in")
	case damaged(s):
		return "", invalid(field, s, "a request in the notation says such characters percent-encoded")
	}
	return s, nil
}

// damaged reports whether a name holds control characters, or the replacement character that decoders put in the place
// of what they could not read.
func damaged(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// time returns a field that is a time in RFC 3339, zero if there is no such field.
func (o object) time(field string) (time.Time, error) {
	s, err := o.text(field)
	if err != nil || !o.has(field) {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.IsZero() {
		return time.Time{}, invalid(field, s, "write a time as in 2026-01-02T03:04:05Z")
	}
	return t.UTC(), nil
}

// must returns a field that names something and has to be there.
func (o object) must(field string) (string, error) {
	s, err := o.name(field)
	if err == nil && s == "" {
		err = invalid(field, "", "the event has to name it")
	}
	return s, err
}

// mustTime returns a time that has to be there: what has no time is never taken for now.
func (o object) mustTime(field string) (time.Time, error) {
	t, err := o.time(field)
	if err == nil && t.IsZero() {
		err = invalid(field, "", "the event has to say when")
	}
	return t, err
}

// object returns a field that holds an object and has to be there.
func (o object) object(field string) (object, error) { return cutObject(field, o.fields[field]) }

// array returns the elements of a field that holds an array and has to be there.
func (o object) array(field string) ([]json.RawMessage, error) {
	return cutArray(field, o.fields[field])
}

// onlyKnown reports the first field that is not among those known, with its value, so that a slip of the pen is told and
// not passed over.
func (o object) onlyKnown(known ...string) error {
	for _, name := range o.names {
		if !slices.Contains(known, name) {
			return &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("field %q, %s", clip(name, 40), o.show(name)),
				Hint: "known here: " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// noneLike reports the first field that is not one of ours and is spelt like one.
func (o object) noneLike(ours []string) error {
	for _, name := range o.names {
		if slices.Contains(ours, name) {
			continue
		}
		for _, field := range ours {
			if fold(name) == fold(field) {
				return invalid("field", name, "write "+field)
			}
		}
	}
	return nil
}

// show describes the value of a field that nobody knows: scalars clipped, anything that may be a secret not at all.
func (o object) show(name string) string {
	for _, word := range []string{"auth", "token", "secret", "password", "credential", "signature", "cookie", "accesskey"} {
		if strings.Contains(fold(name), word) {
			return "value not shown"
		}
	}
	return describe(o.fields[name])
}

// describe names the kind of a JSON value that holds others, and quotes the start of one that does not.
func describe(raw []byte) string {
	switch kind := kindOf(raw); kind {
	case "a string":
		var s string
		_ = json.Unmarshal(raw, &s) // it was read as JSON before
		return strconv.Quote(clip(s, 40))
	case "a scalar":
		return clip(string(raw), 40)
	default:
		return kind
	}
}

func kindOf(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	}
	return "a scalar"
}

// fold brings the spellings of one name together: uploadId, UploadID, upload_id and upload-id.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}
