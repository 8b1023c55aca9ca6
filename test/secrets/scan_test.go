package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
)

func TestScan(t *testing.T) {
	quoted, _ := json.Marshal(map[string]string{"secret": sandbox.SecretAccessKey})
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"plain", "error: " + sandbox.SecretAccessKey + " is wrong", true},
		{"session token", `{"token":"` + sandbox.SessionToken + `"}`, true},
		{"JSON", string(quoted), true},
		{"query", "?k=" + url.QueryEscape(sandbox.SecretAccessKey), true},
		{"hex", hex.EncodeToString([]byte("x" + sandbox.SecretAccessKey)), true},
		{"Base64, alone", base64.StdEncoding.EncodeToString([]byte(sandbox.SecretAccessKey)), true},
		{"Base64, after one byte", base64.StdEncoding.EncodeToString([]byte("x" + sandbox.SecretAccessKey + "yz")), true},
		{"Base64, after two bytes", base64.StdEncoding.EncodeToString([]byte("xx" + sandbox.SecretAccessKey + "y")), true},
		{"V4", "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-west-1/s3/aws4_request", true},
		{"V4's end", "Signature=" + hex.EncodeToString(make([]byte, 32)), true},
		{"presigned", "https://h/k?X-Amz-Signature=0123456789abcdef", true},
		{"header of a dump", "Authorization: OSS LTAI0123456789:abcdefghijklmnopqrstuvwxyz0=", true},
		{"header in Go", `map[Authorization:[AWS4-HMAC-SHA256 Credential=x]]`, true},
		{"token in a header", `X-Amz-Security-Token: FwoGZXIvYXdzEJr`, true},
		{"COS", "q-signature=" + hex.EncodeToString(make([]byte, 20)), true},
		{"OBS", "OBS AKID12345678:aGVsbG8gaGVsbG8gaGVsbG8=", true},
		{"ACS3", "ACS3-HMAC-SHA256 Credential=AKID,SignedHeaders=host", true},
		{"RPC", "https://vod/?Action=x&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D", true},
		{"bearer", "Bearer a-token-of-sixteen", true},
		{"what was signed", "<StringToSign>AWS4-HMAC", true},
		{"an upload ID", "ztFYCPGR9fa4K_7msCP_WJXR84ooFZhbdhKZNuUxB6BjFdbWSvW-UxGs5clYtMYrbePhiwAc1r07nGhtx", false},
		{"an ETag", `"d41d8cd98f00b204e9800998ecf8427e-2"`, false},
		{"a request ID", "request TX234S0F24A06C7, SANDBOX-s3-00000001", false},
		{"words about signatures", "SignatureDoesNotMatch: check the secret; bring Authorization: Bearer …; the signature is v4", false},
		{"a hidden secret", "X-Amz-Security-Token: ***", false},
		{"an access key ID", "credentials of " + sandbox.AccessKeyID, false},
	} {
		if got := scan([]byte(tt.text)); (len(got) > 0) != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
