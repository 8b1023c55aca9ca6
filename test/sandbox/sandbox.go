// Package sandbox is the six services in memory, on loopback: AWS S3, Tencent COS, Huawei OBS, Alibaba OSS, Alibaba VOD
// and Alibaba MPS, as far as multipart uploads go.
//
// It exists so that partsweep can be run whole with no account, and so that its drivers are judged by code that does not
// share their mistakes. It therefore imports nothing of the project: signatures are verified here by code written from the
// vendors' documents, and errors are rendered from tables of its own.
//
// One listener a service. Every request passes the same steps: the service names the operation and its target, a
// scripted [Fault] may take over, the signature is verified, the operation runs, and the exchange is kept in the ledger.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Service is one of the six APIs. Its value is the scheme of partsweep's notation.
type Service string

// The six services.
const (
	S3  Service = "s3"
	COS Service = "cos"
	OBS Service = "obs"
	OSS Service = "oss"
	VOD Service = "vod"
	MPS Service = "mps"
)

// Services lists all six, in the order in which they are shown.
var Services = []Service{S3, COS, OBS, OSS, VOD, MPS}

// The one account that the sandbox knows, until [Sandbox.SetCredentials] changes it. A request signed with anything else
// is refused as the service documents it. A request may carry SessionToken, or no token at all; any other token is
// refused.
const (
	AccessKeyID     = "AKIDSANDBOX0000000001"
	SecretAccessKey = "sandbox/secret+key/0000000000000000000001"
	SessionToken    = "sandbox-session-token"
	AccountID       = "111122223333" // on S3: whose the buckets are, for x-amz-expected-bucket-owner
)

// Options say how a sandbox differs from the usual one. The zero value is the usual one.
type Options struct {
	// Now is the storage clock: what Initiated, LastModified and CreationTime are taken from. Default time.Now.
	// Signatures are always checked against the real clock.
	Now func() time.Time
	// MaxPage is the largest page a listing returns, whatever the request asks for. Default 1000 (100 for VOD).
	MaxPage int
	// BeijingDates makes COS write dates the way its older documents show: no zone, and eight hours ahead of UTC.
	BeijingDates bool
	// Quirks make the object stores behave as others do that speak the same language.
	Quirks Quirks
	// Observe, where it is set, is told all that happens to uploads in the object stores, in order for each bucket. It must
	// be safe for use by many goroutines and must not call the sandbox.
	Observe func(Happening)
}

// A Sandbox is six running services. Make one with Start.
type Sandbox struct {
	opt         Options
	who         atomic.Pointer[account]
	ledger      ledger
	faults      faults
	listeners   map[Service]net.Listener
	connections map[Service]*atomic.Int64
	servers     []*http.Server
	objects     map[Service]*objectStore // S3, COS, OBS, OSS
	vod         *vodService
	mps         *mpsService
	requestID   struct {
		sync.Mutex
		n int
	}
}

// api is what one service must supply.
type api interface {
	// target names the operation and what it acts on, without verifying anything. It must leave the body as it was.
	target(r *http.Request) Target
	// serve verifies the signature and answers.
	serve(w http.ResponseWriter, r *http.Request, t Target, requestID string)
	// fail answers with the service's own error envelope. An unknown code is a mistake of the caller's and panics.
	fail(w http.ResponseWriter, t Target, code, requestID string)
}

// Start starts the six services on free loopback ports. Close ends them.
func Start(opt Options) (*Sandbox, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Sandbox{opt: opt, listeners: map[Service]net.Listener{}, connections: map[Service]*atomic.Int64{},
		objects: map[Service]*objectStore{}}
	s.SetCredentials(AccessKeyID, SecretAccessKey, SessionToken)
	s.vod = newVOD(s)
	s.mps = newMPS(s)
	apis := map[Service]api{VOD: s.vod, MPS: s.mps}
	for _, service := range []Service{S3, COS, OBS, OSS} {
		s.objects[service] = newObjectStore(s, service)
		apis[service] = s.objects[service]
	}
	for _, service := range Services {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.listeners[service], s.connections[service] = l, new(atomic.Int64)
		srv := &http.Server{Handler: s.handler(service, apis[service]), ReadHeaderTimeout: 10 * time.Second,
			ConnState: count(s.connections[service])}
		s.servers = append(s.servers, srv)
		go srv.Serve(l)
	}
	return s, nil
}

// Close ends the services and every open connection.
func (s *Sandbox) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	return errors.Join(errs...)
}

// URL is the base URL of a service, with no trailing slash.
func (s *Sandbox) URL(service Service) string {
	return "http://" + s.listeners[service].Addr().String()
}

// handler runs the steps that every service shares.
func (s *Sandbox) handler(service Service, a api) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := a.target(r)
		t.Service = service
		id := s.nextRequestID(service)
		rec := &recorder{ResponseWriter: w, request: r}
		entry := Entry{Target: t, Method: r.Method, Host: r.Host, URI: r.RequestURI, RequestID: id, Start: time.Now()}
		rec.answered = func() {
			entry.Status, entry.Code, entry.End = rec.status, rec.code, time.Now()
			s.ledger.add(entry)
		}
		defer func() {
			if rec.status == 0 && !rec.hijacked { // cut
				rec.answered()
			}
		}()
		if f := s.faults.take(t); f != nil {
			entry.Fault = true
			if !f.apply(r.Context(), rec, func(code string) { a.fail(rec, t, code, id) }) {
				rec.finish()
				return
			}
			rec.mangle = f.Mangle
			if f.CutAfter {
				rec.mangle = func(int, []byte) []byte { panic(http.ErrAbortHandler) }
			}
			r = r.WithContext(context.WithValue(r.Context(), faultKey{}, f))
		}
		a.serve(rec, r, t, id)
		rec.finish()
	})
}

func (s *Sandbox) nextRequestID(service Service) string {
	s.requestID.Lock()
	defer s.requestID.Unlock()
	s.requestID.n++
	return fmt.Sprintf("SANDBOX-%s-%08d", service, s.requestID.n)
}
