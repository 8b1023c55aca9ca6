// Command fc is partsweep on Alibaba Cloud Function Compute 3.0, runtime go1. Its credentials are the role's, which come
// with every call.
//
//	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o main ./functions/fc
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	h, err := handler.New(handler.Platform{Name: "fc", Environ: os.Environ(), Open: all.Open, Credentials: credentials})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	// The raw bytes are taken, because any other type would have the SDK refuse an odd event before it is read here.
	fc.Start(func(ctx context.Context, event []byte) (any, error) {
		return h.Handle(withCallCredentials(ctx), event)
	})
}

type callCredentials struct{}

// withCallCredentials takes the call's credentials out of its FcContext once: FromContext writes to what it returns, so
// it must not be called by many goroutines.
func withCallCredentials(ctx context.Context) context.Context {
	call, ok := fccontext.FromContext(ctx)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, callCredentials{}, store.Credentials{
		AccessKeyID:     call.Credentials.AccessKeyId,
		SecretAccessKey: call.Credentials.AccessKeySecret,
		SessionToken:    call.Credentials.SecurityToken,
	})
}

// credentials are the call's own. The copies in the environment are as old as the instance, and are not used.
func credentials(ctx context.Context, scheme string) (store.Credentials, error) {
	switch scheme {
	case "oss", "vod", "mps":
		c, _ := ctx.Value(callCredentials{}).(store.Credentials)
		return c, nil
	}
	return handler.FromEnvironment(ctx, scheme)
}
