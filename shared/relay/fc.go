package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/partsweep/partsweep/shared/acs3"
	"github.com/partsweep/partsweep/shared/mpu"
)

// FC is a [Queue] of asynchronous invocations on Alibaba Cloud Function Compute 3.0 (InvokeFunction, version 2023-03-30, with
// x-fc-invocation-type: Async).
type FC struct {
	self   SelfFunc
	base   string // in place of the vendor's https://host, for tests
	client *http.Client
	pause  time.Duration
}

// OpenFC returns the queue of the function that is running.
func OpenFC(self SelfFunc) *FC {
	return &FC{self: self, client: newClient(), pause: 200 * time.Millisecond}
}

// Send implements [Queue].
func (q *FC) Send(ctx context.Context, messages []Message) (taken int, err error) {
	f, err := q.self(ctx)
	if err != nil {
		return 0, err
	}
	return invoke(ctx, messages, q.pause, func(ctx context.Context, body []byte) error { return q.once(ctx, f, body) })
}

func (q *FC) once(ctx context.Context, f Function, body []byte) error {
	req, err := q.request(ctx, f, body)
	if err != nil {
		return err
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return q.failed(mpu.Transient, f, "", "", err.Error())
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status says it all
	if resp.StatusCode == http.StatusAccepted {
		return nil
	}
	var a struct{ Code, Message, RequestID string }
	json.Unmarshal(text, &a) // what cannot be read is left blank
	kind := mpu.Invalid
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode/100 == 5:
		kind = mpu.Transient
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		kind = mpu.Denied
	}
	if a.Code == "" {
		a.Code = strconv.Itoa(resp.StatusCode)
	}
	return q.failed(kind, f, a.Code, a.RequestID, a.Message)
}

func (q *FC) request(ctx context.Context, f Function, body []byte) (*http.Request, error) {
	host := f.Account + "." + f.Region + ".fc.aliyuncs.com"
	path := "/2023-03-30/functions/" + url.PathEscape(f.Name) + "/invocations"
	base := q.base
	if base == "" {
		base = "https://" + host
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	acs3.Sign(req, f.Credentials, acs3.Call{Action: "InvokeFunction", Version: "2023-03-30", Body: body, At: time.Now(), Nonce: acs3.NewNonce()})
	req.Header.Set("X-Fc-Invocation-Type", "Async")
	return req, nil
}

func (q *FC) failed(kind mpu.Kind, f Function, code, requestID, message string) error {
	return failedInvoke(kind, f, code, requestID, message, "fc:InvokeFunction")
}
