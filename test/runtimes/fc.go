package runtimes

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An FC is a host of Alibaba Cloud Function Compute's runtime API, 2020-11-11, as the built-in runtime go1 speaks it
// (github.com/aliyun/fc-runtime-go-sdk is its only description).
type FC struct {
	*mailbox
	Addr   string // for FC_RUNTIME_API
	server *http.Server
}

// fcPayload is the most that a function may answer with when it is called synchronously: 32 MB ("Limits").
const fcPayload = 32 << 20

// StartFC starts a host on a free loopback port.
func StartFC() (*FC, error) {
	h := &FC{mailbox: newMailbox()}
	server, err := serve(h)
	if err != nil {
		return nil, err
	}
	h.server, h.Addr = server, server.Addr
	return h, nil
}

// Close implements [Host].
func (h *FC) Close() error { return h.server.Close() }

// Environ implements [Host]: "Environment variables". The credentials in it are as old as the instance; those of a call
// come with the call.
func (h *FC) Environ(role Credentials) []string {
	return []string{
		"FC_RUNTIME_API=" + h.Addr, "FC_FUNCTION_NAME=partsweep", "FC_FUNCTION_HANDLER=main", "FC_FUNCTION_MEMORY_SIZE=128",
		"FC_REGION=cn-shanghai", "FC_ACCOUNT_ID=1234567890123456", "FC_INSTANCE_ID=c-00000000", "FC_FUNC_CODE_PATH=/code",
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + role.AccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + role.SecretAccessKey,
		"ALIBABA_CLOUD_SECURITY_TOKEN=" + role.SessionToken,
	}
}

// Invoke implements [Host].
func (h *FC) Invoke(ctx context.Context, event []byte, call Call) ([]byte, error) {
	return h.invoke(ctx, event, call, func(id string) http.Header {
		limit := call.timeout()
		return headers(map[string]string{
			"Content-Type":           "application/octet-stream",
			"X-Fc-Request-Id":        id,
			"X-Fc-Function-Deadline": strconv.FormatInt(time.Now().Add(limit).UnixMilli(), 10),
			"X-Fc-Function-Timeout":  strconv.Itoa(int((limit + time.Second - 1) / time.Second)),
			"X-Fc-Access-Key-Id":     call.Credentials.AccessKeyID,
			"X-Fc-Access-Key-Secret": call.Credentials.SecretAccessKey,
			"X-Fc-Security-Token":    call.Credentials.SessionToken,
			"X-Fc-Function-Type":     "0",
			"X-Fc-Function-Name":     "partsweep",
			"X-Fc-Function-Handler":  "main",
			"X-Fc-Function-Memory":   "128",
			"X-Fc-Region":            "cn-shanghai",
			"X-Fc-Account-Id":        "1234567890123456",
			"X-Fc-Qualifier":         "LATEST",
			"X-Fc-Version-Id":        "LATEST",
			"X-Fc-Retry-Count":       "0",
		})
	})
}

// ServeHTTP is the runtime API.
func (h *FC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2020-11-11/runtime/invocation/")
	id, what, _ := strings.Cut(path, "/")
	switch {
	case ok && path == "next" && r.Method == http.MethodGet:
		h.serveNext(w, r)
	case ok && (what == "response" || what == "error") && r.Method == http.MethodPost:
		h.reply(w, h.serveAnswer(r, id, what == "error", fcPayload))
	default:
		http.NotFound(w, r)
	}
}

// reply answers a report. What the platform says to a bad one is not documented; the SDK logs anything but 200.
func (h *FC) reply(w http.ResponseWriter, err error) {
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
