// Command fc is partsweep on Alibaba Cloud Function Compute 3.0, runtime go1. Its credentials are the role's, which come
// with every call.
//
//	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o main ./functions/fc
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	h, err := handler.New(handler.Platform{Name: "fc", Environ: os.Environ(), Open: all.Open,
		Credentials: credentials, RequestID: requestID, OpenQueue: openQueue})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	// The raw bytes are taken, because any other type would have the SDK refuse an odd event before it is read here.
	fc.Start(func(ctx context.Context, event []byte) (any, error) {
		return h.Handle(withCall(ctx), event)
	})
}

// A call is what is to be known of the one that is running.
type call struct {
	requestID string
	function  relay.Function
}

type callKey struct{}

// withCall takes what is to be known of the call out of its FcContext once: FromContext writes to what it returns, so it must
// not be called by many goroutines.
func withCall(ctx context.Context) context.Context {
	c, ok := fccontext.FromContext(ctx)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, callKey{}, call{c.RequestID, relay.Function{
		Account: c.AccountId, Region: c.Region, Name: c.Function.Name,
		Credentials: store.Credentials{
			AccessKeyID:     c.Credentials.AccessKeyId,
			SecretAccessKey: c.Credentials.AccessKeySecret,
			SessionToken:    c.Credentials.SecurityToken,
		},
	}})
}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

func requestID(ctx context.Context) string { return callOf(ctx).requestID }

// credentials are the call's own. The copies in the environment are as old as the instance, and are not used.
func credentials(ctx context.Context, scheme string) (store.Credentials, error) {
	switch scheme {
	case "oss", "vod", "mps":
		return callOf(ctx).function.Credentials, nil
	}
	return handler.FromEnvironment(ctx, scheme)
}

// openQueue is the function itself, invoked asynchronously.
func openQueue(word string) (relay.Queue, error) {
	if word != relay.Self {
		return nil, fmt.Errorf("write %s", relay.Self)
	}
	return relay.OpenFC(func(ctx context.Context) (relay.Function, error) {
		f := callOf(ctx).function
		if f.Name == "" || f.Account == "" || f.Region == "" {
			return f, errors.New("the platform does not say which function this is")
		}
		if f.Credentials.AccessKeyID == "" {
			return f, handler.ErrNoCredentials
		}
		return f, nil
	}), nil
}
