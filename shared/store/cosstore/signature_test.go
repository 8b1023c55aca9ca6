package cosstore

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	cos "github.com/tencentyun/cos-go-sdk-v5"

	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// The vendor's own code signs the same requests in the same way, to the letter.
func TestSignatureIsTheVendors(t *testing.T) {
	now := time.Unix(1793692800, 0)
	start, end := now.Add(-validBefore), now.Add(validAfter)
	keys := []string{"", "a", "raw/a b+c.mxf", "成片 01.mp4", "a&b=c", "100%", "!'()*~-_.", "A/B", "a\x01b", "ÿ"}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		for _, key := range keys {
			for _, query := range []url.Values{{}, {"uploads": {""}, "prefix": {key}, "key-marker": {key}, "Max-Uploads": {"1000"}},
				{"uploadId": {"1793692800f3b0c4" + key}}, {"x": {"b", "a"}, "X": {"c"}}} {
				for _, token := range []string{"", "a token/+="} {
					make := func() *http.Request {
						req, err := http.NewRequest(method, "https://media-1250000000.cos.ap-guangzhou.myqcloud.com/", nil)
						if err != nil {
							t.Fatal(err)
						}
						req.URL.Path, req.URL.RawQuery = "/"+key, query.Encode()
						req.Header.Set("User-Agent", "x")
						if method == http.MethodPut {
							req.Header.Set("Content-Type", "application/xml")
							req.Header.Set("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
						}
						return req
					}
					ours, theirs := make(), make()
					cos.AddAuthorizationHeader("AKIDEXAMPLE", "SKEXAMPLE", token, theirs,
						&cos.AuthTime{SignStartTime: start, SignEndTime: end, KeyStartTime: start, KeyEndTime: end})
					err := sign(ours, wire.Signing{Now: now, Credentials: store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "SKEXAMPLE", SessionToken: token}})
					name := fmt.Sprintf("%s %q %v %q", method, key, query, token)
					if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); err != nil || got != want {
						t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
					}
					if ours.Header.Get("X-Cos-Security-Token") != token {
						t.Errorf("%s: no token", name)
					}
				}
			}
		}
	}
}
