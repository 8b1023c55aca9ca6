package handler

import (
	"context"
	"os"

	"github.com/partsweep/partsweep/shared/store"
)

// variables are where each vendor's platform and tools keep credentials in the environment: access key ID, secret and token
// under names that belong together, the platform's own first.
var variables = map[string][][3]string{
	"s3": {{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}},
	"cos": {{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"},
		{"TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_SECURITY_TOKEN"}},
	"obs": {{"OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN"}},
	"oss": alibaba, "vod": alibaba, "mps": alibaba,
}

var alibaba = [][3]string{{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"}}

// FromEnvironment returns the credentials that the environment holds for a store under the names of its vendor. It looks
// anew at every call, because a platform may renew them there. It is for Platform.Credentials.
func FromEnvironment(_ context.Context, scheme string) (store.Credentials, error) {
	for _, names := range variables[scheme] {
		c := store.Credentials{AccessKeyID: os.Getenv(names[0]), SecretAccessKey: os.Getenv(names[1]), SessionToken: os.Getenv(names[2])}
		if c.AccessKeyID != "" && c.SecretAccessKey != "" {
			return c, nil
		}
	}
	return store.Credentials{}, ErrNoCredentials
}
