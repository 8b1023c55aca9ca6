package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// EmptyHash is the SHA-256 of no body, in hexadecimal.
const EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// A SignerV4 signs the three requests with Signature Version 4
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). It is safe for use by many goroutines.
//
// The SDK's signer can sign every request there is. It cost a third of all that a sweep does, in CPU and in allocations, of
// which most went into headers and queries that these three requests do not have; a test holds this one against it.
type SignerV4 struct {
	mu     sync.Mutex
	keys   map[keyScope]*signingKey
	second int64  // of the Unix epoch, in which a request was last signed
	stamp  string // the same, as it is written
}

// keyScope is what a signing key depends on.
type keyScope struct{ secret, date, region string }

// maxKeys bounds how many are kept: credentials change by the hour, and a process may live for days.
const maxKeys = 64

const serviceV4 = "s3"

// A signingKey keeps the hashes that begin with it, so that each is set up once.
type signingKey struct {
	scope string // date/region/service/aws4_request
	macs  sync.Pool
}

func newSigningKey(k keyScope) *signingKey {
	key := []byte("AWS4" + k.secret)
	for _, step := range []string{k.date, k.region, serviceV4, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(step))
		key = mac.Sum(nil)
	}
	return &signingKey{
		scope: strings.Join([]string{k.date, k.region, serviceV4, "aws4_request"}, "/"),
		macs:  sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
	}
}

func (s *SignerV4) key(k keyScope) *signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.keys[k]; key != nil {
		return key
	}
	if s.keys == nil || len(s.keys) >= maxKeys {
		s.keys = map[keyScope]*signingKey{}
	}
	key := newSigningKey(k)
	s.keys[k] = key
	return key
}

// stampOf writes a time, which hundreds of requests have in common.
func (s *SignerV4) stampOf(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); s.stamp == "" || second != s.second {
		s.second, s.stamp = second, now.UTC().Format("20060102T150405Z")
	}
	return s.stamp
}

var canonicals = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Sign signs a request whose query is one of [Multipart]'s: no name stands in it twice, and it is
// percent-encoded as the signature wants it. What the body's hash is said to be goes into a header.
func (s *SignerV4) Sign(req *http.Request, g Signing, bodyHash string) {
	stamp := s.stampOf(g.Now)
	key := s.key(keyScope{g.Credentials.SecretAccessKey, stamp[:len("20060102")], g.Place.Region})
	names := "host;x-amz-content-sha256;x-amz-date"
	req.Header["X-Amz-Content-Sha256"] = []string{bodyHash}
	req.Header["X-Amz-Date"] = []string{stamp}
	location := req.Header.Get("X-Amz-Location") // of a listing of buckets
	if location != "" {
		names += ";x-amz-location"
	}
	if g.Credentials.SessionToken != "" {
		names += ";x-amz-security-token"
		req.Header["X-Amz-Security-Token"] = []string{g.Credentials.SessionToken}
	}
	minimum := req.Header.Get(minimumSize) // of a lifecycle
	if minimum != "" {
		names += ";x-amz-transition-default-minimum-object-size"
	}
	buffer := canonicals.Get().(*[]byte)
	defer canonicals.Put(buffer)
	b := append((*buffer)[:0], req.Method...)
	b = append(b, '\n')
	b = append(b, req.URL.EscapedPath()...)
	b = append(b, '\n')
	b = appendCanonicalQuery(b, req.URL.RawQuery)
	b = append(b, "\nhost:"...)
	b = append(b, canonicalHost(req)...)
	b = append(append(append(b, "\nx-amz-content-sha256:"...), bodyHash...), "\nx-amz-date:"...)
	b = append(b, stamp...)
	if location != "" {
		b = append(append(b, "\nx-amz-location:"...), location...)
	}
	if g.Credentials.SessionToken != "" {
		b = append(append(b, "\nx-amz-security-token:"...), strings.TrimSpace(g.Credentials.SessionToken)...)
	}
	if minimum != "" {
		b = append(append(b, "\nx-amz-transition-default-minimum-object-size:"...), minimum...)
	}
	b = append(append(append(append(b, "\n\n"...), names...), '\n'), bodyHash...)
	sum := sha256.Sum256(b)

	b = append(append(b[:0], "AWS4-HMAC-SHA256\n"...), stamp...)
	b = append(append(append(b, '\n'), key.scope...), '\n')
	b = hex.AppendEncode(b, sum[:])
	mac := key.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(b)
	signature := mac.Sum(sum[:0])
	key.macs.Put(mac)

	b = append(append(b[:0], "AWS4-HMAC-SHA256 Credential="...), g.Credentials.AccessKeyID...)
	b = append(append(b, '/'), key.scope...)
	b = append(append(append(b, ", SignedHeaders="...), names...), ", Signature="...)
	b = hex.AppendEncode(b, signature)
	req.Header["Authorization"] = []string{string(b)}
	*buffer = b
}

// canonicalHost is the host as it is signed: without the port that its scheme has anyway.
func canonicalHost(req *http.Request) string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	switch req.URL.Scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// appendCanonicalQuery sorts a query by name, and gives every name a value.
func appendCanonicalQuery(b []byte, raw string) []byte {
	var room [8]string
	pairs := room[:0]
	for pair := range strings.SplitSeq(raw, "&") {
		if pair != "" {
			pairs = append(pairs, pair)
		}
	}
	slices.SortFunc(pairs, func(x, y string) int {
		nameX, _, _ := strings.Cut(x, "=")
		nameY, _, _ := strings.Cut(y, "=")
		return strings.Compare(nameX, nameY)
	})
	for i, pair := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, pair...)
		if !strings.Contains(pair, "=") {
			b = append(b, '=')
		}
	}
	return b
}
