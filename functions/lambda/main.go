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

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	memory, _ := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	useShare(memory)
	h, err := handler.New(handler.Platform{Name: "lambda", Environ: os.Environ(), Open: all.Open, Concurrency: inFlight(memory),
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
// time to wake it up. Memory is in MB, 0 if nobody says.
func useShare(memory int) {
	const oneCPU = 1769
	if memory > 0 && memory < oneCPU && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// inFlight is how many requests the function's share of a CPU has use for: one takes 65 microseconds of a whole one, so that with
// answers after 70 ms, 128 MB can keep 80 requests under way. More of them only cost memory, and connections that take CPU to
// be made. 0 leaves it to the handler.
func inFlight(memory int) int { return memory * 5 / 8 }

func requestID(ctx context.Context) string {
	call, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}
	return call.AwsRequestID
}

// openQueue opens an SQS queue, with the role's credentials.
func openQueue(url string) (relay.Queue, error) {
	return relay.OpenSQS(url, os.Getenv("AWS_REGION"), func(ctx context.Context) (store.Credentials, error) {
		return handler.FromEnvironment(ctx, "s3")
	})
}
