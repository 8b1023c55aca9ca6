// Command http is partsweep as one HTTP function, for platforms that run a server or a container: Huawei FunctionGraph HTTP
// functions (port 8000), Alibaba Function Compute's custom runtime and Tencent SCF web functions (port 9000), Cloud Run and
// Knative (the port in PORT).
//
//	GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bootstrap ./functions/http
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

func main() {
	handler.SetUp()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "partsweep:", err)
		os.Exit(1)
	}
}

func run() error {
	h, err := handler.New(handler.Platform{Name: "http", Environ: os.Environ(), Open: all.Open,
		Credentials: credentials, RequestID: requestID})
	if err != nil {
		return err
	}
	if s := h.Settings(); s.HTTPToken == "" && !s.HTTPTrusted && s.CallbackKey == "" {
		return errors.New("no web request would be believed: set PARTSWEEP_HTTP_TOKEN, or PARTSWEEP_HTTP_AUTH=platform, or PARTSWEEP_VOD_CALLBACK_KEY")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{
		Addr:              address(h.Settings()),
		Handler:           withRequestID(withCallCredentials(h)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// A run ends with the process: it stops where it is, and says what is left.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		return err
	}
	slog.New(slog.NewJSONHandler(os.Stdout, nil)).Info("listening", "address", listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}

// address is where to listen: the setting, or the port that the platform tells, or the one that it is known to want.
func address(s handler.Settings) string {
	if s.HTTPAddr != "" {
		return s.HTTPAddr
	}
	known := "8000"
	if os.Getenv("FC_FUNCTION_NAME") != "" || os.Getenv("TENCENTCLOUD_RUNENV") != "" {
		known = "9000"
	}
	return ":" + cmp.Or(os.Getenv("PORT"), os.Getenv("FC_CUSTOM_LISTEN_PORT"), os.Getenv("FC_SERVER_PORT"), known)
}

type callCredentials struct{}

// withCallCredentials keeps the credentials that Function Compute's custom runtime sends with every call. Elsewhere anyone
// could send such headers; they would then only sign with keys of the sender's own.
func withCallCredentials(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := store.Credentials{
			AccessKeyID:     r.Header.Get("X-Fc-Access-Key-Id"),
			SecretAccessKey: r.Header.Get("X-Fc-Access-Key-Secret"),
			SessionToken:    r.Header.Get("X-Fc-Security-Token"),
		}
		if c.AccessKeyID != "" && os.Getenv("FC_FUNCTION_NAME") != "" {
			r = r.WithContext(context.WithValue(r.Context(), callCredentials{}, c))
		}
		next.ServeHTTP(w, r)
	})
}

func credentials(ctx context.Context, scheme string) (store.Credentials, error) {
	if c, ok := ctx.Value(callCredentials{}).(store.Credentials); ok && (scheme == "oss" || scheme == "vod" || scheme == "mps") {
		return c, nil
	}
	return handler.FromEnvironment(ctx, scheme)
}

type requestIDKey struct{}

// requestIDs are where platforms say which call it is: Function Compute, SCF, FunctionGraph, Cloud Run.
var requestIDs = []string{"X-Fc-Request-Id", "X-Scf-Request-Id", "X-Cff-Request-Id", "X-Cloud-Trace-Context", "X-Request-Id"}

// withRequestID keeps the name that the platform, or whoever asks, has given to a call. It only goes into the log.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range requestIDs {
			if id := r.Header.Get(name); id != "" {
				r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id[:min(len(id), 128)]))
				break
			}
		}
		next.ServeHTTP(w, r)
	})
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
