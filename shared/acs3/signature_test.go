package acs3

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/partsweep/partsweep/shared/store"
)

var (
	at   = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	keys = store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret"}
)

func request(host, path string, query map[string]string) *http.Request {
	u := &url.URL{Scheme: "https", Host: host, Path: path, RawQuery: Query(query)}
	return &http.Request{Method: http.MethodPost, URL: u, Host: host, Header: http.Header{}}
}

func TestSign(t *testing.T) {
	for _, test := range []struct {
		name, host string
		key        store.Credentials
		call       Call
		query      map[string]string
		want       string // the signature
	}{
		{
			"the vendor's example", "ecs.cn-shanghai.aliyuncs.com",
			store.Credentials{AccessKeyID: "YourAccessKeyId", SecretAccessKey: "YourAccessKeySecret"},
			Call{Action: "RunInstances", Version: "2014-05-26",
				At: time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC), Nonce: "3156853299f313e23d1673dc12e1703d"},
			map[string]string{"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
			"06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
		},
		{
			"VOD", "vod.cn-shanghai.aliyuncs.com", keys,
			Call{Action: "DeleteMultipartUpload", Version: "2017-03-21", At: at, Nonce: "nonce-1"},
			map[string]string{"MediaId": "61ccbdb06fa83012be4d8083f6", "MediaType": "video"},
			"723897be0e7c386e1e7830f24c25785afe8100347a0a93012657d250cac66862",
		},
		{
			"MPS with a security token and a comma, at a time of Beijing", "mts.cn-shanghai.aliyuncs.com",
			store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret", SessionToken: "tok"},
			Call{Action: "DeleteMedia", Version: "2014-06-18", At: at.In(time.FixedZone("Beijing", 8*3600)), Nonce: "nonce-2"},
			map[string]string{"MediaIds": "a,b"},
			"bd14d2d01f52946bede53661210a5b530a4e548c5a0340558a171d43f0e127d2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := request(test.host, "/", test.query)
			Sign(req, test.key, test.call)
			got := req.Header.Get("Authorization")
			if !strings.HasPrefix(got, "ACS3-HMAC-SHA256 Credential="+test.key.AccessKeyID+",") {
				t.Errorf("authorization %q", got)
			}
			if _, signature, _ := strings.Cut(got, ",Signature="); signature != test.want {
				t.Errorf("signature %s, want %s", signature, test.want)
			}
			if got := req.Header.Get("x-acs-security-token"); got != test.key.SessionToken {
				t.Errorf("security token %q, want %q", got, test.key.SessionToken)
			}
		})
	}
}

// The vendor's own code signs the same requests in the same way, to the letter, but for names of parameters that need an escape:
// it leaves them as they are, against its document. No operation has such a name.
func TestSignAsTheVendor(t *testing.T) {
	for _, test := range []struct {
		name, path  string
		query       map[string]string
		token       string
		contentType string
		body        string
	}{
		{name: "nothing"},
		{name: "no path", path: "-"},
		{name: "all that is escaped", query: map[string]string{"a": "i d+*~/视%41", "A": "", "a-b": "=&?#", "a.b": "'()!$;:@,[]"}},
		{name: "names with dots", query: map[string]string{"Filter.10.Key": "x", "Filter.1.Key": "y", "Filter.1.Value.1": "z"}},
		{name: "a token", token: "token+with/odd=characters"},
		{name: "a body", path: "/2023-03-30/functions/name-of_it/invocations", contentType: "application/json", body: `{"at":"视"}`},
		{name: "a path with escapes", path: "/2023-03-30/functions/a%2Fb%20c/invocations"},
		{name: "blanks about a value", contentType: " text/plain ", body: " "},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := test.path
			switch path {
			case "":
				path = "/"
			case "-":
				path = ""
			}
			req := request("vod.cn-shanghai.aliyuncs.com", path, test.query)
			if strings.Contains(path, "%") {
				req.URL.RawPath, req.URL.Path = path, must(url.PathUnescape(path))
			}
			if test.contentType != "" {
				req.Header.Set("Content-Type", test.contentType)
			}
			req.Header.Set("X-Fc-Invocation-Type", "Async") // not covered
			key := store.Credentials{AccessKeyID: "testid", SecretAccessKey: "test+secret/=", SessionToken: test.token}
			Sign(req, key, Call{Action: "Act", Version: "2017-03-21", Body: []byte(test.body), At: at, Nonce: "n"})

			headers, query := map[string]*string{"host": dara.String(req.Host)}, map[string]*string{}
			for name := range req.Header {
				if lower := strings.ToLower(name); lower != "authorization" && lower != "x-fc-invocation-type" {
					headers[lower] = dara.String(req.Header.Get(name))
				}
			}
			for name, value := range test.query {
				query[name] = dara.String(value)
			}
			want := utils.GetAuthorization(&dara.Request{Method: dara.String(req.Method), Pathname: dara.String(path), Headers: headers, Query: query},
				dara.String(algorithm), headers["x-acs-content-sha256"], dara.String(key.AccessKeyID), dara.String(key.SecretAccessKey))
			if got := req.Header.Get("Authorization"); got != *want {
				t.Errorf("authorization %s\nwant          %s", got, *want)
			}
			if got, want := *headers["x-acs-content-sha256"], hex.EncodeToString(utils.Hash([]byte(test.body), dara.String(algorithm))); got != want {
				t.Errorf("hash of the body %s, want %s", got, want)
			}
		})
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// What is signed is what is sent, and nothing of an earlier signature stays.
func TestSignCoversWhatIsSent(t *testing.T) {
	sign := func(change func(*http.Request)) http.Header {
		req := request("vod.cn-shanghai.aliyuncs.com", "/", nil)
		change(req)
		Sign(req, keys, Call{Action: "Act", Version: "2017-03-21", At: at, Nonce: "n"})
		return req.Header
	}
	plain := sign(func(*http.Request) {})
	if h := sign(func(r *http.Request) { r.Host = "" }); h.Get("Authorization") != plain.Get("Authorization") {
		t.Error("without a host of its own, a request goes to that of its URL")
	}
	if h := sign(func(r *http.Request) {
		Sign(r, store.Credentials{AccessKeyID: "testid", SecretAccessKey: "testsecret", SessionToken: "old"}, Call{Action: "Another", Version: "v", At: at, Nonce: "n"})
	}); h.Get("Authorization") != plain.Get("Authorization") || h.Get("x-acs-security-token") != "" {
		t.Errorf("something of the first signature is left: %v", h)
	}
	seen := map[string]bool{}
	for name, change := range map[string]func(*http.Request){
		"nothing":              func(*http.Request) {},
		"the host":             func(r *http.Request) { r.Host = "example.com" },
		"the method":           func(r *http.Request) { r.Method = http.MethodGet },
		"the path":             func(r *http.Request) { r.URL.Path = "/a" },
		"the query":            func(r *http.Request) { r.URL.RawQuery = "a=%zz" },
		"a header":             func(r *http.Request) { r.Header.Set("X-Acs-More", "a") },
		"its second value":     func(r *http.Request) { r.Header["X-Acs-More"] = []string{"a", "b"} },
		"one that is lower":    func(r *http.Request) { r.Header["x-acs-less"] = []string{"a"} },
		"the value of another": func(r *http.Request) { r.Header["x-acs-less"] = []string{"b"} },
	} {
		authorization := sign(change).Get("Authorization")
		if _, signature, _ := strings.Cut(authorization, ",Signature="); seen[signature] {
			t.Errorf("%s, or what it stands beside, is not covered", name)
		} else {
			seen[signature] = true
		}
	}
}

func TestNewNonce(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		n := NewNonce()
		if len(n) < 16 || seen[n] {
			t.Fatalf("nonce %q is short or not new", n)
		}
		seen[n] = true
	}
}
