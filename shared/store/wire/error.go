package wire

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Codes is a service's table from its error codes to kinds. A code that is listed with the zero Kind is known, and fits no
// kind on purpose.
type Codes map[string]mpu.Kind

// Kind returns the kind of an answer. A code in the table has the table's kind; of any other answer only the status
// speaks, and it says no more than that another try may help. A 404 without a known code says nothing; a 501 says that no
// try will help. The code for "gone" is believed under no status that contradicts it.
func (c Codes) Kind(status int, code string) mpu.Kind {
	if kind, ok := c[code]; ok && (kind != mpu.Gone || status == http.StatusNotFound || status/100 == 2) {
		return kind
	}
	if status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		status/100 == 5 && status != http.StatusNotImplemented {
		return mpu.Transient
	}
	return 0
}

// A Reply is what a service said of a request that failed, in its own words.
type Reply struct {
	Status     int
	Header     http.Header
	Code       string
	Message    string
	RequestID  string
	RetryAfter time.Duration
	Region     string // the region that the service names instead, "" if it names none
	Endpoint   string // the endpoint that the service names instead, "" if it names none
}

// NewReply returns a reply with all that a status and a header tell: request ID and how long to wait.
func NewReply(status int, header http.Header) *Reply {
	return &Reply{Status: status, Header: header, RequestID: Plain(requestID(header)), RetryAfter: retryAfter(header, time.Now())}
}

// Error returns the reply as an error whose kind is from the table. The service's words are shortened.
func (r *Reply) Error(codes Codes) *mpu.Error {
	code := r.Code
	if _, known := codes[code]; !known {
		code = Plain(code)
	}
	return &mpu.Error{
		Kind: codes.Kind(r.Status, r.Code), Status: r.Status, Code: code, Message: Shorten(r.Message),
		RequestID: Plain(r.RequestID), RetryAfter: r.RetryAfter,
	}
}

// Plain returns a code or a request ID as services write them, and a question mark for anything else: what repeats a signed
// request's header, say, is no request ID.
func Plain(s string) string {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:+/=", r))
	}
	if len(s) > 128 || strings.ContainsFunc(s, odd) {
		return "?"
	}
	return s
}

// Shorten makes a provider's words fit for a log line: valid UTF-8, no control characters, no runs of blanks, 256 bytes.
func Shorten(s string) string {
	const most = 256
	if len(s) > 4*most {
		s = s[:4*most]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	cut := most - len("...")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// requestID returns the request ID that an answer's header carries, whichever service it is from.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Amz-Request-Id", "X-Cos-Request-Id", "X-Obs-Request-Id", "X-Oss-Request-Id", "X-Acs-Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// maxRetryAfter bounds what a header can ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long an answer asks to wait: Retry-After in seconds or as a date (RFC 9110, 10.2.3), or OBS's own
// x-obs-qos-delay-time in milliseconds.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait := func(n int64, unit time.Duration) time.Duration {
		if n <= 0 {
			return 0
		}
		return time.Duration(min(n, int64(maxRetryAfter/unit))) * unit
	}
	if s := h.Get("Retry-After"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return wait(n, time.Second)
		}
		if t, err := http.ParseTime(s); err == nil {
			return min(max(t.Sub(now), 0), maxRetryAfter)
		}
	}
	n, err := strconv.ParseInt(h.Get("X-Obs-Qos-Delay-Time"), 10, 64)
	if err != nil {
		return 0
	}
	return wait(n, time.Millisecond)
}

// ReadXML adds what an S3-like error document says. Elements are told by their local names without regard to case. A body
// that is no such document, or not a whole one, adds nothing: HTML, empty, cut short. Only the few elements that are
// known to be harmless are read: the body of a SignatureDoesNotMatch repeats what was signed.
func (r *Reply) ReadXML(body []byte) {
	s := NewScanner(bytes.NewReader(body))
	if event, err := s.Next(); err != nil || event != Open {
		return
	}
	told := *r
	if told.readError(s) == nil {
		*r = told
	}
}

// readError reads an error document whose root has just been opened, to its end.
func (r *Reply) readError(s *Scanner) error {
	within := 0 // the depth of the Error element, 0 while there is none
	if string(s.Name()) == "error" {
		within = s.Depth()
	}
	for {
		event, err := s.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case event == Open && within == 0 && string(s.Name()) == "error":
			within = s.Depth()
		case event == Close && within > 0 && s.Depth() == within+1:
			if err := r.field(string(s.Name()), string(s.Text())); err != nil {
				return err
			}
		}
	}
}

// field keeps an element of an error document. The first of its name counts, and a header's request ID before the body's.
// A document with two codes says nothing: which of them to believe is not for guessing.
func (r *Reply) field(name, text string) error {
	text = strings.TrimSpace(text)
	switch name {
	case "code":
		if r.Code != "" && r.Code != text {
			return content("an error with two codes, %s and %s", quote(r.Code), quote(text))
		}
		r.Code = text
	case "message":
		r.Message = cmp.Or(r.Message, text)
	case "requestid":
		r.RequestID = cmp.Or(r.RequestID, text)
	case "region":
		r.Region = cmp.Or(r.Region, text)
	case "endpoint":
		r.Endpoint = cmp.Or(r.Endpoint, text)
	}
	return nil
}
