package mpu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

var allKinds = []Kind{Ignored, Gone, Refused, Invalid, Denied, Missing, Transient}

func TestKindString(t *testing.T) {
	want := []string{"ignored", "gone", "refused", "invalid", "denied", "missing", "transient"}
	for i, kind := range allKinds {
		if kind.String() != want[i] || kind.Error() != want[i] {
			t.Errorf("%d is %s, want %s", kind, kind, want[i])
		}
	}
	if got := Kind(0).String(); got != "unclassified" {
		t.Errorf("the zero kind is %s", got)
	}
	if got := Kind(200).String(); got != "kind(200)" {
		t.Errorf("an unknown kind is %s", got)
	}
}

// TestKindIs finds the kind, and no other, through whatever wraps it.
func TestKindIs(t *testing.T) {
	for _, kind := range allKinds {
		bare := &Error{Kind: kind, Err: io.ErrUnexpectedEOF}
		for name, err := range map[string]error{
			"bare":               bare,
			"by fmt":             fmt.Errorf("bucket videos: %w", bare),
			"twice":              fmt.Errorf("sweep: %w", fmt.Errorf("bucket videos: %w", bare)),
			"joined":             errors.Join(io.EOF, bare),
			"in one with a kind": &Error{Kind: kind, Op: "sweep", Err: bare},
			"in one without":     &Error{Op: "sweep", Err: fmt.Errorf("bucket videos: %w", bare)},
		} {
			t.Run(kind.String()+" "+name, func(t *testing.T) {
				if KindOf(err) != kind {
					t.Errorf("kind is %v", KindOf(err))
				}
				for _, other := range allKinds {
					if errors.Is(err, other) != (other == kind) {
						t.Errorf("is %v: %v", other, errors.Is(err, other))
					}
				}
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Error("the cause is lost")
				}
			})
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want Kind
	}{
		{"nil", nil, 0},
		{"foreign", context.Canceled, 0},
		{"a kind alone", Gone, Gone},
		{"a kind wrapped", fmt.Errorf("upload: %w", Gone), Gone},
		{"no kind", &Error{Code: "Strange"}, 0},
		{"no kind around a foreign one", &Error{Err: context.Canceled}, 0},
		{"no kind around a kind alone", &Error{Err: Denied}, Denied},
		{"the outer kind counts", &Error{Kind: Invalid, Err: &Error{Kind: Transient}}, Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := KindOf(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if errors.Is(tt.err, Kind(0)) {
				t.Error("no error is of no kind")
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  Error
		want string
	}{
		{"nothing", Error{}, "unclassified"},
		{"a field", Error{Kind: Invalid, Target: `before "now"`, Hint: "write a time"}, `before "now": invalid; write a time`},
		{"a provider", Error{Kind: Denied, Op: "abort upload", Target: "s3://videos/a?uploadId=u", Status: 403, Code: "AccessDenied",
			RequestID: "4EX", Message: "Access Denied.", Hint: "grant s3:AbortMultipartUpload"},
			"abort upload: s3://videos/a?uploadId=u: denied (HTTP 403, AccessDenied, request 4EX): Access Denied; grant s3:AbortMultipartUpload"},
		{"a cause", Error{Kind: Transient, Op: "list uploads", Err: io.ErrUnexpectedEOF}, "list uploads: transient: unexpected EOF"},
		{"a code that no table knows", Error{Code: "Strange", Status: 418}, "unclassified (HTTP 418, Strange)"},
		{"several lines", Error{Kind: Transient, Message: "<html>\r\n<body>busy</body>\n"}, "transient: <html>  <body>busy</body>"},
		{"a cause with a full stop", Error{Kind: Invalid, Err: errors.New("It failed.")}, "invalid: It failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			checkText(t, tt.err.Error())
		})
	}
}
