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
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// The bounds of one event.
const (
	maxEvent     = 6 << 20 // bytes: the most that a Lambda function is called with
	maxBody      = 1 << 20 // bytes of a web request
	maxDepth     = 64      // levels of JSON
	maxFields    = 1000    // names in one object
	maxItems     = 1000    // records, messages or requests
	maxEnvelopes = 4       // events around an event
)

// An Event is what an event asks for. It has at least one item, or else it is a web request.
type Event struct {
	Source  string       // what sent it, in words for the log: "upload failure", "fc timer", "sqs", "by hand"
	Tick    time.Time    // the timer's own time in UTC, zero if there is none
	Items   []Item       // in the order of the event
	Answer  Answer       // the shape in which the platform wants to hear about each item
	S3Batch *S3Batch     // what an answer in the shape of [AnswerS3Batch] must echo
	HTTP    *HTTPRequest // set when the event is a web request: nothing in it has been believed yet, and Items is empty
}

// An Answer is the shape in which a platform wants to hear what became of an event.
type Answer string

// The answers. The empty one is the report, or an error if something is left to do.
const (
	AnswerReport  Answer = ""
	AnswerSQS     Answer = "sqs"      // the IDs of the items that are left to do
	AnswerS3Batch Answer = "s3 batch" // a result for each ID
)

// S3Batch is what the answer to S3 Batch Operations must echo.
type S3Batch struct{ SchemaVersion, InvocationID string }

// An HTTPRequest is a web request that a platform wrapped into an event. Anyone may have sent it.
type HTTPRequest struct {
	Platform     string // "lambda", "fc" or "scf"
	Method, Path string
	Header       http.Header // with canonical names
	Body         []byte      // decoded where the platform had encoded it; at most 1 MiB
	IAM          bool        // the platform itself says that its IAM has authenticated the caller
}

// An Item is one request of an event, or the reason why it is none. What one message holds has one ID, and may be several
// items.
type Item struct {
	ID       string      // names the message or task in the platform's answer; empty where the answer names none
	Request  mpu.Request // valid if Err is nil and URLJob is empty, otherwise empty or unfinished
	PlanOnly bool        // show what would be done, and do nothing
	Err      error       // an *mpu.Error: Ignored, Invalid or Refused

	// URLJob is the ID of a pull from a URL that failed in ApsaraVideo VOD. Its media ID must be looked up before anything
	// can be done: Request has a bucket (its region is blank where nothing says it), Before and Cause, but no key, and has
	// not been validated.
	URLJob string

	// Hops is how often one run has handed the request on to another, 0 where it came from outside; it is good until Expires.
	Hops    int
	Expires time.Time

	saidApply bool // it says itself whether to apply, so that nothing around it may say otherwise
}

// Parse turns the bytes of an event into requests. One bad request, record or message among several is an [Item] with its
// Err and does not lose the others. The error is an *[mpu.Error], [mpu.Invalid] or [mpu.Ignored], and means that the event
// as a whole asks for nothing.
//
// What an event may bring about is decided by what it is, and safety comes first:
//
//   - the project's own failure message names an upload or a key that failed, and is carried out
//   - a call that failed for good, as an audit record or an access log tells it, names its upload; a call that was denied,
//     or that the client may repeat, is ignored
//   - a completed upload asks for the older uploads of the same key
//   - what a person may have typed is only planned, wherever it arrives, unless it says "apply": true
//   - a web request is handed over as it is, for whoever can tell who sent it; one that cannot be read is handed over beside
//     the error
//
// A time in the future is passed on as it was told. Names are compared exactly, letter case included, and no object that is
// read may have a name twice: a field that one reader takes for the first and another for the last of its kind is no
// instruction. An event has at most 6 MiB, 64 levels, 4 envelopes one in the other, and 1,000 records or requests.
func Parse(event []byte) (Event, error) {
	if err := checkBytes(event); err != nil {
		return Event{}, err
	}
	event = bytes.TrimPrefix(event, []byte("\ufeff")) // editors put it in front of files
	e, err := read(event, nil)
	if err != nil {
		return Event{HTTP: e.HTTP}, during("read event", err)
	}
	return e, nil
}

func checkBytes(event []byte) error {
	if len(event) > maxEvent {
		return &mpu.Error{Kind: mpu.Invalid, Op: "read event", Target: fmt.Sprintf("size %d", len(event)),
			Hint: fmt.Sprintf("an event has at most %d bytes", maxEvent)}
	}
	if !utf8.Valid(event) {
		// Decoding would put a replacement character in the place of each bad byte, and so name another key.
		return &mpu.Error{Kind: mpu.Invalid, Op: "read event", Target: "encoding", Hint: "an event is UTF-8"}
	}
	return nil
}

// read tells the forms of an event apart by their first byte. The event stands within the envelopes that are named.
func read(event []byte, within path) (Event, error) {
	event = bytes.Trim(event, blanks)
	switch {
	case len(event) == 0:
		return Event{}, unusable("an empty event")
	case event[0] == '{':
		o, err := parseObject("event", event)
		if err != nil {
			return Event{}, err
		}
		o.within = within
		return readObject(o)
	case event[0] == '"':
		text, err := parseText("event", event)
		if err != nil {
			return Event{}, err
		}
		return readNotation(text)
	case event[0] == '[':
		return readStream(event, within)
	}
	return readNotation(string(event))
}

// invalid is the one form of a complaint about a field of an event. A value is shown up to its first question mark: what
// people paste behind one is often a signature.
func invalid(field, value, hint string) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: fmt.Sprintf("%s %q", field, clip(unsigned(value), 120)), Hint: hint}
}

// unusable is the complaint about an event that is no request at all.
func unusable(what string) error {
	return &mpu.Error{Kind: mpu.Invalid, Target: what,
		Hint: `write scheme://bucket?olderThan=48h, or {"request":"scheme://bucket/key?uploadId=ID"}`}
}

func tooMany(field string, n int) error {
	return invalid(field, fmt.Sprint(n), fmt.Sprintf("an event has at most %d; send fewer at once", maxItems))
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
