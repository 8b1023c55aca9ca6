package wire

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

func TestReadXML(t *testing.T) {
	for _, tt := range []struct{ name, body, code, message, id string }{
		{"s3", `<?xml version="1.0"?><Error><Code>NoSuchUpload</Code><Message>Not there.</Message><RequestId>R1</RequestId></Error>`,
			"NoSuchUpload", "Not there.", "R1"},
		{"namespace and case", `<x:ERROR xmlns:x="u"><x:code> NoSuchUpload
</x:code><x:requestID>R1</x:requestID></x:ERROR>`, "NoSuchUpload", "", "R1"},
		{"wrapped", "<ErrorResponse><Error><Code>C</Code></Error><RequestId>no</RequestId></ErrorResponse>", "C", "", ""},
		{"first of a name", "<Error><Message>m1</Message><Message>m2</Message></Error>", "", "m1", ""},
		{"the same code twice", "<Error><Code>C</Code><Code> C </Code></Error>", "C", "", ""},
		{"two codes", "<Error><Code>NoSuchUpload</Code><Code>AccessDenied</Code></Error>", "", "", ""},
		{"deeper is not it", "<Error><Details><Code>C</Code></Details></Error>", "", "", ""},
		{"two errors", "<Errors><Error><Code>C1</Code></Error><Error><Code>C2</Code></Error></Errors>", "", "", ""},
		{"outside of an error", "<Result><Code>C</Code></Result>", "", "", ""},
		{"cut", "<Error><Code>NoSuchUpload</Code><Message>Not", "", "", ""},
		{"html", "<html><head><title>404</title></head><body>gone<br></body></html>", "", "", ""},
		{"html that is xml", "<html><body><code>NoSuchUpload</code></body></html>", "", "", ""},
		{"document type", "<!DOCTYPE Error><Error><Code>NoSuchUpload</Code></Error>", "", "", ""},
		{"json", `{"Code":"NoSuchUpload"}`, "", "", ""},
		{"empty", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReply(404, nil)
			r.ReadXML([]byte(tt.body))
			if r.Code != tt.code || r.Message != tt.message || r.RequestID != tt.id {
				t.Errorf("%+v, want %q %q %q", r, tt.code, tt.message, tt.id)
			}
		})
	}
}

// The bodies of signature errors repeat what was signed and with which key.
func TestReadXMLKeepsNoSignature(t *testing.T) {
	r := NewReply(403, nil)
	r.ReadXML([]byte(`<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><AWSAccessKeyId>AKID</AWSAccessKeyId>` +
		`<StringToSign>secret</StringToSign><SignatureProvided>secret</SignatureProvided><CanonicalRequest>secret</CanonicalRequest></Error>`))
	text := r.Error(Codes{"SignatureDoesNotMatch": mpu.Denied}).Error()
	if want := "denied (HTTP 403, SignatureDoesNotMatch): m"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

func TestKind(t *testing.T) {
	codes := Codes{"NoSuchUpload": mpu.Gone, "Odd": 0}
	for _, tt := range []struct {
		status int
		code   string
		want   mpu.Kind
	}{
		{404, "NoSuchUpload", mpu.Gone},
		{200, "NoSuchUpload", mpu.Gone},
		{301, "NoSuchUpload", 0},
		{400, "NoSuchUpload", 0},
		{403, "NoSuchUpload", 0},
		{500, "NoSuchUpload", mpu.Transient},
		{503, "NoSuchUpload", mpu.Transient},
		{404, "", 0},
		{404, "NoSuchThing", 0},
		{404, "nosuchupload", 0},
		{403, "", 0},
		{400, "New", 0},
		{301, "", 0},
		{200, "", 0},
		{408, "", mpu.Transient},
		{429, "New", mpu.Transient},
		{500, "", mpu.Transient},
		{503, "New", mpu.Transient},
		{501, "New", 0},
		{599, "", mpu.Transient},
		{503, "Odd", 0},
	} {
		if got := codes.Kind(tt.status, tt.code); got != tt.want {
			t.Errorf("%d %q: %s, want %s", tt.status, tt.code, got, tt.want)
		}
	}
}

func TestNewReplyHeaders(t *testing.T) {
	for _, tt := range []struct{ header, value, want string }{
		{"x-amz-request-id", "R", "R"}, {"x-cos-request-id", "R", "R"}, {"x-obs-request-id", "R", "R"},
		{"x-oss-request-id", "R", "R"}, {"x-other-id", "R", ""},
	} {
		h := http.Header{}
		h.Set(tt.header, tt.value)
		r := NewReply(500, h)
		r.ReadXML([]byte("<Error><RequestId>" + tt.want + "</RequestId></Error>"))
		if r.RequestID != tt.want {
			t.Errorf("%s: %q", tt.header, r.RequestID)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, header, value string
		want                time.Duration
	}{
		{"seconds", "Retry-After", "3", 3 * time.Second},
		{"date", "Retry-After", "Sun, 22 Nov 2026 10:00:05 GMT", 5 * time.Second},
		{"date that has passed", "Retry-After", "Sun, 22 Nov 2026 09:00:05 GMT", 0},
		{"below zero", "Retry-After", "-3", 0},
		{"too much", "Retry-After", "9223372036854775807", 24 * time.Hour},
		{"far away", "Retry-After", "Sun, 22 Nov 2099 10:00:05 GMT", 24 * time.Hour},
		{"nonsense", "Retry-After", "soon", 0},
		{"milliseconds of OBS", "x-obs-qos-delay-time", "250", 250 * time.Millisecond},
		{"too much of them", "x-obs-qos-delay-time", "9223372036854775807", 24 * time.Hour},
		{"none", "X", "1", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			h.Set(tt.header, tt.value)
			if got := retryAfter(h, now); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"as it is", "Slow down.", "Slow down."},
		{"control characters", "a\x00b\r\nc\x1b[31md\x7f", "a b c [31md"},
		{"blanks", "  a \t b ", "a b"},
		{"what turns text around", "a\u202eb\u2028c\ufeffd", "a b c d"},
		{"not UTF-8", "a\xffb", "a?b"},
		{"long", strings.Repeat("x", 300), strings.Repeat("x", 253) + "..."},
		{"long, of wide characters", strings.Repeat("长", 100), strings.Repeat("长", 84) + "..."},
		{"very long", strings.Repeat("长", 10000), strings.Repeat("长", 84) + "..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Shorten(tt.in); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
