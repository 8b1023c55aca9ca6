package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// raw is a request spelt out, for what no vendor's client would send.
type raw struct {
	method, host, target string // target: path, still escaped, and query
	body                 string
	header               string // lines of "name: value"
	region               string // to sign for, on S3; us-east-1 if empty
	scheme               string // to sign with, on OBS; OBS if empty
	unsigned             bool
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// element returns the text of the first element of a name, empty for none. Good enough for what the sandbox writes.
func (a answer) element(name string) string {
	_, rest, _ := strings.Cut(a.body, "<"+name+">")
	value, _, found := strings.Cut(rest, "</"+name+">")
	if !found {
		return ""
	}
	return value
}

// do signs and sends.
func (q raw) do(t *testing.T, s *Sandbox, service Service) answer {
	t.Helper()
	path, query, _ := strings.Cut(q.target, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(q.method, s.URL(service), strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = plain, path, query
	if r.Host = r.URL.Host; q.host != "" {
		r.Host = q.host
	}
	for line := range strings.Lines(q.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Add(name, value)
	}
	if !q.unsigned {
		q.sign(s, service, r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(b), resp.Header}
}

// sign signs with the texts that the verifiers build: signature_test proves those against other people's.
func (q raw) sign(s *Sandbox, service Service, r *http.Request) {
	r.RequestURI = q.target
	c := s.objects[service].read(r)
	r.RequestURI = "" // a client's request must not have one
	now, h := time.Now(), r.Header
	date := now.UTC().Format(http.TimeFormat)
	switch service {
	case S3:
		region := q.region
		if region == "" {
			region = "us-east-1"
		}
		signV4(c, account{id: AccessKeyID, secret: SecretAccessKey}, now, region, "UNSIGNED-PAYLOAD", false)
	case COS:
		window := fmt.Sprintf("%d;%d", now.Unix()-10, now.Unix()+600)
		path, _ := url.PathUnescape(c.path)
		signature, _ := cosSignature(SecretAccessKey, window, window,
			strings.ToLower(q.method)+"\n"+path+"\n\n"+c.cosHeaders([]string{"host"})+"\n")
		h.Set("Authorization", "q-sign-algorithm=sha1&q-ak="+AccessKeyID+"&q-sign-time="+window+"&q-key-time="+window+
			"&q-header-list=host&q-url-param-list=&q-signature="+signature)
	case OBS:
		scheme, family := "OBS", "x-obs-"
		if q.scheme == "AWS" {
			scheme, family = "AWS", "x-amz-"
		}
		h.Set("Date", date)
		h.Set("Authorization", scheme+" "+AccessKeyID+":"+base64SHA1(SecretAccessKey, c.stringToSignV2(family)))
	case OSS:
		h.Set("Date", date)
		h.Set("Authorization", "OSS "+AccessKeyID+":"+base64SHA1(SecretAccessKey, c.stringToSignOSS1(date)))
	}
}

var objectStores = []Service{S3, COS, OBS, OSS}

// launch starts a sandbox with the bucket b-1 in each object store. Its storage clock stands still.
func launch(t *testing.T, opt Options) *Sandbox {
	t.Helper()
	opt.Now = func() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 123456789, time.UTC) }
	s, err := Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, service := range objectStores {
		s.CreateBucket(service, "b-1", "")
	}
	return s
}
