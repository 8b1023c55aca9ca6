package acs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// Bounds of an answer: many times what a page of 100 records takes, and what anything about one media takes.
const (
	maxPage  = 4 << 20
	maxSmall = 64 << 10
)

// envelope is what every answer may hold. HostId and Recommend add nothing.
type envelope struct{ RequestId, Code, Message string }

// read judges an answer. Only a JSON object with a status of 2xx, a request ID and no error code is a success: every one of
// the services' own answers has a request ID, and some say nothing else.
func (c *Client) read(call Call, got *wire.Answer, answer any) error {
	var e envelope
	notJSON := decode(got.Body, &e)
	if notJSON == nil && e.RequestId == "" && e.Code == "" && got.Status/100 == 2 {
		notJSON = errors.New("it has no RequestId")
	}
	if got.Status/100 == 2 && e.Code == "" {
		if notJSON == nil && answer != nil {
			notJSON = decode(got.Body, answer)
		}
		if notJSON == nil {
			return nil
		}
	}
	e.Message = unquoted(e.Message)
	failure := c.failure(call, got, e)
	if notJSON != nil {
		failure.Err = fmt.Errorf("the answer cannot be read: %w", notJSON)
	}
	return failure
}

// decode reads a JSON object. Fields may be missing, but not the object.
func decode(body []byte, to any) error {
	if b := strings.TrimSpace(string(body[:min(len(body), 64)])); !strings.HasPrefix(b, "{") {
		return errors.New("it is no JSON object")
	}
	return json.Unmarshal(body, to)
}

// failure is an answer that says no, or that says nothing that can be understood.
func (c *Client) failure(call Call, got *wire.Answer, e envelope) *mpu.Error {
	reply := wire.NewReply(got.Status, got.Header)
	reply.Code, reply.Message = wire.Plain(e.Code), wire.Shorten(e.Message)
	reply.RequestID = cmp.Or(wire.Plain(e.RequestId), reply.RequestID)
	reply.RetryAfter = max(reply.RetryAfter, timeLeft(got.Header))
	failure := reply.Error(nil)
	if m := meaning(c.service.Codes, reply.Code, call.Params); m.Kind != 0 {
		failure.Kind, failure.Hint = m.Kind, m.Hint
	}
	if failure.Kind == mpu.Denied {
		failure.Hint = deniedHint(failure.Hint, c.service.Product+":"+call.Action)
	}
	return failure
}

// deniedHint adds the permission that a refused operation needs.
func deniedHint(hint, permission string) string {
	if hint == "" {
		return "grant the RAM action " + permission
	}
	return hint + "; the RAM action is " + permission
}

// unquoted leaves out what follows a message's first sentence where that is all that was signed, as the message of a
// SignatureDoesNotMatch quotes it.
func unquoted(message string) string {
	if i := strings.Index(strings.ToLower(message), "server string"); i >= 0 {
		return message[:i]
	}
	return message
}

// timeLeft returns how long a throttled request should wait, as the two headers of the gateway say it: a list that holds
// TimeLeft:<milliseconds>. The longer of the two counts.
func timeLeft(h http.Header) time.Duration {
	var most time.Duration
	for _, name := range []string{"X-Ratelimit-User-Api", "X-Ratelimit-User"} {
		for item := range strings.SplitSeq(h.Get(name), ",") {
			label, value, _ := strings.Cut(strings.TrimSpace(item), ":")
			ms, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err == nil && strings.EqualFold(label, "TimeLeft") {
				most = max(most, time.Duration(min(ms, (24*time.Hour).Milliseconds()))*time.Millisecond)
			}
		}
	}
	return most
}
