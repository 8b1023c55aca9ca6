package mpu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a request in the notation:
//
//	s3://videos/raw/a.mp4?uploadId=VXBs&before=2026-01-02T03:04:05Z     one upload
//	s3://videos/raw/a.mp4?before=2026-01-02T03:04:05Z                   every upload of one key
//	s3://videos?prefix=raw/&olderThan=48h                               a sweep
//	cos://media-1250000000?region=ap-beijing&olderThan=7d               a sweep where the region must be told
//	vod://cn-shanghai/61ccbdb06fa3012be4d8083f6                         one VOD upload
//	s3://*?olderThan=7d                                                 every bucket that the settings allow
//
// Keys and values are percent-encoded; a plus sign is a plus sign. Parameters are region, prefix, uploadId, before
// (RFC 3339), olderThan (90s, 30m, 48h, 7d, 2w), after and cause, each at most once. An error is [Invalid] and names the
// field and its value. Parse is the inverse of [Request.String].
func Parse(s string) (Request, error) {
	r, err := parse(s)
	if err != nil {
		return Request{}, parseError(s, err)
	}
	if err := r.Validate(); err != nil {
		return Request{}, parseError(s, err)
	}
	return r, nil
}

func parseError(s string, err error) error {
	// It may be a signed URL, or one with a password, pasted by mistake: neither comes into the log. The cause names the
	// parameter.
	return &Error{Kind: Invalid, Op: "parse request", Target: strconv.Quote(unsigned(clip(nameless(s)))), Err: err}
}

// nameless leaves out who a URL is for: scheme://user:password@host.
func nameless(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	host := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host = i
	}
	return scheme + "://" + afterUser(rest[:host]) + rest[host:]
}

func afterUser(host string) string {
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		return "***" + host[i:]
	}
	return host
}

func parse(s string) (Request, error) {
	var r Request
	scheme, rest, ok := strings.Cut(s, "://")
	if _, known := stores[scheme]; ok && !known {
		hint := "use one of " + strings.Join(Stores(), ", ")
		if lower := strings.ToLower(scheme); slices.Contains(Stores(), lower) {
			hint = "write " + lower
		}
		return r, invalid("store", clip(scheme), hint)
	}
	if !ok {
		return r, invalid("notation", clip(s), "write scheme://bucket?olderThan=48h or scheme://bucket/key?uploadId=ID")
	}
	if strings.ContainsFunc(rest, mustEscape) {
		return r, invalid("notation", clip(s), "percent-encode blanks, control characters and #")
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	bucket, key, hasKey := strings.Cut(path, "/")
	r.Bucket = Bucket{Store: scheme, Name: bucket}
	if hasKey && key == "" {
		return r, invalid("key", "", "leave the slash out to mean the whole bucket")
	}
	var err error
	if r.Key, err = unescape("key", key); err != nil {
		return r, err
	}
	if ByMediaID(scheme) {
		r.Bucket.Region, r.UploadID = bucket, r.Key
	}
	if hasQuery {
		err = r.parseQuery(query)
	}
	return r, err
}

func (r *Request) parseQuery(query string) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		name, raw, ok := strings.Cut(pair, "=")
		if !ok || raw == "" {
			return invalid("parameter", clip(pair), "write name=value")
		}
		if seen[name] {
			return invalid(clip(name), clip(raw), "a parameter stands once")
		}
		seen[name] = true
		if err := r.parseParameter(name, raw); err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) parseParameter(name, raw string) (err error) {
	switch name {
	case "region", "prefix", "uploadId", "before", "olderThan", "cause":
	case "after":
		r.After, err = ParseMarker(raw)
		return err
	default:
		return unknownParameter(name)
	}
	value, err := unescape(name, raw)
	if err != nil {
		return err
	}
	mediaID := ByMediaID(r.Bucket.Store)
	switch {
	case name == "region" && !mediaID:
		r.Bucket.Region = value
	case name == "uploadId" && !mediaID:
		r.UploadID = value
	case name == "prefix":
		r.Prefix = value
	case name == "cause":
		r.Cause = value
	case name == "before":
		if r.Before, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return invalid(name, clip(value), timeHint(value))
		}
		if r.Before = r.Before.UTC(); r.Before.IsZero() {
			return invalid(name, clip(value), "leave it out to mean no cutoff")
		}
	case name == "olderThan":
		if r.OlderThan, err = ParseAge(value); err != nil {
			return &Error{Kind: Invalid, Target: fmt.Sprintf("%s %q", name, clip(value)), Err: err}
		}
		if r.OlderThan <= 0 {
			return invalid(name, clip(value), "an age is positive")
		}
	default:
		return unknownParameter(name)
	}
	return nil
}

// timeHint says how to write a time. A day alone is none: it begins at another moment in every time zone.
func timeHint(value string) string {
	if _, err := time.Parse(time.DateOnly, value); err == nil {
		return "write " + value + "T00:00:00Z, or another time and zone of that day"
	}
	return "write a time as in 2026-01-02T03:04:05Z"
}

var parameters = []string{"region", "prefix", "uploadId", "before", "olderThan", "after", "cause"}

func unknownParameter(name string) error {
	for _, p := range parameters {
		if strings.EqualFold(strings.NewReplacer("-", "", "_", "").Replace(name), p) {
			return invalid("parameter", clip(name), "write "+p)
		}
	}
	return invalid("parameter", clip(name), "use "+strings.Join(parameters, ", ")+
		"; vod and mps have no region and no uploadId parameter")
}

// String returns the request in the notation. Parse returns an equal request for every valid one.
func (r Request) String() string {
	var b strings.Builder
	b.Grow(64 + len(r.Bucket.Name) + len(r.Prefix) + len(r.Key) + len(r.UploadID))
	b.WriteString(r.Bucket.Store)
	b.WriteString("://")
	b.WriteString(r.Bucket.Name)
	if r.Key != "" {
		b.WriteByte('/')
		escape(&b, r.Key)
	}
	sep := byte('?')
	add := func(name, escaped string) {
		b.WriteByte(sep)
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(escaped)
		sep = '&'
	}
	mediaID := ByMediaID(r.Bucket.Store)
	if r.Bucket.Region != "" && !mediaID {
		add("region", escaped(r.Bucket.Region))
	}
	if r.Prefix != "" {
		add("prefix", escaped(r.Prefix))
	}
	if r.UploadID != "" && !mediaID {
		add("uploadId", escaped(r.UploadID))
	}
	if !r.Before.IsZero() {
		add("before", r.Before.UTC().Format(time.RFC3339Nano))
	}
	if r.OlderThan != 0 {
		add("olderThan", FormatAge(r.OlderThan))
	}
	if !r.After.IsZero() {
		add("after", r.After.String())
	}
	if r.Cause != "" {
		add("cause", escaped(r.Cause))
	}
	return b.String()
}

// String returns the marker as it stands in the notation: both halves, joined by a comma, each percent-encoded.
func (m Marker) String() string { return escaped(m.Key) + "," + escaped(m.UploadID) }

// ParseMarker reads a marker as [Marker.String] writes it. The start of a listing has no marker: it is left out, and an
// empty one is [Invalid].
func ParseMarker(s string) (Marker, error) {
	key, id, ok := strings.Cut(s, ",")
	if !ok || strings.Contains(id, ",") {
		return Marker{}, invalid("after", clip(s), "a marker is a key and an upload ID, joined by a comma")
	}
	var m Marker
	var err error
	if m.Key, err = unescape("after", key); err != nil {
		return Marker{}, err
	}
	if m.UploadID, err = unescape("after", id); err != nil {
		return Marker{}, err
	}
	if m.IsZero() {
		return Marker{}, invalid("after", clip(s), "leave an empty marker out")
	}
	return m, nil
}

// ParseAge reads an age: a Go duration (90s, 30m, 48h), or a number of days or weeks (7d, 2w).
func ParseAge(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, ok := strings.CutSuffix(s, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > int64(1<<63-1)/int64(unit) {
			break
		}
		return time.Duration(n) * unit, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, invalid("age", clip(s), "write 90s, 30m, 48h, 7d or 2w")
	}
	return d, nil
}

// FormatAge writes an age as ParseAge reads it, in ASCII, in days where they are whole.
func FormatAge(d time.Duration) string {
	const day = 24 * time.Hour
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := strings.Replace(d.String(), "µ", "u", 1)
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// mustEscape says what never stands raw in the notation: requests are separated by blanks and lines, and a # would be
// taken for a fragment.
func mustEscape(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }

const upperHex = "0123456789ABCDEF"

// plain says which bytes stand for themselves in the notation: RFC 3986's unreserved ones, and the slash.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~' || c == '/'
}

func escape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
}

func escaped(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	escape(&b, s)
	return b.String()
}

func unescape(field, s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", invalid(field, clip(s), "a percent sign is followed by two hexadecimal digits")
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", invalid(field, clip(s), "a percent sign is followed by two hexadecimal digits")
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}
