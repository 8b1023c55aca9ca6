package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"strconv"
	"sync"
	"time"
)

// An SCF is a host of Tencent Cloud SCF's runtime Go1 (github.com/tencentyun/scf-go-lib is its only description). There the
// function is the server: it serves Go's net/rpc under the name Function on a port that the platform chooses.
type SCF struct {
	Port   int // for _LAMBDA_SERVER_PORT
	mu     sync.Mutex
	client *rpc.Client
	n      int
}

// The messages, as gob matches them: by the names of their fields.
type (
	scfPing struct{}

	scfTimestamp struct{ Seconds, Nanos int64 }

	scfRequest struct {
		Payload                                  []byte
		RequestId, TraceId                       string
		Deadline                                 scfTimestamp
		InvokedFunctionUnique                    string
		ClientContext                            []byte
		Namespace, FunctionName, FunctionVersion string
		MemoryLimitInMb, TimeLimitInMs           int32
		Environment                              string // a JSON object of names and values
		TencentcloudRegion, TencentcloudAppID    string
		TencentcloudUin                          string
		FunctionTrace                            string
	}

	scfResponse struct {
		Payload []byte
		Error   *scfError
	}

	scfError struct {
		Message, Type string
		StackTrace    []*StackFrame
	}
)

// StartSCF chooses a port for a function to serve on.
func StartSCF() (*SCF, error) {
	// Below the ports that connections are given, so that none of them takes it before the function does.
	var err error
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		var l net.Listener
		if l, err = net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			return &SCF{Port: port}, l.Close()
		}
	}
	return nil, err
}

// Environ implements [Host]. The credentials are there from the start too, and are renewed by every call.
func (h *SCF) Environ(role Credentials) []string {
	env := []string{"_LAMBDA_SERVER_PORT=" + strconv.Itoa(h.Port), "SCF_NAMESPACE=default", "USER_CODE_ROOT=/var/user/"}
	for name, value := range scfEnvironment(role) {
		env = append(env, name+"="+value)
	}
	return env
}

// scfEnvironment is what SCF puts into the environment with every call ("Environment variables").
func scfEnvironment(role Credentials) map[string]string {
	return map[string]string{
		"TENCENTCLOUD_RUNENV":       "SCF",
		"TENCENTCLOUD_SECRETID":     role.AccessKeyID,
		"TENCENTCLOUD_SECRETKEY":    role.SecretAccessKey,
		"TENCENTCLOUD_SESSIONTOKEN": role.SessionToken,
	}
}

// Ready implements [Host]: it dials until the function answers to Ping.
func (h *SCF) Ready(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.client == nil {
		client, err := h.dial(ctx)
		if err == nil {
			h.client = client
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ended(ctx, "the function never answered to Ping"), err)
		}
	}
	return nil
}

func (h *SCF) dial(ctx context.Context) (*rpc.Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.Port)))
	if err != nil {
		return nil, err
	}
	client := rpc.NewClient(conn)
	if err := do(ctx, client, "Function.Ping", &scfPing{}, &scfPing{}); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// do calls a method, and gives up on it when the context ends.
func do(ctx context.Context, client *rpc.Client, method string, request, response any) error {
	call := client.Go(method, request, response, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return call.Error
	case <-ctx.Done():
		return ended(ctx, "the function did not answer to "+method)
	}
}

// Invoke implements [Host].
func (h *SCF) Invoke(ctx context.Context, event []byte, call Call) ([]byte, error) {
	if err := h.Ready(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := call.bound(ctx)
	defer cancel()
	request, err := h.request(event, call)
	if err != nil {
		return nil, err
	}
	response := &scfResponse{}
	if err := do(ctx, h.client, "Function.Invoke", request, response); err != nil {
		return nil, err
	}
	if e := response.Error; e != nil {
		return nil, e.report()
	}
	return response.Payload, nil
}

// request makes the message of a call. The deadline counts from now.
func (h *SCF) request(event []byte, call Call) (*scfRequest, error) {
	environment, err := json.Marshal(scfEnvironment(call.Credentials))
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", h.n)
	h.mu.Unlock()
	r := &scfRequest{
		Payload: event, RequestId: id, InvokedFunctionUnique: "qcs::scf:ap-guangzhou:1250000000:lam-00000000",
		Namespace: "default", FunctionName: "partsweep", FunctionVersion: "$LATEST", MemoryLimitInMb: 128,
		TimeLimitInMs: int32(call.timeout() / time.Millisecond), Environment: string(environment),
		TencentcloudRegion: "ap-guangzhou", TencentcloudAppID: "1250000000", TencentcloudUin: "100000000001",
	}
	if !call.NoDeadline {
		at := time.Now().Add(call.timeout())
		r.Deadline = scfTimestamp{at.Unix(), int64(at.Nanosecond())}
	}
	return r, nil
}

func (e *scfError) report() *FunctionError {
	report := &FunctionError{Message: e.Message, Type: e.Type}
	for _, frame := range e.StackTrace {
		report.StackTrace = append(report.StackTrace, *frame)
	}
	return report
}

// Close implements [Host].
func (h *SCF) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client == nil {
		return nil
	}
	return h.client.Close()
}
