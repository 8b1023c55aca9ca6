package sandbox

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const vodHost, mpsHost = "vod.cn-shanghai.aliyuncs.com", "mts.cn-shanghai.aliyuncs.com"

// An acsSigner signs as a client does, written apart from the code that verifies.
type acsSigner struct {
	keyID, secret, token, nonce string
	at                          time.Time
	sumHeader                   string // states another sum of the body than the one that is signed
}

var acsNonce atomic.Int64

func newACSSigner() acsSigner {
	nonce := fmt.Sprint("nonce-", acsNonce.Add(1))
	return acsSigner{keyID: AccessKeyID, secret: SecretAccessKey, nonce: nonce, at: time.Now().UTC()}
}

func acsEscape(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A").Replace(url.QueryEscape(s))
}

func acsPairs(params url.Values) string {
	var pairs []string
	for name, values := range params {
		for _, value := range values {
			pairs = append(pairs, acsEscape(name)+"="+acsEscape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// v3 makes a request signed with ACS3-HMAC-SHA256.
func (g acsSigner) v3(method, base, host, action, version string, params url.Values, body, contentType string) *http.Request {
	r, err := http.NewRequest(method, base+"/?"+acsPairs(params), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Host = host
	rawSum := sha256.Sum256([]byte(body))
	bodySum := hex.EncodeToString(rawSum[:])
	headers := map[string]string{
		"host": host, "x-acs-action": action, "x-acs-version": version, "x-acs-date": g.at.Format(acsTimeFormat),
		"x-acs-signature-nonce": g.nonce, "x-acs-content-sha256": cmp.Or(g.sumHeader, bodySum),
	}
	if g.token != "" {
		headers["x-acs-security-token"] = g.token
	}
	if contentType != "" {
		headers["content-type"] = contentType
	}
	var names []string
	for name, value := range headers {
		names = append(names, name)
		if name != "host" {
			r.Header.Set(name, value)
		}
	}
	slices.Sort(names)
	canonical := method + "\n/\n" + acsPairs(params) + "\n"
	for _, name := range names {
		canonical += name + ":" + headers[name] + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + bodySum
	sum := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(g.secret))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(sum[:])))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x",
		g.keyID, strings.Join(names, ";"), mac.Sum(nil)))
	return r
}

// v1 makes a request signed with HMAC-SHA1. The parameters go into the query, or into a form if asForm.
func (g acsSigner) v1(method, base, host string, params url.Values, asForm bool) *http.Request {
	all := url.Values{
		"AccessKeyId": {g.keyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {g.nonce}, "Timestamp": {g.at.Format(acsTimeFormat)},
	}
	if g.token != "" {
		all.Set("SecurityToken", g.token)
	}
	for name, values := range params {
		all[name] = values
	}
	mac := hmac.New(sha1.New, []byte(g.secret+"&"))
	mac.Write([]byte(method + "&%2F&" + acsEscape(acsPairs(all))))
	all.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	target, body := base+"/?"+acsPairs(all), ""
	if asForm {
		target, body = base+"/", all.Encode()
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Host = host
	if asForm {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// acsValues makes parameters of name, value, name, value.
func acsValues(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// receivedACS is a client's request as a server gets it.
func receivedACS(r *http.Request) *http.Request {
	body, _ := io.ReadAll(r.Body)
	got := httptest.NewRequest(r.Method, r.URL.RequestURI(), strings.NewReader(string(body)))
	got.Host, got.Header = r.Host, r.Header
	return got
}

func startACS(t *testing.T, opt Options) *Sandbox {
	t.Helper()
	s, err := Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// An acsReply is an answer, read.
type acsReply struct {
	status int
	header http.Header
	body   []byte
	Code   string
}

func sendACS(t *testing.T, r *http.Request) acsReply {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply := acsReply{status: resp.StatusCode, header: resp.Header, body: body}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") {
		err = xml.Unmarshal(body, &reply)
	} else {
		err = json.Unmarshal(body, &reply)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return reply
}

// decodeACS reads a JSON answer, and refuses fields that the type does not have.
func decodeACS[T any](t *testing.T, r acsReply) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(string(r.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

// callVOD calls an operation of VOD in a region, signed with V3.
func callVOD(t *testing.T, s *Sandbox, region, action string, pairs ...string) acsReply {
	t.Helper()
	host := "vod." + region + ".aliyuncs.com"
	return sendACS(t, newACSSigner().v3("POST", s.URL(VOD), host, action, "2017-03-21", acsValues(pairs...), "", ""))
}

func callMPS(t *testing.T, s *Sandbox, region, action string, pairs ...string) acsReply {
	t.Helper()
	host := "mts." + region + ".aliyuncs.com"
	return sendACS(t, newACSSigner().v3("POST", s.URL(MPS), host, action, "2014-06-18", acsValues(pairs...), "", ""))
}

func (r acsReply) want(t *testing.T, status int, code string) {
	t.Helper()
	if r.status != status || r.Code != code {
		t.Errorf("answer %d %q, want %d %q: %s", r.status, r.Code, status, code, r.body)
	}
}

func acsDate(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(acsTimeFormat, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestACSVectorsV3(t *testing.T) {
	for _, v := range []struct {
		name, secret, host, action, version, date, nonce, token string
		params                                                  url.Values
		sum, signature                                          string
	}{
		{
			name: "the vendor's", secret: "YourAccessKeySecret", host: "ecs.cn-shanghai.aliyuncs.com",
			action: "RunInstances", version: "2014-05-26",
			date: "2023-10-26T10:22:32Z", nonce: "3156853299f313e23d1673dc12e1703d",
			params:    acsValues("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId", "cn-shanghai"),
			sum:       "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
			signature: "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
		},
		{
			name: "VOD", secret: "testsecret", host: vodHost, action: "DeleteMultipartUpload", version: "2017-03-21",
			date: "2024-01-02T03:04:05Z", nonce: "nonce-1",
			params:    acsValues("MediaId", "61ccbdb06fa83012be4d8083f6", "MediaType", "video"),
			sum:       "f8c27f417853c835420d897ec121a3de932ac23706c046372df3580ff6a070f5",
			signature: "723897be0e7c386e1e7830f24c25785afe8100347a0a93012657d250cac66862",
		},
		{
			name: "MPS with a token", secret: "testsecret", host: mpsHost, action: "DeleteMedia", version: "2014-06-18",
			date: "2024-01-02T03:04:05Z", nonce: "nonce-2", token: "tok",
			params:    acsValues("MediaIds", "a,b"),
			sum:       "d957c3a035b139a84d6c4fb97174c21962f3e76172aca5946045799453c4923e",
			signature: "bd14d2d01f52946bede53661210a5b530a4e548c5a0340558a171d43f0e127d2",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			at := acsDate(t, v.date)
			signer := acsSigner{keyID: "key", secret: v.secret, token: v.token, nonce: v.nonce, at: at}
			r := receivedACS(signer.v3("POST", "http://x", v.host, v.action, v.version, v.params, "", ""))
			auth, err := parseACSAuthorization(r.Header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			a := newACS("vod", v.version, nil, nil)
			c := a.parse(r)
			if got := acsSum([]byte(canonicalV3(c, auth.signedHeaders))); got != v.sum {
				t.Errorf("canonical request has sum %s, want %s", got, v.sum)
			}
			// The published signature, not the test's own, is what has to pass.
			r.Header.Set("Authorization", acsAlgorithm+" Credential=key, SignedHeaders="+
				strings.Join(auth.signedHeaders, ";")+", Signature="+v.signature)
			verifier := &acsVerifier{account: func() account { return account{"key", v.secret, v.token} }, now: func() time.Time { return at }}
			if err := verifier.verifyV3(a.parse(r)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACSVectorsV1(t *testing.T) {
	for _, v := range []struct {
		name, method, date, signature string
		params                        url.Values
	}{
		{"the vendor's", "GET", "2016-02-23T12:46:24Z", "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", acsValues(
			"AccessKeyId", "testid", "Action", "DescribeRegions", "Format", "XML", "SignatureMethod", "HMAC-SHA1",
			"SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion", "1.0",
			"Timestamp", "2016-02-23T12:46:24Z", "Version", "2014-05-26")},
		{"VOD", "POST", "2024-01-02T03:04:05Z", "5vPopg3fH9mjza6m6Bpl4Q72Asg=", acsValues(
			"AccessKeyId", "testid", "Action", "DeleteMultipartUpload", "Version", "2017-03-21", "Format", "JSON",
			"MediaId", "61ccbdb06fa83012be4d8083f6", "MediaType", "video", "SignatureMethod", "HMAC-SHA1",
			"SignatureVersion", "1.0", "SignatureNonce", "nonce-1", "Timestamp", "2024-01-02T03:04:05Z")},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.params.Set("Signature", v.signature)
			r := httptest.NewRequest(v.method, "/?"+v.params.Encode(), nil)
			at := acsDate(t, v.date)
			verifier := &acsVerifier{account: func() account { return account{id: "testid", secret: "testsecret"} }, now: func() time.Time { return at }}
			if err := verifier.verifyV1(newACS("vod", "2017-03-21", nil, nil).parse(r)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestACSTamperV3 changes each thing that is signed, after it was signed.
func TestACSTamperV3(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	inAuth := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	late := time.Now().UTC().Add(time.Minute).Format(acsTimeFormat)
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		code   string
	}{
		{"nothing", func(*http.Request) {}, ""},
		{"blanks after commas", func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ",", ", "))
		}, ""},
		{"a space as plus", func(r *http.Request) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%20", "+")
		}, ""},
		{"method", func(r *http.Request) { r.Method = "GET" }, "SignatureDoesNotMatch"},
		{"another method", func(r *http.Request) { r.Method = "PUT" }, "UnsupportedHTTPMethod"},
		{"path", func(r *http.Request) { r.URL.Path = "/x" }, "InvalidApi.NotFound"},
		{"parameter", func(r *http.Request) { r.URL.RawQuery += "1" }, "SignatureDoesNotMatch"},
		{"more parameters", func(r *http.Request) { r.URL.RawQuery += "&a=b" }, "SignatureDoesNotMatch"},
		{"malformed parameters", func(r *http.Request) { r.URL.RawQuery += "&%zz" }, "InvalidParameter.Format"},
		{"host", func(r *http.Request) { r.Host = "vod.cn-beijing.aliyuncs.com" }, "SignatureDoesNotMatch"},
		{"action", header("x-acs-action", "GetVideoInfos"), "SignatureDoesNotMatch"},
		{"unknown action", header("x-acs-action", "DeleteEverything"), "InvalidApi.NotFound"},
		{"no action", func(r *http.Request) { r.Header.Del("x-acs-action") }, "MissingAction"},
		{"version", header("x-acs-version", "2017-03-22"), "InvalidVersion"},
		{"no version", func(r *http.Request) { r.Header.Del("x-acs-version") }, "MissingVersion"},
		{"date", header("x-acs-date", late), "SignatureDoesNotMatch"},
		{"date without a zone", header("x-acs-date", "2024-01-02T03:04:05"), "InvalidTimeStamp.Format"},
		{"no date", func(r *http.Request) { r.Header.Del("x-acs-date") }, "MissingTimestamp"},
		{"nonce", header("x-acs-signature-nonce", "another"), "SignatureDoesNotMatch"},
		{"no nonce", func(r *http.Request) { r.Header.Del("x-acs-signature-nonce") }, "MissingSignatureNonce"},
		{"body", body("a=c"), "SignatureDoesNotMatch"},
		{"body and its sum", func(r *http.Request) {
			body("a=c")(r)
			r.Header.Set("x-acs-content-sha256", acsSum([]byte("a=c")))
		}, "SignatureDoesNotMatch"},
		{"sum of the body", header("x-acs-content-sha256", acsSum(nil)), "SignatureDoesNotMatch"},
		{"no sum of the body", func(r *http.Request) { r.Header.Del("x-acs-content-sha256") }, "IncompleteSignature"},
		{"type of the body", header("Content-Type", "text/plain"), "SignatureDoesNotMatch"},
		{"token", header("x-acs-security-token", "another"), "InvalidSecurityToken.Expired"},
		{"no token", func(r *http.Request) { r.Header.Del("x-acs-security-token") }, "SignatureDoesNotMatch"},
		{"a header that is not signed", header("x-acs-more", "1"), "IncompleteSignature"},
		{"key", inAuth(AccessKeyID, "AKIDSTRANGER"), "InvalidAccessKeyId.NotFound"},
		{"signature", inAuth("Signature=", "Signature=0"), "SignatureDoesNotMatch"},
		{"no signature", inAuth(",Signature=", ",Other="), "IncompleteSignature"},
		{"two signatures", inAuth(",Signature=", ",Signature=0,Signature="), "IncompleteSignature"},
		{"host not signed", inAuth("host;", ""), "IncompleteSignature"},
		{"type of the body not signed", inAuth("content-type;", ""), "IncompleteSignature"},
		{"date not signed", inAuth("x-acs-date;", ""), "IncompleteSignature"},
		{"algorithm", inAuth("ACS3-HMAC-SHA256", "ACS3-HMAC-SM3"), "InvalidSignatureMethod"},
		{"no authorization", func(r *http.Request) { r.Header.Del("Authorization") }, "IncompleteSignature"},
		{"another authorization", header("Authorization", "Basic YTpi"), "IncompleteSignature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startACS(t, Options{})
			signer := newACSSigner()
			signer.token = SessionToken
			r := signer.v3("POST", s.URL(VOD), vodHost, "GetVideoList", "2017-03-21",
				acsValues("Extra", "a b*~/é+c", "PageNo", "1"), "a=b", "application/x-www-form-urlencoded")
			test.change(r)
			sendACS(t, r).want(t, wantStatus(s.vod, test.code), test.code)
		})
	}
}

func wantStatus(a interface{ status(string) int }, code string) int {
	if code == "" {
		return http.StatusOK
	}
	return a.status(code)
}

// TestACSTamperV1 changes each parameter after it was signed, in the query and in a form.
func TestACSTamperV1(t *testing.T) {
	late := time.Now().UTC().Add(time.Minute).Format(acsTimeFormat)
	for _, test := range []struct{ name, param, value, code string }{
		{"nothing", "", "", ""},
		{"action", "Action", "GetVideoInfos", "SignatureDoesNotMatch"},
		{"unknown action", "Action", "DeleteEverything", "InvalidApi.NotFound"},
		{"no action", "Action", "", "MissingAction"},
		{"version", "Version", "2014-06-18", "InvalidVersion"},
		{"no version", "Version", "", "MissingVersion"},
		{"format", "Format", "XML", "SignatureDoesNotMatch"},
		{"unknown format", "Format", "CSV", "InvalidParameter.Format"},
		{"parameter", "Extra", "other", "SignatureDoesNotMatch"},
		{"key", "AccessKeyId", "AKIDSTRANGER", "InvalidAccessKeyId.NotFound"},
		{"no key", "AccessKeyId", "", "MissingAccessKeyId"},
		{"method", "SignatureMethod", "HMAC-MD5", "InvalidSignatureMethod"},
		{"no method", "SignatureMethod", "", "MissingSignatureMethod"},
		{"signature version", "SignatureVersion", "2.0", "InvalidSignatureVersion"},
		{"no signature version", "SignatureVersion", "", "MissingSignatureVersion"},
		{"nonce", "SignatureNonce", "another", "SignatureDoesNotMatch"},
		{"no nonce", "SignatureNonce", "", "MissingSignatureNonce"},
		{"date", "Timestamp", late, "SignatureDoesNotMatch"},
		{"date in another form", "Timestamp", "yesterday", "InvalidTimeStamp.Format"},
		{"no date", "Timestamp", "", "MissingTimestamp"},
		{"token", "SecurityToken", "another", "InvalidSecurityToken.Expired"},
		{"no token", "SecurityToken", "", "SignatureDoesNotMatch"},
		{"signature", "Signature", "AAAA", "SignatureDoesNotMatch"},
		{"no signature", "Signature", "", "IncompleteSignature"},
	} {
		for _, asForm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, form %v", test.name, asForm), func(t *testing.T) {
				s := startACS(t, Options{})
				signer := newACSSigner()
				signer.token = SessionToken
				r := signer.v1("POST", s.URL(VOD), vodHost, acsValues("Action", "GetVideoList", "Version", "2017-03-21",
					"Format", "JSON", "SignatureType", "", "Extra", "a b*~/é+c"), asForm)
				changeParam(t, r, asForm, test.param, test.value)
				sendACS(t, r).want(t, wantStatus(s.vod, test.code), test.code)
			})
		}
	}
}

// changeParam sets a parameter of a request, or takes it away if value is empty.
func changeParam(t *testing.T, r *http.Request, inForm bool, name, value string) {
	t.Helper()
	text := r.URL.RawQuery
	if inForm {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	v, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	if v.Set(name, value); value == "" {
		v.Del(name)
	}
	if !inForm {
		r.URL.RawQuery = v.Encode()
		return
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(v.Encode())), int64(len(v.Encode()))
}

func TestACSWhoMayCall(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*acsSigner)
		code   string
	}{
		{"no token", func(*acsSigner) {}, ""},
		{"the token", func(g *acsSigner) { g.token = SessionToken }, ""},
		{"another token, well signed", func(g *acsSigner) { g.token = "old" }, "InvalidSecurityToken.Expired"},
		{"another secret", func(g *acsSigner) { g.secret += "x" }, "SignatureDoesNotMatch"},
		{"another key", func(g *acsSigner) { g.keyID += "x" }, "InvalidAccessKeyId.NotFound"},
		{"14 minutes slow", func(g *acsSigner) { g.at = g.at.Add(-14 * time.Minute) }, ""},
		{"14 minutes fast", func(g *acsSigner) { g.at = g.at.Add(14 * time.Minute) }, ""},
		{"16 minutes slow", func(g *acsSigner) { g.at = g.at.Add(-16 * time.Minute) }, "InvalidTimeStamp.Expired"},
		{"16 minutes fast", func(g *acsSigner) { g.at = g.at.Add(16 * time.Minute) }, "InvalidTimeStamp.Expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startACS(t, Options{Now: func() time.Time { return time.Unix(0, 0) }})
			for _, version := range []string{"V3", "V1"} {
				signer := newACSSigner()
				test.change(&signer)
				r := signer.v3("GET", s.URL(VOD), vodHost, "GetVideoList", "2017-03-21", nil, "", "")
				if version == "V1" {
					r = signer.v1("GET", s.URL(VOD), vodHost, acsValues("Action", "GetVideoList", "Version", "2017-03-21"), false)
				}
				sendACS(t, r).want(t, wantStatus(s.vod, test.code), test.code)
			}
		})
	}
}

// TestACSBodySum signs the right sum of the body and states another.
func TestACSBodySum(t *testing.T) {
	s := startACS(t, Options{})
	signer := newACSSigner()
	signer.sumHeader = acsSum([]byte("another"))
	r := signer.v3("POST", s.URL(VOD), vodHost, "GetVideoList", "2017-03-21", nil, "a=b", "application/x-www-form-urlencoded")
	sendACS(t, r).want(t, 400, "SignatureDoesNotMatch")
}

func TestACSNonces(t *testing.T) {
	s := startACS(t, Options{})
	signer := newACSSigner()
	request := func() *http.Request {
		return signer.v3("POST", s.URL(VOD), vodHost, "GetVideoList", "2017-03-21", nil, "", "")
	}
	bad := request()
	bad.Host = "elsewhere"
	sendACS(t, bad).want(t, 400, "SignatureDoesNotMatch") // spends no nonce
	sendACS(t, request()).want(t, 200, "")
	sendACS(t, request()).want(t, 400, "SignatureNonceUsed")
	v1 := func() *http.Request {
		return signer.v1("POST", s.URL(VOD), vodHost, acsValues("Action", "GetVideoList", "Version", "2017-03-21"), false)
	}
	sendACS(t, v1()).want(t, 400, "SignatureNonceUsed")
	signer.nonce += "-another"
	sendACS(t, v1()).want(t, 200, "")
}

func TestACSNonceMemoryIsBounded(t *testing.T) {
	var m acsNonces
	for i := range 3 * acsNonceGeneration {
		if m.seen(fmt.Sprint(i)) {
			t.Fatalf("nonce %d was never used", i)
		}
		if held := len(m.young) + len(m.old); held > 2*acsNonceGeneration {
			t.Fatalf("%d nonces are held after %d", held, i+1)
		}
	}
	if !m.seen(fmt.Sprint(3*acsNonceGeneration - 1)) {
		t.Error("the latest nonce is forgotten")
	}
	if !m.seen(fmt.Sprint(acsNonceGeneration)) {
		t.Error("a nonce of the older generation is forgotten")
	}
	if m.seen("0") {
		t.Error("the oldest nonce is still held")
	}
}

// TestACSCodes provokes every code of both services.
func TestACSCodes(t *testing.T) {
	s := startACS(t, Options{})
	services := []struct {
		service Service
		api     interface {
			codes() []string
			status(string) int
		}
		send func(string) *http.Request
	}{
		{VOD, s.vod, func(format string) *http.Request { return someCall(s, VOD, vodHost, "2017-03-21", format) }},
		{MPS, s.mps, func(format string) *http.Request { return someCall(s, MPS, mpsHost, "2014-06-18", format) }},
	}
	for _, service := range services {
		for _, code := range service.api.codes() {
			t.Run(string(service.service)+" "+code, func(t *testing.T) {
				remove := s.Script(Fault{Service: service.service, Code: code})
				defer remove()
				for _, format := range []string{"V3", "JSON", "XML"} {
					reply := sendACS(t, service.send(format))
					reply.want(t, service.api.status(code), code)
					wantEnvelope(t, reply, string(service.service), format == "XML")
				}
			})
		}
	}
	if n := len(s.Ledger()); n != 3*(len(s.vod.codes())+len(s.mps.codes())) {
		t.Errorf("%d entries in the ledger", n)
	}
	for _, e := range s.Ledger() {
		if e.Code == "" || !e.Fault {
			t.Errorf("the ledger holds %+v", e)
		}
	}
}

func someCall(s *Sandbox, service Service, host, version, format string) *http.Request {
	if format == "V3" {
		return newACSSigner().v3("POST", s.URL(service), host, "Any", version, nil, "", "")
	}
	return newACSSigner().v1("POST", s.URL(service), host, acsValues("Action", "Any", "Version", version, "Format", format), false)
}

func wantEnvelope(t *testing.T, r acsReply, service string, asXML bool) {
	t.Helper()
	var e struct {
		XMLName                                     xml.Name `json:"-"`
		RequestId, HostId, Code, Message, Recommend string
	}
	err := json.Unmarshal(r.body, &e)
	if asXML {
		err = xml.Unmarshal(r.body, &e)
	}
	if err != nil || e.Message == "" || !strings.Contains(e.Recommend, e.Code) || !strings.HasSuffix(e.HostId, ".cn-shanghai.aliyuncs.com") ||
		!strings.HasPrefix(e.RequestId, "SANDBOX-"+service) || asXML != (e.XMLName.Local == "Error") {
		t.Errorf("envelope %+v, %v, of %s", e, err, r.body)
	}
	throttled := strings.HasPrefix(e.Code, "Throttling")
	for _, name := range []string{"x-ratelimit-user-api", "x-ratelimit-user"} {
		if strings.Contains(r.header.Get(name), "TimeLeft:") != throttled {
			t.Errorf("%s is %q with %s", name, r.header.Get(name), e.Code)
		}
	}
}

// TestACSStatuses holds the tables against the documented statuses, which a slip in the table would change on both sides
// of the other tests.
func TestACSStatuses(t *testing.T) {
	s := startACS(t, Options{})
	common := map[int][]string{
		400: {
			"InvalidParameter", "Throttling", "Throttling.User", "Throttling.Api", "InvalidTimeStamp.Expired",
			"InvalidTimeStamp.Format", "SignatureNonceUsed", "SignatureDoesNotMatch", "InvalidAccessKeyId.Inactive",
			"InvalidSignatureMethod", "IncompleteSignature", "InvalidParameter.Format", "UnsupportedHTTPMethod",
			"InvalidSecurityToken.Expired", "InvalidSecurityToken.Malformed",
		},
		403: {"Forbidden.RAM", "NoPermission"},
		404: {"InvalidAccessKeyId.NotFound", "InvalidApi.NotFound", "InvalidProduct.NotFound", "InvalidProtocol.NeedSsl"},
		500: {"InternalError"},
		503: {"ServiceUnavailable"},
	}
	vod := map[int][]string{
		400: {
			"InvalidMultipartUpload.NotFound", "InvalidVideo.NotFound", "InvalidFile.NotFound", "InvalidStorage.NotFound",
			"AccessDenied", "MissingParameter",
		},
		403: {"OperationDenied", "OperationDenied.Suspended", "Forbidden"},
		503: {"ServiceUnAvailable"},
	}
	mps := map[int][]string{
		400: {
			"InvalidParameter.NullValue", "InvalidParameter.InvalidState", "InvalidParameter.EmptyValue",
			"InvalidParameter.NotSupported", "InvalidParameter.OutOfRange", "InvalidParameter.ResourceNotFound",
			"InvalidParameter.ResourceContentBad", "InvalidParameter.ResourceNotSupported",
		},
		403: {"PermissionDenied.ResourceAccess", "InvalidIdentity.ServiceDisabled"},
	}
	check := func(a *acsService, table map[int][]string) {
		for status, codes := range table {
			for _, code := range codes {
				if got := a.status(code); got != status {
					t.Errorf("%s %s has status %d, want %d", a.product, code, got, status)
				}
			}
		}
	}
	check(s.vod.acsService, common)
	check(s.mps.acsService, common)
	check(s.vod.acsService, vod)
	check(s.mps.acsService, mps)
}

func TestACSUnknownCodePanics(t *testing.T) {
	s := startACS(t, Options{})
	defer func() {
		if recover() == nil {
			t.Error("a code of the other service was accepted")
		}
	}()
	s.mps.fail(httptest.NewRecorder(), Target{}, "InvalidVideo.NotFound", "id")
}

// TestACSFormats reads answers in the format that a V1 call asks for.
func TestACSFormats(t *testing.T) {
	s := startACS(t, Options{})
	s.AddVideo(DefaultRegion, Video{ID: "v1", Title: "a <b> & c"})
	call := func(pairs ...string) acsReply {
		return sendACS(t, newACSSigner().v1("GET", s.URL(VOD), vodHost, acsValues(append(pairs, "Version", "2017-03-21")...), false))
	}
	var list struct {
		XMLName   xml.Name
		RequestId string
		Total     int
		Videos    []vodVideo `xml:"VideoList>Video"`
	}
	reply := call("Action", "GetVideoList")
	if err := xml.Unmarshal(reply.body, &list); err != nil || list.XMLName.Local != "GetVideoListResponse" ||
		list.RequestId == "" || list.Total != 1 || len(list.Videos) != 1 || list.Videos[0].Title != "a <b> & c" {
		t.Errorf("%+v, %v, of %s", list, err, reply.body)
	}
	if got := decodeACS[vodList](t, call("Action", "GetVideoList", "Format", "json")); got.Total != 1 || got.RequestId == "" {
		t.Errorf("%+v", got)
	}
	missing := call("Action", "DeleteMultipartUpload", "MediaId", "none", "MediaType", "video")
	missing.want(t, 400, "InvalidVideo.NotFound")
	if !strings.HasPrefix(string(missing.body), "<?xml") {
		t.Errorf("an error in %s", missing.body)
	}
}

// TestACSTargets sees what the ledger makes of requests, signed or not.
func TestACSTargets(t *testing.T) {
	s := startACS(t, Options{})
	v3 := func(service Service, host, action, version string, pairs ...string) *http.Request {
		return newACSSigner().v3("POST", s.URL(service), host, action, version, acsValues(pairs...), "", "")
	}
	form := newACSSigner().v1("POST", s.URL(VOD), "vod.cn-beijing.aliyuncs.com:80", acsValues("Action", "DeleteMultipartUpload",
		"Version", "2017-03-21", "MediaId", "a/b c", "MediaType", "video"), true)
	for _, test := range []struct {
		name    string
		request *http.Request
		want    Target
	}{
		{"abort", v3(VOD, "vod.eu-central-1.aliyuncs.com", "DeleteMultipartUpload", "2017-03-21", "MediaId", "x"), Target{VOD, OpAbort, "eu-central-1", "x", ""}},
		{"form", form, Target{VOD, OpAbort, "cn-beijing", "a/b c", ""}},
		{"list", v3(VOD, "127.0.0.1:80", "GetVideoList", "2017-03-21"), Target{VOD, OpListUploads, DefaultRegion, "", ""}},
		{"parts", v3(VOD, "vod.aliyuncs.com", "GetUploadDetails", "2017-03-21", "MediaIds", "a,b"), Target{VOD, OpListParts, DefaultRegion, "a,b", ""}},
		{"info", v3(VOD, "[::1]:80", "GetVideoInfos", "2017-03-21", "VideoIds", "a"), Target{VOD, OpVideoInfo, DefaultRegion, "a", ""}},
		{"create", v3(VOD, "VOD.CN-BEIJING.ALIYUNCS.COM", "CreateUploadVideo", "2017-03-21"), Target{VOD, OpCreate, "cn-beijing", "", ""}},
		{"job", v3(VOD, vodHost, "GetURLUploadInfos", "2017-03-21", "JobIds", "j"), Target{VOD, OpOther, DefaultRegion, "j", ""}},
		{"another service's host", v3(VOD, "mts.cn-beijing.aliyuncs.com", "Any", "2017-03-21"), Target{VOD, OpOther, DefaultRegion, "", ""}},
		{"media", v3(MPS, "mts.eu-west-1.aliyuncs.com", "DeleteMedia", "2014-06-18", "MediaIds", "a,b"), Target{MPS, OpAbort, "eu-west-1", "a,b", ""}},
		{"media list", v3(MPS, mpsHost, "QueryMediaList", "2014-06-18", "MediaIds", "a"), Target{MPS, OpMediaList, DefaultRegion, "a", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.ForgetLedger()
			reply := sendACS(t, test.request)
			entry := s.Ledger()[0]
			if entry.Target != test.want || entry.Status != reply.status || entry.Code != reply.Code {
				t.Errorf("the ledger holds %+v for %s, want %+v", entry, reply.body, test.want)
			}
		})
	}
}

func TestACSLimiter(t *testing.T) {
	var l acsLimiter
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for range 2 {
		if l.admit("a", 1, at(0)) != 0 {
			t.Fatal("limits are on from the start")
		}
	}
	l.enforce(true)
	for _, step := range []struct {
		ms   int
		want time.Duration
	}{
		{0, 0}, {400, 0}, {500, 500 * time.Millisecond}, {999, time.Millisecond}, {1000, 0},
		{1399, time.Millisecond}, {1400, 0}, {1500, 500 * time.Millisecond}, {9000, 0},
	} {
		if got := l.admit("a", 2, at(step.ms)); got != step.want {
			t.Errorf("at %d ms: wait %v, want %v", step.ms, got, step.want)
		}
	}
	if l.admit("b", 1, at(9000)) != 0 {
		t.Error("actions share a limit")
	}
}

// TestACSLimits fills the window ahead of time, so that no clock decides the outcome.
func TestACSLimits(t *testing.T) {
	s := startACS(t, Options{})
	s.AddVideo(DefaultRegion, Video{ID: "v", PartBytes: 1})
	s.AddMedia(DefaultRegion, "m")
	abort := func() acsReply {
		return callVOD(t, s, DefaultRegion, "DeleteMultipartUpload", "MediaId", "v", "MediaType", "video")
	}
	deletes := func() acsReply { return callMPS(t, s, DefaultRegion, "DeleteMedia", "MediaIds", "m") }
	s.EnforceLimits(true)
	soon := time.Now().Add(time.Hour)
	for range 10 {
		s.vod.limiter.admit("DeleteMultipartUpload", 10, soon)
	}
	for range 100 {
		s.mps.limiter.admit("DeleteMedia", 100, soon)
	}
	for _, call := range []func() acsReply{abort, deletes} {
		reply := call()
		reply.want(t, 400, "Throttling.User")
		if !strings.Contains(string(reply.body), "Request was denied due to user flow control.") ||
			!strings.Contains(reply.header.Get("x-ratelimit-user"), "TimeLeft:") {
			t.Errorf("throttled with %v %s", reply.header, reply.body)
		}
	}
	callVOD(t, s, DefaultRegion, "GetVideoList").want(t, 200, "")
	s.EnforceLimits(false)
	abort().want(t, 200, "")
	deletes().want(t, 200, "")
}

func TestACSMangle(t *testing.T) {
	s := startACS(t, Options{})
	s.AddMedia(DefaultRegion, "m")
	s.Script(Fault{Service: MPS, Mangle: func(status int, b []byte) []byte {
		return fmt.Appendf(nil, `{"Code":"%d %v"}`, status, json.Valid(b))
	}})
	callMPS(t, s, DefaultRegion, "DeleteMedia", "MediaIds", "m").want(t, 200, "200 true")
	if left := s.Media(DefaultRegion); len(left) != 0 {
		t.Errorf("%v left: the operation did not run", left)
	}
}

func TestACSLongBody(t *testing.T) {
	s := startACS(t, Options{})
	body := "a=" + strings.Repeat("x", acsMaxBody)
	r := newACSSigner().v3("POST", s.URL(VOD), vodHost, "GetVideoList", "2017-03-21", nil, body, "application/x-www-form-urlencoded")
	sendACS(t, r).want(t, 400, "SignatureDoesNotMatch")
}
