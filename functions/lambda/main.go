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
	"runtime"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	useShare(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	h, err := handler.New(handler.Platform{Name: "lambda", Environ: os.Environ(), Open: all.Open,
		Credentials: handler.FromEnvironment, RequestID: requestID, OpenQueue: openQueue})
	if err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, event json.RawMessage) (any, error) {
		return h.Handle(ctx, event)
	})
}

// useShare leaves one thread at a time to Go where the function has less than one CPU: below 1,769 MB it has that share of one
// (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and of the two that Go sees, the second only costs the
// time to wake it up.
func useShare(memory string) {
	const oneCPU = 1769
	if mb, err := strconv.Atoi(memory); err == nil && mb < oneCPU && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

func requestID(ctx context.Context) string {
	call, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}
	return call.AwsRequestID
}

// openQueue opens an SQS queue, with the role's credentials.
func openQueue(url string) (relay.Queue, error) {
	return relay.OpenSQS(url, os.Getenv("AWS_REGION"), func(ctx context.Context) (aws.Credentials, error) {
		c, err := handler.FromEnvironment(ctx, "s3")
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
	})
}
