package store

import (
	"context"
	"net/http"
	"time"
)

// Credentials sign requests to one cloud. SessionToken is empty for long-lived keys.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// String hides the secrets, so that a Credentials that reaches a log gives nothing away.
func (c Credentials) String() string { return "credentials of " + c.AccessKeyID }

// GoString hides them from %#v as well.
func (c Credentials) GoString() string { return c.String() }

// MarshalText hides them from JSON, and so from logs.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// A CredentialsFunc returns the credentials that are valid now. It is asked for every request, because platforms renew
// them between two calls of a warm function.
type CredentialsFunc func(ctx context.Context) (Credentials, error)

// A Config is what a driver is opened with. The zero value of each field but Credentials is a sensible default.
type Config struct {
	// Region is the region ID of a bucket that does not name its own.
	Region string
	// Endpoint replaces the vendor's public endpoint: scheme://host[:port]. It may hold {bucket} and {region}, as in
	// https://{bucket}.s3.example.com. Without {bucket}, PathStyle decides how the bucket is named. Where a vendor refuses
	// path style (COS), an Endpoint without {bucket} only says where to connect, and the Host header stays the vendor's.
	Endpoint string
	// PathStyle puts the bucket into the path: https://host/bucket/key.
	PathStyle bool
	// Signature chooses among the signatures that a service accepts; only obs has a choice: v4 (default) or v2.
	Signature string
	// Lookback is how far back a listing of records goes, where records stay for good (vod). Default: no limit.
	Lookback time.Duration
	// Credentials are asked for every request.
	Credentials CredentialsFunc
	// Client sends the requests. Default: one client for the process, that follows no redirect and bounds every request.
	Client *http.Client
	// Now is the clock of signatures. Default time.Now.
	Now func() time.Time
}
