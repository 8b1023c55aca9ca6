package relay

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// A Function is one that invokes itself: where it is, and with what credentials it asks. Function Compute and SCF keep what is
// invoked asynchronously in a queue of their own, so that nothing else need be set up.
type Function struct {
	Account   string // of Alibaba Cloud; SCF has none
	Region    string
	Namespace string // of SCF; Function Compute has none
	Name      string

	Credentials store.Credentials
}

// A SelfFunc says which function is running. It is asked at every Send, because the credentials come with every call.
type SelfFunc func(ctx context.Context) (Function, error)

// Self is the word for the function's own asynchronous invocation, in place of a queue's URL.
const Self = "self"

// newClient is a client that follows nobody: a message that is sent on without its body is lost, and a token that is sent to
// another host is given away.
func newClient() *http.Client {
	return &http.Client{Timeout: sendTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// invoke sends messages one by one, and again what the platform was too busy for. Once is one request.
func invoke(ctx context.Context, messages []Message, pause time.Duration, once func(ctx context.Context, body []byte) error) (taken int, err error) {
	for _, m := range messages {
		body, err := json.Marshal(m)
		if err != nil {
			return taken, err
		}
		for attempt := 1; ; attempt++ {
			if err = once(ctx, body); err == nil {
				break
			}
			if attempt == sendAttempts || mpu.KindOf(err) != mpu.Transient {
				return taken, err
			}
			select {
			case <-ctx.Done():
				return taken, err
			case <-time.After(pause << attempt):
			}
		}
		taken++
	}
	return taken, nil
}

// failedInvoke is the error of one invocation.
func failedInvoke(kind mpu.Kind, f Function, code, requestID, message, permission string) error {
	e := &mpu.Error{Kind: kind, Op: "invoke", Target: f.Name, Code: code, RequestID: requestID, Message: message}
	if kind == mpu.Denied {
		e.Hint = "grant " + permission + " on the function itself"
	}
	return conceal(e, f.Credentials)
}

// conceal returns an error with what the platform said shortened, and without what it repeats of the secrets that were sent: one
// that disputes a signature quotes all that was signed, and the session token is among that.
func conceal(e *mpu.Error, c store.Credentials) error {
	e.Code, e.RequestID, e.Message = wire.Plain(e.Code), wire.Plain(e.RequestID), wire.Shorten(e.Message)
	return wire.Conceal(e, &http.Request{}, c)
}
