package trigger

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/partsweep/partsweep/shared/mpu"
)

// blanks separate requests in a text. They are the blanks of JSON: a blank of another script is part of a key.
const blanks = " \t\r\n"

// parseNotation reads requests in the notation, separated by blanks. A text without any is an error about the field that
// it stands in; a bad request among them is an item.
func parseNotation(field, text string) ([]Item, error) {
	if !strings.Contains(text, "://") {
		return nil, invalid(field, clip(text, 40), "write requests as in scheme://bucket?olderThan=48h")
	}
	words := strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(blanks, r) })
	n := 0
	for range words {
		n++
	}
	if n > maxItems {
		return nil, tooMany("requests", n)
	}
	var items []Item
	for word := range words {
		items = append(items, parseRequest(word)...)
	}
	return items, nil
}

// parseRequests reads a field that holds requests: a text, or an array with one request each.
func (o object) parseRequests(field string) ([]Item, error) {
	raw := o.fields[field]
	if raw[0] != '[' {
		text, err := o.text(field)
		if err != nil {
			return nil, err
		}
		return parseNotation(field, text)
	}
	elements, err := cutArray(field, raw)
	if err != nil {
		return nil, err
	}
	var items []Item
	for i, element := range elements {
		text, err := parseText(fmt.Sprintf("%s[%d]", field, i), element)
		if err != nil {
			items = append(items, Item{Err: during("read request", err)})
			continue
		}
		items = append(items, parseRequest(text)...)
	}
	return items, nil
}

// parseRequest reads one request in the notation. It is several items where a part of it is wrong.
func parseRequest(text string) []Item {
	if damaged(text) {
		return []Item{{Err: during("read request", invalid("request", text, "percent-encode such characters"))}}
	}
	r, err := mpu.Parse(text)
	if err != nil {
		return []Item{{Err: err}}
	}
	r.Cause = unsigned(r.Cause)
	return mediaItems(r)
}

// mediaItems makes the items of a request. For MPS, whose DeleteMedia takes several IDs joined by commas, a blank ID in the
// list is an item of its own, so that the others are not lost with it. A request about all media of a region is refused:
// DeleteMedia removes a record and frees nothing, and there is no listing to choose from.
func mediaItems(r mpu.Request) []Item {
	if r.Bucket.Store != "mps" {
		return []Item{{Request: r}}
	}
	if r.IsSweep() {
		return []Item{{Err: refused(r, "mps is never swept; name the media IDs")}}
	}
	ids := strings.Split(r.Key, ",")
	named := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	var items []Item
	if len(named) < len(ids) {
		items = append(items, Item{Err: during("read request", invalid("mediaId", r.Key, "an ID in the list is blank"))})
	}
	if len(named) > 0 {
		r.Key = strings.Join(named, ",")
		r.UploadID = r.Key
		items = append(items, Item{Request: r})
	}
	return items
}

// refused is the complaint about a request that is understood and never carried out.
func refused(r mpu.Request, hint string) error {
	return &mpu.Error{Kind: mpu.Refused, Op: "read request", Target: clip(r.String(), 240), Hint: hint}
}

// singleLine puts a blank in the place of each control character.
func singleLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
