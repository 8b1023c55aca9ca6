// Package acs is what Alibaba Cloud's RPC APIs share: endpoints by region, parameters in the query, signature V3, answers
// in JSON, the error envelope and the throttle hints. It follows "V3 request body & signature mechanism" of the vendor's
// SDK overview. What an operation is called and what its codes mean is the driver's to say.
//
// Nothing of the vendor's clients is used: they race when they are shared, lose the status of an answer that is no JSON, and
// would retry on their own.
package acs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/acs3"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// A Service is one API.
type Service struct {
	Product string // the first label of its host names, and the prefix of its permissions
	Version string
	Codes   Codes // its own error codes; the gateway's are known
}

// A Client sends requests to one service. It is safe for use by many goroutines.
type Client struct {
	service     Service
	endpoint    wire.Endpoint // zero for the vendor's
	credentials store.CredentialsFunc
	http        *http.Client
	now         func() time.Time
	nonce       func() string
}

// New returns a client. The error names the field of the configuration that is wrong.
func New(cfg store.Config, s Service) (*Client, error) {
	switch {
	case cfg.Credentials == nil:
		return nil, wire.BadField("Credentials", "", "say where they come from")
	case cfg.Region != "" && !wire.IsRegion(cfg.Region):
		return nil, wire.BadField("Region", cfg.Region, "use the region's ID")
	}
	c := &Client{
		service: s, credentials: cfg.Credentials,
		http: wire.Client(cfg.Client), now: cfg.Now, nonce: acs3.NewNonce,
	}
	if c.now == nil {
		c.now = time.Now
	}
	if cfg.Endpoint != "" {
		var err error
		if c.endpoint, err = wire.ParseEndpoint(cfg.Endpoint); err != nil {
			return nil, err
		}
		if c.endpoint.HasBucket() {
			return nil, wire.BadField("Endpoint", cfg.Endpoint, "there are no buckets here; use {region}")
		}
	}
	return c, nil
}

// A Call is one operation on one target.
type Call struct {
	Op     store.Op
	Target fmt.Stringer // an upload or a bucket
	Region string
	Action string // the operation's name
	Params map[string]string
	Page   bool // the answer is a page of records, and may be long
}

// Do sends one request and decodes the answer into answer, which may be nil. Every request has a new date and a new nonce.
func (c *Client) Do(ctx context.Context, call Call, answer any) error {
	return wire.About(c.do(ctx, call, answer), call.Op, call.Target)
}

func (c *Client) do(ctx context.Context, call Call, answer any) error {
	credentials, err := c.authorize(ctx)
	if err != nil {
		return err
	}
	req := c.request(call)
	acs3.Sign(req, credentials, acs3.Call{Action: call.Action, Version: c.service.Version, At: c.now(), Nonce: c.nonce()})
	most := int64(maxSmall)
	if call.Page {
		most = maxPage
	}
	got, err := wire.Do(ctx, c.http, req, most)
	if err == nil {
		err = c.read(call, got, answer)
	}
	return wire.Conceal(err, req, credentials)
}

// authorize returns the credentials that are valid now, unless the context is done.
func (c *Client) authorize(ctx context.Context) (store.Credentials, error) {
	var none store.Credentials
	if err := ctx.Err(); err != nil {
		return none, &mpu.Error{Kind: mpu.Transient, Err: err}
	}
	got, err := c.credentials(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return none, &mpu.Error{Kind: mpu.Transient, Message: "no credentials", Err: ctx.Err()}
	case err != nil:
		return none, &mpu.Error{Kind: mpu.KindOf(err), Err: err}
	case got.AccessKeyID == "" || got.SecretAccessKey == "":
		return none, &mpu.Error{Kind: mpu.Denied, Message: "no credentials", Hint: "set the access key ID and the secret"}
	case strings.ContainsAny(got.AccessKeyID+got.SecretAccessKey+got.SessionToken, " \t\r\n\x00"):
		return none, &mpu.Error{Kind: mpu.Denied, Message: "the credentials hold a blank or a line break", Hint: "set them anew"}
	}
	return got, nil
}

// request builds a request, unsigned. Everything is in the query, and the body is empty.
func (c *Client) request(call Call) *http.Request {
	host := c.service.Product + "." + call.Region + ".aliyuncs.com"
	u := &url.URL{Scheme: "https", Host: host, Path: "/", RawQuery: acs3.Query(call.Params)}
	if !c.endpoint.IsZero() {
		u.Scheme, u.Host = c.endpoint.Scheme(), c.endpoint.With("", call.Region)
		// An endpoint that does not name the region only says where to connect; the Host header still names it.
		if c.endpoint.HasRegion() {
			host = u.Host
		}
	}
	return &http.Request{Method: http.MethodPost, URL: u, Host: host, Header: http.Header{}}
}

// Fail returns an error about the call that no answer spells out.
func (c Call) Fail(kind mpu.Kind, err error) error {
	return &mpu.Error{Kind: kind, Op: string(c.Op), Target: c.Target.String(), Err: err}
}
