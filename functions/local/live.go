package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
)

// livePlatform is this terminal, acting on real clouds. The environment holds the settings, as for a function, with two
// differences that suit a terminal: what is typed is done unless -plan or PARTSWEEP_MODE=plan says otherwise, and a
// bucket that is typed as a request needs no entry in PARTSWEEP_BUCKETS where that is not set at all.
func livePlatform(o options, environ []string, logs io.Writer) handler.Platform {
	environ = slices.Clone(environ)
	switch {
	case o.plan:
		environ = append(environ, handler.Prefix+"MODE=plan")
	case setting(environ, "MODE") == "":
		environ = append(environ, handler.Prefix+"MODE=apply")
	}
	if setting(environ, "BUCKETS") == "" {
		environ = append(environ, handler.Prefix+"BUCKETS="+strings.Join(typedBuckets(o.args), " "))
	}
	return handler.Platform{Name: "local", Environ: environ, Open: all.Open, Credentials: vendorCredentials, Log: logs}
}

func setting(environ []string, name string) (value string) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, handler.Prefix+name+"="); ok {
			value = v
		}
	}
	return value
}

// typedBuckets are the buckets that the requests on the command line name one by one.
func typedBuckets(args []string) (buckets []string) {
	for _, arg := range args {
		if r, err := mpu.Parse(arg); err == nil && r.Bucket.Name != mpu.AnyBucket {
			buckets = append(buckets, r.Bucket.String())
		}
	}
	return buckets
}

// awsConfig is what the AWS command line would use too: environment, profile, single sign-on.
var awsConfig = sync.OnceValues(func() (store.CredentialsFunc, error) {
	cfg, err := config.LoadDefaultConfig(context.Background())
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
	if scheme != "s3" {
		return handler.FromEnvironment(ctx, scheme)
	}
	retrieve, err := awsConfig()
	if err != nil {
		return store.Credentials{}, err
	}
	return retrieve(ctx)
}
