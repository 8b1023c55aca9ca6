// Command scf is partsweep on Tencent Cloud SCF, runtime Go1. Its credentials are the role's, which SCF puts into the
// environment with every call.
//
//	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o main ./functions/scf
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	h, err := handler.New(handler.Platform{Name: "scf", Environ: os.Environ(), Open: all.Open,
		Credentials: handler.FromEnvironment, RequestID: requestID, OpenQueue: openQueue})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	cloudfunction.Start(func(ctx context.Context, event json.RawMessage) (any, error) {
		ctx, cancel := withDeadline(ctx)
		defer cancel()
		return h.Handle(ctx, event)
	})
}

// withDeadline mends a context that has expired before the call began: scf-go-lib makes it from the request's Deadline,
// which is 1970 where the host leaves it empty. The time limit of the call then says how long there is.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	limit := 3 * time.Second // the platform's default
	if call, ok := functioncontext.FromContext(ctx); ok && call.TimeLimitInMs > 0 {
		limit = time.Duration(call.TimeLimitInMs) * time.Millisecond
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

func requestID(ctx context.Context) string {
	call, ok := functioncontext.FromContext(ctx)
	if !ok {
		return ""
	}
	return call.RequestID
}

// openQueue is the function itself, invoked asynchronously.
func openQueue(word string) (relay.Queue, error) {
	if word != relay.Self {
		return nil, fmt.Errorf("write %s", relay.Self)
	}
	return relay.OpenSCF(func(ctx context.Context) (relay.Function, error) {
		call, ok := functioncontext.FromContext(ctx)
		if !ok || call.FunctionName == "" || call.TencentcloudRegion == "" {
			return relay.Function{}, errors.New("the platform does not say which function this is")
		}
		c, err := handler.FromEnvironment(ctx, "cos")
		return relay.Function{Region: call.TencentcloudRegion, Namespace: call.Namespace, Name: call.FunctionName, Credentials: c}, err
	}), nil
}
