package mpu

import (
	"fmt"
	"strings"
	"time"
)

// A Request is an [Upload] with blanks: where, which and since when.
//
//   - with an UploadID it names one upload
//   - with a Key it is about every upload of that key
//   - with neither it is a sweep of the bucket, or of what lies under Prefix
//
// An upload is stale if nothing has happened to it since Before. A person writes OlderThan instead, an age that [Request.At]
// turns into Before; a request has at most one of the two. After is where the listing goes on, for the rest of a sweep that
// ran out of time. The zero Before means that the receiver's minimum age decides.
type Request struct {
	Bucket    Bucket
	Key       string
	Prefix    string
	UploadID  string
	Before    time.Time
	OlderThan time.Duration
	After     Marker
	Cause     string // who asked and why, for the log
}

// IsSweep reports whether the request names neither a key nor an upload.
func (r Request) IsSweep() bool { return r.Key == "" && r.UploadID == "" }

// At returns the request with OlderThan counted back from now. A request without OlderThan is returned as it is. Before
// is then a wall clock time, without now's monotonic reading, so that it stays equal to itself through the notation.
func (r Request) At(now time.Time) Request {
	if r.OlderThan > 0 {
		r.Before, r.OlderThan = now.UTC().Round(0).Add(-r.OlderThan), 0
	}
	return r
}

// Validate reports the first field that is missing, malformed or contradicts another. The error is [Invalid] and names
// the field and its value.
func (r Request) Validate() error {
	s, ok := stores[r.Bucket.Store]
	switch {
	case !ok:
		return invalid("store", clip(r.Bucket.Store), "use one of "+strings.Join(Stores(), ", "))
	case r.Bucket.Name == "":
		return invalid("bucket", "", "name the bucket")
	case s.byMediaID && r.Bucket.Name == AnyBucket:
		return invalid("bucket", AnyBucket, r.Bucket.Store+" has no list of regions; name one")
	case r.Bucket.Name != AnyBucket && !validName(r.Bucket.Name, 255):
		return invalid("bucket", clip(afterUser(r.Bucket.Name)), "use letters, digits, dots, hyphens and underscores")
	case r.Bucket.Region != "" && !validName(r.Bucket.Region, 64):
		return invalid("region", clip(r.Bucket.Region), "use the region's ID")
	case s.byMediaID && r.Bucket.Region != r.Bucket.Name:
		return invalid("region", clip(r.Bucket.Region), "for "+r.Bucket.Store+" the region stands in the bucket's place")
	}
	if err := r.validateWhich(s); err != nil {
		return err
	}
	return r.validateWhen()
}

func (r Request) validateWhich(s storeTraits) error {
	switch {
	case len(r.Key) > 4096:
		return invalid("key", clip(r.Key), "a key has at most 4096 bytes here")
	case len(r.Prefix) > 4096:
		return invalid("prefix", clip(r.Prefix), "a prefix has at most 4096 bytes here")
	case len(r.UploadID) > 4096:
		return invalid("uploadId", clip(r.UploadID), "an upload ID has at most 4096 bytes here")
	case r.UploadID != "" && r.Key == "":
		return invalid("key", "", "an upload ID needs the key that it belongs to")
	case s.byMediaID && r.UploadID != r.Key:
		return invalid("uploadId", clip(r.UploadID), "for "+r.Bucket.Store+" the media ID is the upload ID")
	case s.byMediaID && r.Prefix != "":
		return invalid("prefix", clip(r.Prefix), r.Bucket.Store+" has no prefixes")
	case r.Key != "" && r.Prefix != "":
		return invalid("prefix", clip(r.Prefix), "a request has a key or a prefix, not both")
	case r.Bucket.Name == AnyBucket && r.Key != "":
		return invalid("key", clip(r.Key), "a key needs one bucket, not "+AnyBucket)
	case r.Bucket.Name == AnyBucket && !r.After.IsZero():
		return invalid("after", clip(r.After.String()), "a marker needs one bucket, not "+AnyBucket)
	case r.UploadID != "" && !r.After.IsZero():
		return invalid("after", clip(r.After.String()), "a named upload has no listing to go on with")
	}
	return nil
}

func (r Request) validateWhen() error {
	switch {
	case r.OlderThan < 0:
		return invalid("olderThan", FormatAge(r.OlderThan), "an age is positive")
	case r.OlderThan > 0 && !r.Before.IsZero():
		return invalid("olderThan", FormatAge(r.OlderThan), "a request has before or olderThan, not both")
	case !r.Before.IsZero() && (r.Before.UTC().Year() < 1 || r.Before.UTC().Year() > 9999):
		return invalid("before", fmt.Sprint(r.Before.UTC().Year()), "a year has four digits")
	case len(r.Cause) > 1024:
		return invalid("cause", clip(r.Cause), "a cause has at most 1024 bytes")
	}
	return nil
}

// AnyBucket stands for every bucket that the settings allow. It must be typed.
const AnyBucket = "*"

type storeTraits struct {
	byMediaID bool // no buckets and no keys: a region, and media IDs that are key and upload ID in one
}

var stores = map[string]storeTraits{
	"s3": {}, "cos": {}, "obs": {}, "oss": {},
	"vod": {byMediaID: true}, "mps": {byMediaID: true},
}

// Stores lists the schemes of the services, in the order in which they are shown.
func Stores() []string { return []string{"s3", "cos", "obs", "oss", "vod", "mps"} }

// ByMediaID reports whether a store has media IDs in place of keys and upload IDs (vod and mps).
func ByMediaID(store string) bool { return stores[store].byMediaID }

// validName reports whether s is made of the characters that bucket names and region IDs are made of anywhere. It keeps
// an event from smuggling a host or a path into a request.
func validName(s string, most int) bool {
	if s == "" || len(s) > most || s[0] == '.' || s[0] == '-' || strings.Contains(s, "..") {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// invalid is the one form of a complaint about a field.
func invalid(field, value, hint string) error {
	return &Error{Kind: Invalid, Target: fmt.Sprintf("%s %q", field, unsigned(value)), Hint: hint}
}

// unsigned cuts a value at its first question mark: what people paste behind one is often a signature.
func unsigned(s string) string {
	if i := strings.IndexByte(s, '?'); i >= 0 {
		return s[:i]
	}
	return s
}

// clip shortens a value for a message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:117] + "..."
	}
	return s
}
