// Package infra holds what is granted against what is asked for.
package infra

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/test/sandbox"
)

var granted = regexp.MustCompile(`\b(?:name/)?(s3|cos|obs|oss|vod):(?:bucket:|object:)?[A-Z][A-Za-z]+\b`)

// actions returns the actions that a text names for a service, sorted.
func actions(text, scheme string) []string {
	set := map[string]bool{}
	for _, m := range granted.FindAllStringSubmatch(text, -1) {
		if m[1] == scheme {
			set[m[0]] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// TestLeastPrivilege: each policy grants what the drivers ask for, when they are refused, and nothing else.
func TestLeastPrivilege(t *testing.T) {
	for _, tt := range []struct {
		service sandbox.Service
		bucket  mpu.Bucket
		file    string
	}{
		{sandbox.S3, mpu.Bucket{Store: "s3", Region: "eu-west-1", Name: "media"}, "../../serverless.yml"},
		{sandbox.S3, mpu.Bucket{Store: "s3", Region: "eu-west-1", Name: "media"}, "../../infra/terraform/main.tf"},
		{sandbox.COS, mpu.Bucket{Store: "cos", Region: "ap-guangzhou", Name: "media-1250000000"}, "../../infra/tencent/policy.json"},
		{sandbox.OBS, mpu.Bucket{Store: "obs", Region: "cn-north-4", Name: "media"}, "../../infra/huawei/policy.json"},
		{sandbox.OSS, mpu.Bucket{Store: "oss", Region: "cn-shanghai", Name: "media"}, "../../infra/alibaba/policy.json"},
		{sandbox.VOD, mpu.Bucket{Store: "vod", Region: "cn-shanghai", Name: "cn-shanghai"}, "../../infra/alibaba/policy.json"},
	} {
		t.Run(string(tt.service)+" "+path.Base(tt.file), func(t *testing.T) {
			asked := refusals(t, tt.service, tt.bucket)
			text, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := actions(string(text), tt.bucket.Store), actions(asked, tt.bucket.Store); !slices.Equal(got, want) || len(want) < 3 {
				t.Errorf("%s grants %q, and the driver asks for %q", tt.file, got, want)
			}
		})
	}
}

// refusals is what the driver says is missing, of every operation of a sweep.
func refusals(t *testing.T, service sandbox.Service, b mpu.Bucket) (text string) {
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !mpu.ByMediaID(b.Store) {
		s.CreateBucket(service, b.Name, b.Region)
	}
	s.Script(sandbox.Fault{Service: service, Code: "AccessDenied"})
	d, err := all.Open(b.Store, store.Config{Endpoint: s.URL(service), PathStyle: b.Store != "cos" && b.Store != "vod",
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	u := mpu.Upload{Bucket: b, Key: "k", UploadID: "u"}
	if mpu.ByMediaID(b.Store) {
		u.UploadID = u.Key
	}
	_, list := d.ListUploads(t.Context(), b, "", mpu.Marker{})
	_, under := d.ListUploads(t.Context(), b, u.Key, mpu.Marker{}) // on vod another request
	_, parts := d.ListParts(t.Context(), u, 0)
	for _, err := range []error{list, under, parts, d.AbortUpload(t.Context(), u)} {
		e, ok := errors.AsType[*mpu.Error](err)
		if !ok || e.Kind != mpu.Denied {
			t.Fatalf("%v, want a refusal", err)
		}
		text += e.Hint + "\n"
	}
	return text
}
