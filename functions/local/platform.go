package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/relay"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

// The modes of a command: one that acts, and one that only looks.
const (
	toApply = "apply"
	toPlan  = "plan"
)

// platform is this terminal. The environment holds the settings, as for a function, with two differences that suit a terminal:
// the command says whether it acts, unless PARTSWEEP_MODE says that nothing may, and what is typed needs no entry in
// PARTSWEEP_BUCKETS where that is not set at all.
func (c *console) platform(mode string, typed []mpu.Request) handler.Platform {
	environ := slices.Clone(c.environ)
	if setting(environ, "MODE") == "" {
		environ = append(environ, handler.Prefix+"MODE="+mode)
	}
	if setting(environ, "BUCKETS") == "" {
		var buckets []string
		for _, r := range typed {
			if mode == toPlan || r.Bucket.Name != mpu.AnyBucket { // to act on every bucket of an account takes a setting
				buckets = append(buckets, r.Bucket.String())
			}
		}
		environ = append(environ, handler.Prefix+"BUCKETS="+strings.Join(buckets, " "))
		if slices.ContainsFunc(typed, func(r mpu.Request) bool { return r.Bucket.Store == "mps" }) && setting(environ, "MPS_DELETE_MEDIA") == "" {
			environ = append(environ, handler.Prefix+"MPS_DELETE_MEDIA=allow")
		}
	}
	return handler.Platform{Name: "local", Environ: environ, Open: all.Open, Credentials: vendorCredentials, Log: c.log(), Stop: c.stop,
		PlanOnly: mode == toPlan, OpenQueue: c.openQueue}
}

// openQueue is this process itself: what one run leaves, the next one takes up.
func (c *console) openQueue(word string) (relay.Queue, error) {
	if word != relay.Self {
		return nil, fmt.Errorf("at a terminal, write %s", relay.Self)
	}
	return &c.queue, nil
}

func (c *console) log() io.Writer {
	if c.verbose {
		return c.err
	}
	return io.Discard
}

func setting(environ []string, name string) (value string) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, handler.Prefix+name+"="); ok {
			value = v
		}
	}
	return value
}

// awsConfig is what the AWS command line would use too: environment, profile, single sign-on.
var awsConfig = sync.OnceValues(func() (store.CredentialsFunc, error) {
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithLogger(logging.Nop{})) // what matters is in the error
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (store.Credentials, error) {
		c, err := cfg.Credentials.Retrieve(ctx)
		return store.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
	}, nil
})

// vendorCredentials are taken from where each vendor's own tools take them.
func vendorCredentials(ctx context.Context, scheme string) (store.Credentials, error) {
	c, err := handler.FromEnvironment(ctx, scheme)
	if scheme == "s3" {
		var retrieve store.CredentialsFunc
		if retrieve, err = awsConfig(); err == nil {
			c, err = retrieve(ctx)
		}
	}
	if err != nil {
		return store.Credentials{}, &mpu.Error{Kind: mpu.Denied, Op: "find credentials for " + scheme, Err: err, Hint: fmt.Sprintf(
			"log in with the vendor's own tool, or set %[1]s%[2]s_ACCESS_KEY_ID and %[1]s%[2]s_SECRET_ACCESS_KEY; without an account, try partsweep sandbox",
			handler.Prefix, strings.ToUpper(scheme))}
	}
	return c, nil
}
