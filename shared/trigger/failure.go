package trigger

import (
	"slices"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// The project's own message: an uploader says that an upload has failed.
//
//	{"type":"upload-failed","request":"s3://media-in/raw/a.mxf?uploadId=VXBs","failedAt":"2026-11-03T08:59:58Z","reason":"client-timeout"}
//
// The whereFields may stand in place of request. It names a key at least: an upload that failed never starts a sweep.
const failureType = "upload-failed"

var (
	failureFields = append([]string{"type", "request", "failedAt", "reason"}, whereFields...)
	// widerFields would make more of a failure than it is.
	widerFields = append([]string{"sweep", "requests", "apply"}, whenFields...)
)

func isFailure(o object) bool { return o.is("type", failureType) }

func readFailure(o object) (Event, error) { return failure(o, object{}) }

// failure reads the message, which may stand in an envelope that says when it was sent.
func failure(o, envelope object) (Event, error) {
	if err := checkFailureFields(o); err != nil {
		return Event{}, err
	}
	before, err := failedAt(o, envelope)
	if err != nil {
		return Event{}, err
	}
	cause, err := o.cause("reason")
	if err != nil {
		return Event{}, err
	}
	r, err := failedUpload(o)
	if err != nil {
		return Event{}, err
	}
	r.Before = before
	if cause != "" {
		r.Cause = cause
	}
	if err := r.Validate(); err != nil {
		return Event{}, err
	}
	return Event{Source: "upload failure", Items: mediaItems(r)}, nil
}

// checkFailureFields lets an uploader send fields of its own, but none that looks like a field of ours: passed over, a
// misspelt uploadId would turn the request for one upload into one for every upload of the key.
func checkFailureFields(o object) error {
	if o.has("type") && !o.is("type", failureType) {
		return fault("type, "+describe(o.fields["type"]), "write "+failureType, nil)
	}
	if o.has("request") {
		for _, field := range whereFields {
			if o.has(field) {
				return fault("field "+field+", "+o.show(field), "it stands beside request; write one of the two", nil)
			}
		}
	}
	for _, name := range o.names {
		if slices.Contains(widerFields, name) {
			return fault("field "+name+", "+o.show(name), "a failure names one upload or key, and says when with failedAt", nil)
		}
	}
	return o.noneLike(slices.Concat(failureFields, widerFields))
}

// failedAt is when the upload failed. What began after it is a retry, and is not touched.
func failedAt(o, envelope object) (time.Time, error) {
	t, err := o.time("failedAt")
	if err == nil && t.IsZero() {
		t, err = envelope.time("time")
	}
	if err == nil && t.IsZero() {
		err = invalid("failedAt", "", "say when the upload failed, as in 2026-01-02T03:04:05Z")
	}
	return t, err
}

// failedUpload reads where and which.
func failedUpload(o object) (mpu.Request, error) {
	if !o.has("request") {
		r, err := o.where()
		if err != nil {
			return mpu.Request{}, err
		}
		return r, narrow(r)
	}
	text, err := o.name("request")
	if err != nil {
		return mpu.Request{}, err
	}
	r, err := mpu.Parse(text)
	if err != nil {
		return mpu.Request{}, err
	}
	r.Cause = unsigned(r.Cause)
	return r, narrow(r)
}

// narrow refuses a request that is about more than what failed, or since another time.
func narrow(r mpu.Request) error {
	switch {
	case r.Key == "":
		return invalid("key", "", "a failure names a key or a media ID, and never starts a sweep")
	case !r.Before.IsZero():
		return invalid("before", r.Before.Format(time.RFC3339Nano), "a failure says when with failedAt")
	case r.OlderThan != 0:
		return invalid("olderThan", mpu.FormatAge(r.OlderThan), "a failure says when with failedAt")
	case !r.After.IsZero():
		return invalid("after", r.After.String(), "a failure has no listing to go on with")
	}
	return nil
}
