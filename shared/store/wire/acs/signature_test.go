package acs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/store"
)

func TestSign(t *testing.T) {
	const vodID = "61ccbdb06fa83012be4d8083f6"
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name            string
		host            string
		credentials     store.Credentials
		action, version string
		params          map[string]string
		stamp           stamp
		want            string // the signature
	}{
		{
			"the vendor's example", "ecs.cn-shanghai.aliyuncs.com",
			store.Credentials{AccessKeyID: "YourAccessKeyId", SecretAccessKey: "YourAccessKeySecret"},
			"RunInstances", "2014-05-26",
			map[string]string{"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
			stamp{time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC), "3156853299f313e23d1673dc12e1703d"},
			"06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
		},
		{
			"VOD", "vod.cn-shanghai.aliyuncs.com",
			store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret"},
			"DeleteMultipartUpload", "2017-03-21",
			map[string]string{"MediaId": vodID, "MediaType": "video"},
			stamp{at, "nonce-1"},
			"723897be0e7c386e1e7830f24c25785afe8100347a0a93012657d250cac66862",
		},
		{
			"MPS with a security token and a comma", "mts.cn-shanghai.aliyuncs.com",
			store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret", SessionToken: "tok"},
			"DeleteMedia", "2014-06-18",
			map[string]string{"MediaIds": "a,b"},
			stamp{at.In(time.FixedZone("Beijing", 8*3600)), "nonce-2"},
			"bd14d2d01f52946bede53661210a5b530a4e548c5a0340558a171d43f0e127d2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := &http.Request{Method: http.MethodPost, Host: test.host, Header: http.Header{}}
			sign(req, test.credentials, test.action, test.version, test.params, test.stamp)
			got := req.Header.Get("Authorization")
			if !strings.HasPrefix(got, "ACS3-HMAC-SHA256 Credential="+test.credentials.AccessKeyID+",") {
				t.Errorf("authorization %q", got)
			}
			if _, signature, _ := strings.Cut(got, ",Signature="); signature != test.want {
				t.Errorf("signature %s, want %s", signature, test.want)
			}
			if got := req.Header.Get("x-acs-security-token"); got != test.credentials.SessionToken {
				t.Errorf("security token %q, want %q", got, test.credentials.SessionToken)
			}
		})
	}
}

func TestNewNonce(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		n := newNonce()
		if len(n) < 16 || seen[n] {
			t.Fatalf("nonce %q is short or not new", n)
		}
		seen[n] = true
	}
}
