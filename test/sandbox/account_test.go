package sandbox

import (
	"io"
	"net/http"
	"testing"
)

// The two RPC services follow a change of the credentials too. Those of the object stores are TestVendorsClientsRotated's.
func TestSetCredentialsACS(t *testing.T) {
	s := startACS(t, Options{})
	s.SetCredentials("STS.rotated", "rotated secret", "rotated token")
	call := func(service Service, keyID, secret, token string) string {
		signer := newACSSigner()
		signer.keyID, signer.secret, signer.token = keyID, secret, token
		host, action, version := "vod.cn-shanghai.aliyuncs.com", "GetVideoList", "2017-03-21"
		if service == MPS {
			host, action, version = "mts.cn-shanghai.aliyuncs.com", "QueryMediaList", "2014-06-18"
		}
		return sendACS(t, signer.v3("POST", s.URL(service), host, action, version, acsValues("MediaIds", "m1"), "", "")).Code
	}
	for _, service := range []Service{VOD, MPS} {
		for _, test := range []struct{ what, keyID, secret, token, code string }{
			{"the old", AccessKeyID, SecretAccessKey, SessionToken, "InvalidAccessKeyId.NotFound"},
			{"the old secret", "STS.rotated", SecretAccessKey, "rotated token", "SignatureDoesNotMatch"},
			{"the old token", "STS.rotated", "rotated secret", SessionToken, "InvalidSecurityToken.Expired"},
			{"the new", "STS.rotated", "rotated secret", "rotated token", ""},
		} {
			if got := call(service, test.keyID, test.secret, test.token); got != test.code {
				t.Errorf("%s with %s: code %q, want %q", service, test.what, got, test.code)
			}
		}
	}
}

func TestConnections(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(c *http.Transport) {
		resp, err := (&http.Client{Transport: c}).Get(s.URL(S3))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	kept := &http.Transport{}
	defer kept.CloseIdleConnections()
	get(kept)
	get(kept)
	get(&http.Transport{DisableKeepAlives: true})
	if s3, cos := s.Connections(S3), s.Connections(COS); s3 != 2 || cos != 0 {
		t.Errorf("%d connections to s3 and %d to cos, want 2 and 0", s3, cos)
	}
}
