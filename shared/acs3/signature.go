// Package acs3 signs requests to Alibaba Cloud's gateway with ACS3-HMAC-SHA256, as "V3 request body & signature mechanism" of the
// vendor's SDK overview describes it (alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature).
//
// The vendor's own code signs the same requests in the same way, and the tests ask it. But it comes with twenty
// packages that prepare themselves, encoding/gob and two JSON libraries among them, at every start of a function.
package acs3

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/store"
)

const algorithm = "ACS3-HMAC-SHA256"

// A Call is what the gateway wants to know of a request beside its HTTP.
type Call struct {
	Action  string // the operation
	Version string // of the API, a date
	Body    []byte // what the request sends; may be empty

	// These make a request the only one of its kind. The gateway refuses a nonce that it has seen, and a date that is more than
	// 15 minutes off.
	At    time.Time
	Nonce string
}

// NewNonce returns a nonce with 128 bits of chance.
func NewNonce() string { return rand.Text() }

// Query writes a query as the gateway wants it: sorted, with the escapes of RFC 3986.
func Query(params map[string]string) string {
	values := url.Values{}
	for name, value := range params {
		values.Set(name, value)
	}
	return strings.ReplaceAll(values.Encode(), "+", "%20") // the only escape in which forms differ
}

// Sign puts the call's headers and the signature on a request, in the place of those of an earlier one. It covers the method, the
// path and the query as the request has them (see [Query]), the host, the content type if there is one, and all headers that begin
// with x-acs-; the others may change after.
func Sign(req *http.Request, who store.Credentials, call Call) {
	hash := sum(call.Body)
	h := req.Header
	h.Set("x-acs-action", call.Action)
	h.Set("x-acs-version", call.Version)
	h.Set("x-acs-date", call.At.UTC().Format("2006-01-02T15:04:05Z"))
	h.Set("x-acs-signature-nonce", call.Nonce)
	h.Set("x-acs-content-sha256", hash)
	h.Del("x-acs-security-token")
	if who.SessionToken != "" {
		h.Set("x-acs-security-token", who.SessionToken)
	}

	headers, signed := covered(req)
	canonical := strings.Join([]string{req.Method, cmp.Or(req.URL.EscapedPath(), "/"), req.URL.RawQuery, headers, signed, hash}, "\n")
	mac := hmac.New(sha256.New, []byte(who.SecretAccessKey))
	mac.Write([]byte(algorithm + "\n" + sum([]byte(canonical))))
	h.Set("Authorization", algorithm+" Credential="+who.AccessKeyID+",SignedHeaders="+signed+
		",Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// covered returns the headers that the signature covers, a line each, and their names.
func covered(req *http.Request) (lines, names string) {
	values := map[string]string{"host": cmp.Or(req.Host, req.URL.Host)}
	for name, all := range req.Header {
		if lower := strings.ToLower(name); lower == "content-type" || strings.HasPrefix(lower, "x-acs-") {
			values[lower] = strings.TrimSpace(strings.Join(all, ","))
		}
	}
	sorted := slices.Sorted(maps.Keys(values))
	for _, name := range sorted {
		lines += name + ":" + values[name] + "\n"
	}
	return lines, strings.Join(sorted, ";")
}

// sum is SHA-256 as the gateway writes it.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
