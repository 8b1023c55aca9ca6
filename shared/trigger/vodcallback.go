package trigger

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// ApsaraVideo VOD calls back, to a web address or through MNS (ApsaraVideo VOD, "Event notifications"):
//
//	{"EventTime":"2026-11-03T08:59:58Z","EventType":"UploadByURLComplete","Status":"fail","JobId":"86c1…","ErrorCode":"URLInvalidError",…}
//
// One callback can say that an upload has failed: this one, about a pull from a URL. As documented it has no VideoId and no
// region, so that what comes of it is an item with a URLJob, which is looked up; a VideoId that stands there all the same is
// not believed, because the signature of a callback does not cover it. No other callback asks for anything: VOD cannot tell
// a paused upload from a failed one, and so has none for it.
func isVODCallback(o object) bool {
	has := func(field string) bool {
		return slices.ContainsFunc(o.names, func(name string) bool { return strings.Trim(name, blanks) == field })
	}
	return has("EventType") && has("EventTime")
}

// ParseVODCallback reads the body of a callback of ApsaraVideo VOD, and nothing else. Its bounds and its errors are those
// of [Parse]. The signature of a callback covers its time only, and not its body: whoever acts on it has to look up what it
// names.
func ParseVODCallback(body []byte) (Event, error) {
	if err := checkBytes(body); err != nil {
		return Event{}, err
	}
	o, err := parseObject("callback", bytes.Trim(body, blanks))
	if err == nil && !isVODCallback(o) {
		err = unknown(o)
	}
	if err != nil {
		return Event{}, during("read vod callback", err)
	}
	e, err := readVODCallback(o)
	if err != nil {
		return Event{}, during("read vod callback", err)
	}
	return e, nil
}

func readVODCallback(o object) (Event, error) {
	o, err := o.trimmed()
	if err != nil {
		return Event{}, err
	}
	kind, err := o.must("EventType")
	if err != nil {
		return Event{}, err
	}
	if kind != "UploadByURLComplete" {
		return Event{}, ignored("EventType", kind, "it never says that an upload has failed")
	}
	status, err := o.must("Status")
	switch {
	case err != nil:
		return Event{}, err
	case status == "success":
		return Event{}, ignored("Status", status, "the upload is complete")
	case status != "fail":
		return Event{}, invalid("Status", status, "read are success and fail")
	}
	return readFailedPull(o)
}

func readFailedPull(o object) (Event, error) {
	at, err := o.mustTime("EventTime")
	if err != nil {
		return Event{}, err
	}
	code, err := o.cause("ErrorCode")
	if err != nil {
		return Event{}, err
	}
	job, err := o.vodID("JobId")
	if err != nil {
		return Event{}, err
	}
	cause := strings.TrimSuffix("UploadByURLComplete "+code, " ")
	if job == "" {
		return Event{}, invalid("JobId", "", "the pull is looked up by it; a media ID alone is not believed")
	}
	return Event{Source: "vod callback", Items: []Item{failedPull(job, at, cause)}}, nil
}

// failedPull is about a media ID that has to be looked up.
func failedPull(job string, at time.Time, cause string) Item {
	return Item{URLJob: job, Request: mpu.Request{Bucket: mpu.Bucket{Store: "vod"}, Before: at, Cause: cause}}
}

// vodID returns an ID of VOD. A comma in it would make it several.
func (o object) vodID(field string) (string, error) {
	id, err := o.name(field)
	if err == nil && strings.ContainsFunc(id, func(r rune) bool { return !wordCharacter(r) }) || len(id) > 128 {
		err = invalid(field, id, "an ID is made of letters, digits, hyphens and underscores")
	}
	return id, err
}

func wordCharacter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// trimmed returns the object with the blanks around its names removed: the vendor's own sample of a failure has some.
func (o object) trimmed() (object, error) {
	t := object{fields: map[string]json.RawMessage{}, within: o.within}
	for _, name := range o.names {
		trimmed := strings.Trim(name, blanks)
		if t.has(trimmed) {
			return object{}, invalid("field", trimmed, "a field stands once")
		}
		t.names = append(t.names, trimmed)
		t.fields[trimmed] = o.fields[name]
	}
	return t, nil
}
