package handler

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/trigger"
)

// Web requests may come from anyone. None is acted on before it has shown one of three things: a callback's signature, the
// bearer token of the settings, or that the platform's own IAM has let it in.

// A Response is the answer to a web request, as Lambda function URLs, FC HTTP triggers and SCF function URLs all take it.
type Response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// callbackTime is how long a callback may take: VOD waits five seconds for status 200, and tries twice more.
const callbackTime = 4500 * time.Millisecond

func (h *Handler) answerHTTP(ctx context.Context, r *trigger.HTTPRequest) Response {
	if isCallback(r) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callbackTime)
		defer cancel()
	}
	e, err := h.believe(r)
	if err != nil && mpu.KindOf(err) != mpu.Ignored {
		return h.refuseHTTP(r, err)
	}
	report, errs := h.run(ctx, e, err)
	status := http.StatusOK
	for _, err := range errs {
		status = max(status, statusOf(err))
	}
	if status == http.StatusOK && report.Err() != nil {
		status = http.StatusInternalServerError
	}
	return respond(status, report)
}

// refuseHTTP is the answer to a web request that is not acted on. It is the sender's mistake, and no failure of the function.
func (h *Handler) refuseHTTP(r *trigger.HTTPRequest, err error) Response {
	h.log.Warn("web request refused", "platform", r.Platform, "method", clip(r.Method, 40), "path", clip(h.withoutToken(r.Path), 200), "error", err.Error())
	h.lines.flush()
	return respond(statusOf(err), map[string]string{"error": err.Error()})
}

// admit lets a web request in that has shown that it may ask. It looks at nothing of the body.
func (h *Handler) admit(r *trigger.HTTPRequest) error {
	switch {
	case r.Method != http.MethodPost:
		return &mpu.Error{Kind: mpu.Invalid, Op: "web request", Target: "method " + clip(fmt.Sprintf("%q", r.Method), 40), Err: errMethod}
	case isCallback(r):
		return h.checkCallback(r, h.wallClock())
	}
	return h.checkCaller(r)
}

// believe reads the event out of a web request, once the request has shown that it may ask.
func (h *Handler) believe(r *trigger.HTTPRequest) (trigger.Event, error) {
	if err := h.admit(r); err != nil {
		return trigger.Event{}, err
	}
	if isCallback(r) {
		return trigger.ParseVODCallback(r.Body)
	}
	e, err := trigger.Parse(r.Body)
	if err == nil && e.HTTP != nil {
		err = &mpu.Error{Kind: mpu.Invalid, Op: "web request", Target: "body", Hint: "a web request inside a web request is not read"}
	}
	return e, err
}

var errMethod = errors.New("use POST")

// wallClock is the clock that signatures and their timestamps are held against.
func (h *Handler) wallClock() time.Time {
	if h.platform.Now != nil {
		return h.platform.Now()
	}
	return time.Now()
}

// checkCaller wants the bearer token of the settings, or the platform's word.
func (h *Handler) checkCaller(r *trigger.HTTPRequest) error {
	if r.IAM || h.settings.HTTPTrusted {
		return nil
	}
	deny := func(format string, args ...any) error {
		return &mpu.Error{Kind: mpu.Denied, Op: "web request", Err: fmt.Errorf(format, args...)}
	}
	if h.settings.HTTPToken == "" {
		return deny("%sHTTP_TOKEN is not set, so no web request is believed", Prefix)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !same(strings.TrimSpace(token), string(h.settings.HTTPToken)) {
		return deny("the bearer token is missing or wrong")
	}
	return nil
}

// same compares in a time that tells nothing, not even the length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// statusOf is the HTTP status that says what an error means to the caller.
func statusOf(err error) int {
	switch kind := mpu.KindOf(err); {
	case err == nil || kind == mpu.Ignored:
		return http.StatusOK
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case kind == mpu.Invalid:
		return http.StatusBadRequest
	case kind == mpu.Refused || kind == mpu.Denied && errors.Is(err, errCallback):
		return http.StatusForbidden
	case kind == mpu.Denied && isWebRequest(err):
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

// isWebRequest reports whether an error is about the caller, and not about what a cloud refused us.
func isWebRequest(err error) bool {
	var e *mpu.Error
	return errors.As(err, &e) && e.Op == "web request"
}

func respond(status int, body any) Response {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the report cannot be written"}`)
	}
	headers := map[string]string{"Content-Type": "application/json"}
	switch status {
	case http.StatusUnauthorized:
		headers["WWW-Authenticate"] = "Bearer"
	case http.StatusMethodNotAllowed:
		headers["Allow"] = http.MethodPost
	}
	return Response{StatusCode: status, Headers: headers, Body: string(b)}
}

// withoutToken hides the token in what a client sent in a place where it does not belong.
func (h *Handler) withoutToken(s string) string {
	if token := string(h.settings.HTTPToken); token != "" {
		return strings.ReplaceAll(s, token, "***")
	}
	return s
}
