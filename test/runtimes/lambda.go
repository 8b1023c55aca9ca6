package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Lambda is a host of the AWS Lambda runtime API, 2018-06-01 ("Using the Lambda runtime API for custom runtimes").
type Lambda struct {
	*mailbox
	Addr   string // for AWS_LAMBDA_RUNTIME_API
	server *http.Server
}

// lambdaPayload is the most that a function may answer with: 6 MiB and 100 bytes.
const lambdaPayload = 6<<20 + 100

// StartLambda starts a host on a free loopback port.
func StartLambda() (*Lambda, error) {
	h := &Lambda{mailbox: newMailbox()}
	server, err := serve(h)
	if err != nil {
		return nil, err
	}
	h.server, h.Addr = server, server.Addr
	return h, nil
}

// Close implements [Host].
func (h *Lambda) Close() error { return h.server.Close() }

// Environ implements [Host]: "Defined runtime environment variables". The role's credentials stay what they are for as
// long as the process lives.
func (h *Lambda) Environ(role Credentials) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + h.Addr, "_HANDLER=bootstrap", "TZ=:UTC",
		"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_ACCESS_KEY_ID=" + role.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + role.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + role.SessionToken, "AWS_LAMBDA_FUNCTION_NAME=partsweep",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/partsweep",
	}
}

// Invoke implements [Host].
func (h *Lambda) Invoke(ctx context.Context, event []byte, call Call) ([]byte, error) {
	return h.invoke(ctx, event, call, func(id string) http.Header {
		return headers(map[string]string{
			"Content-Type":                        "application/json",
			"Lambda-Runtime-Aws-Request-Id":       id,
			"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(time.Now().Add(call.timeout()).UnixMilli(), 10),
			"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:111122223333:function:partsweep",
			"Lambda-Runtime-Trace-Id":             "Root=1-00000000-" + strings.Repeat("0", 24) + ";Sampled=0",
		})
	})
}

// ServeHTTP is the runtime API.
func (h *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/")
	id, what, _ := strings.Cut(path, "/")
	switch {
	case ok && path == "next" && r.Method == http.MethodGet:
		h.serveNext(w, r)
	case ok && (what == "response" || what == "error") && r.Method == http.MethodPost:
		h.reply(w, h.serveAnswer(r, id, what == "error", lambdaPayload))
	default:
		lambdaRefusal(w, http.StatusNotFound, "NotFound", "no such path: "+r.URL.Path)
	}
}

func (h *Lambda) reply(w http.ResponseWriter, err error) {
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"status":"OK"}`)
	case errors.As(err, &tooLong):
		lambdaRefusal(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", err.Error())
	default:
		lambdaRefusal(w, http.StatusBadRequest, "InvalidRequestID", err.Error())
	}
}

func lambdaRefusal(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errorMessage":%q,"errorType":%q}`, message, kind)
}

// headers makes a header of names and values.
func headers(from map[string]string) http.Header {
	h := http.Header{}
	for name, value := range from {
		h.Set(name, value)
	}
	return h
}
