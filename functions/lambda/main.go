// Command lambda is partsweep on AWS Lambda, runtime provided.al2023. Its credentials are the role's, which Lambda puts
// into the environment.
//
// Build it as bootstrap, with the old RPC mode left out:
//
//	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags='-s -w' -o bootstrap ./functions/lambda
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	h, err := handler.New(handler.Platform{Name: "lambda", Environ: os.Environ(), Open: all.Open, Credentials: handler.FromEnvironment})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, event json.RawMessage) (any, error) {
		return h.Handle(ctx, event)
	})
}
