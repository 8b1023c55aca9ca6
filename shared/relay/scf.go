package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/partsweep/partsweep/shared/mpu"
)

// SCF is a [Queue] of asynchronous invocations on Tencent Cloud SCF (Invoke, version 2018-04-16, InvocationType Event;
// cloud.tencent.com/document/product/583/17243), through the vendor's client for any API.
type SCF struct {
	self    SelfFunc
	profile *profile.ClientProfile
	pause   time.Duration
}

// OpenSCF returns the queue of the function that is running.
func OpenSCF(self SelfFunc) *SCF {
	p := profile.NewClientProfile()
	p.HttpProfile.ReqTimeout = int(sendTime / time.Second)
	return &SCF{self: self, profile: p, pause: 200 * time.Millisecond}
}

// Send implements [Queue].
func (q *SCF) Send(ctx context.Context, messages []Message) (taken int, err error) {
	f, err := q.self(ctx)
	if err != nil {
		return 0, err
	}
	client := common.NewCommonClient(common.NewTokenCredential(f.Credentials.AccessKeyID, f.Credentials.SecretAccessKey, f.Credentials.SessionToken), f.Region, q.profile)
	client.WithHttpTransport(unmoved{http.DefaultTransport})
	return invoke(ctx, messages, q.pause, func(ctx context.Context, body []byte) error {
		request := tchttp.NewCommonRequest("scf", "2018-04-16", "Invoke")
		request.SetContext(ctx)
		err := request.SetActionParameters(map[string]any{
			"FunctionName": f.Name, "Namespace": f.Namespace, "InvocationType": "Event", "ClientContext": string(body),
		})
		if err == nil {
			err = send(client, request)
		}
		return q.failed(f, err)
	})
}

// send sends a request, and believes only an answer that says which request it answers. The vendor's client takes any answer for
// good that names no error, and panics over some.
func send(client *common.Client, request *tchttp.CommonRequest) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the answer cannot be read")
		}
	}()
	response := tchttp.NewCommonResponse()
	if err := client.Send(request, response); err != nil {
		return err
	}
	var a struct{ Response struct{ RequestId string } }
	if json.Unmarshal(response.GetBody(), &a) != nil || a.Response.RequestId == "" {
		return errors.New("the answer says nothing")
	}
	return nil
}

// unmoved refuses redirects, which the vendor's client would follow; see newClient.
type unmoved struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (u unmoved) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.next.RoundTrip(req)
	if err == nil && resp.StatusCode/100 == 3 {
		resp.Body.Close()
		return nil, fmt.Errorf("HTTP %d: a redirect, which is not followed", resp.StatusCode)
	}
	return resp, err
}

// failed judges an error by the first word of its code (cloud.tencent.com/document/product/583/17238).
func (q *SCF) failed(f Function, err error) error {
	if err == nil {
		return nil
	}
	var e *tcerrors.TencentCloudSDKError
	if !errors.As(err, &e) {
		return failedInvoke(mpu.Transient, f, "", "", err.Error(), "")
	}
	kind := mpu.Invalid
	switch class, _, _ := strings.Cut(e.Code, "."); class {
	case "AuthFailure", "UnauthorizedOperation":
		kind = mpu.Denied
	case "RequestLimitExceeded", "LimitExceeded", "InternalError", "ResourceUnavailable", "ClientError", "FailedOperation":
		kind = mpu.Transient
	}
	return failedInvoke(kind, f, e.Code, e.RequestId, e.Message, "scf:InvokeFunction")
}
