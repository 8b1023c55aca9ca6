package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/partsweep/partsweep/shared/mpu"
)

// FC is a [Queue] of asynchronous invocations on Alibaba Cloud Function Compute 3.0 (InvokeFunction, version 2023-03-30, with
// x-fc-invocation-type: Async). The vendor's code signs, and nothing else of it is used.
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
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	signed := map[string]*string{
		"host":                  dara.String(host),
		"content-type":          dara.String("application/json"),
		"x-acs-action":          dara.String("InvokeFunction"),
		"x-acs-version":         dara.String("2023-03-30"),
		"x-acs-date":            dara.String(time.Now().UTC().Format("2006-01-02T15:04:05Z")),
		"x-acs-signature-nonce": dara.String(rand.Text()),
		"x-acs-content-sha256":  dara.String(hash),
	}
	if f.SessionToken != "" {
		signed["x-acs-security-token"] = dara.String(f.SessionToken)
	}
	authorization := utils.GetAuthorization(&dara.Request{Method: dara.String(http.MethodPost), Pathname: dara.String(path), Headers: signed},
		dara.String("ACS3-HMAC-SHA256"), dara.String(hash), dara.String(f.AccessKeyID), dara.String(f.SecretAccessKey))
	for name, value := range signed {
		req.Header.Set(name, *value)
	}
	req.Header.Set("X-Fc-Invocation-Type", "Async")
	req.Header.Set("Authorization", *authorization)
	return req, nil
}

func (q *FC) failed(kind mpu.Kind, f Function, code, requestID, message string) error {
	return failedInvoke(kind, f, code, requestID, message, "fc:InvokeFunction")
}
