package mpu

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// A Kind says what an error means to the program. It is itself an error, so that errors.Is(err, mpu.Gone) works on
// anything that wraps an [Error].
//
// There are seven. The zero Kind is no kind: an answer that no table knows. It is reported and never guessed, and counts
// as a failure.
type Kind uint8

const (
	_         Kind = iota
	Ignored        // a good event that is not about us
	Gone           // the upload no longer exists: that is success
	Refused        // our own rule says no, and nothing was sent
	Invalid        // it cannot be understood, by us or by the service
	Denied         // the service says no: permissions, credentials, arrears
	Missing        // no such bucket: a typo, never "already clean"
	Transient      // throttled, 5xx, timeout, cut: worth another try
)

var kindNames = [...]string{"unclassified", "ignored", "gone", "refused", "invalid", "denied", "missing", "transient"}

// String returns the kind's word in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// KindOf returns the kind of an error, and the zero Kind when it has none. An [Error] without a kind of its own, which
// only adds an operation or a target, has the kind of its cause.
func KindOf(err error) Kind {
	var e *Error
	for errors.As(err, &e) {
		if e.Kind != 0 || e.Err == nil {
			return e.Kind
		}
		err = e.Err
	}
	var k Kind
	errors.As(err, &k)
	return k
}

// An Error is what went wrong with one target: the kind for the program, the provider's code and request ID for the
// person, and the hint for the operator.
type Error struct {
	Kind       Kind
	Op         string        // what was being done: "abort upload", "parse request"
	Target     string        // on what, in the notation, or the name of the field
	Status     int           // HTTP status, 0 when none was received
	Code       string        // the provider's own code
	Message    string        // the provider's own words, shortened
	RequestID  string        // the provider's request ID
	Hint       string        // what to do next
	RetryAfter time.Duration // how long the provider asks to wait; 0 when it does not say
	Err        error         // the cause
}

// Error returns one line: operation, target, kind, the provider's words, hint, cause. It ends without a full stop, even
// where the provider's words have one.
func (e *Error) Error() string {
	var b strings.Builder
	for _, s := range []string{e.Op, e.Target} {
		if s != "" {
			b.WriteString(s)
			b.WriteString(": ")
		}
	}
	if e.onlyWhere() {
		return oneLine(b.String() + e.Err.Error())
	}
	b.WriteString(e.Kind.String())
	if detail := e.provider(); detail != "" {
		fmt.Fprintf(&b, " (%s)", detail)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", strings.TrimRight(e.Message, ". \r\n"))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return oneLine(b.String())
}

// onlyWhere reports whether an error adds to its cause no more than where it came up, so that its kind need not be said
// twice.
func (e *Error) onlyWhere() bool {
	cause, ok := e.Err.(*Error)
	return ok && cause.Kind == e.Kind && e.provider() == "" && e.Message == "" && e.Hint == ""
}

// oneLine keeps what a provider or an event wrote from starting a line of its own in a log.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimRight(s, ". ")
}

// provider joins what the provider said about its own answer.
func (e *Error) provider() string {
	var parts []string
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if e.RequestID != "" {
		parts = append(parts, "request "+e.RequestID)
	}
	return strings.Join(parts, ", ")
}

// Unwrap makes both the kind and the cause visible to errors.Is.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != 0 {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}
