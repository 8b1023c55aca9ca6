package handler

import (
	"cmp"
	"context"
	"os"

	"github.com/partsweep/partsweep/shared/store"
)

// variables are where each vendor's platform and tools keep credentials in the environment: access key ID, secret, token,
// each under one of several names.
var variables = map[string][3][]string{
	"s3":  {{"AWS_ACCESS_KEY_ID"}, {"AWS_SECRET_ACCESS_KEY"}, {"AWS_SESSION_TOKEN"}},
	"cos": {{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID"}, {"TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SECRET_KEY"}, {"TENCENTCLOUD_SESSIONTOKEN", "TENCENTCLOUD_SECURITY_TOKEN"}},
	"obs": {{"OBS_ACCESS_KEY_ID"}, {"OBS_SECRET_ACCESS_KEY"}, {"OBS_SECURITY_TOKEN"}},
	"oss": alibaba, "vod": alibaba, "mps": alibaba,
}

var alibaba = [3][]string{{"ALIBABA_CLOUD_ACCESS_KEY_ID"}, {"ALIBABA_CLOUD_ACCESS_KEY_SECRET"}, {"ALIBABA_CLOUD_SECURITY_TOKEN"}}

// FromEnvironment returns the credentials that the environment holds for a store under the names of its vendor. It looks
// anew at every call, because a platform may renew them there. It is for Platform.Credentials.
func FromEnvironment(_ context.Context, scheme string) (store.Credentials, error) {
	var values [3]string
	for i, names := range variables[scheme] {
		for _, name := range names {
			values[i] = cmp.Or(values[i], os.Getenv(name))
		}
	}
	c := store.Credentials{AccessKeyID: values[0], SecretAccessKey: values[1], SessionToken: values[2]}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return store.Credentials{}, ErrNoCredentials
	}
	return c, nil
}
