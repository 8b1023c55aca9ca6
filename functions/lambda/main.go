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
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	h, err := handler.New(handler.Platform{Name: "lambda", Environ: os.Environ(), Open: all.Open, Credentials: credentials})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, event json.RawMessage) (*handler.Report, error) {
		return h.Handle(ctx, event)
	})
}

// credentials are the role's. They are read for every request: nothing is lost by it, and nothing stale can be used.
func credentials(_ context.Context, scheme string) (store.Credentials, error) {
	if scheme != "s3" {
		return store.Credentials{}, handler.ErrNoCredentials
	}
	return store.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
	}, nil
}
