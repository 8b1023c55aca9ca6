package acs

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/partsweep/partsweep/shared/store"
)

const (
	algorithm = "ACS3-HMAC-SHA256"
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of an empty body
)

// A stamp makes a request the only one of its kind. The gateway refuses a nonce that it has seen, and a date that is
// more than 15 minutes off.
type stamp struct {
	at    time.Time
	nonce string
}

// newNonce returns a nonce with 128 bits of chance.
func newNonce() string { return rand.Text() }

// sign puts the headers of signature V3 on a request with an empty body, as "V3 request body & signature mechanism"
// describes them. The vendor's own code signs; only the headers that it covers are given to it.
func sign(req *http.Request, c store.Credentials, action, version string, params map[string]string, s stamp) {
	headers := map[string]string{
		"x-acs-action":          action,
		"x-acs-version":         version,
		"x-acs-date":            s.at.UTC().Format("2006-01-02T15:04:05Z"),
		"x-acs-signature-nonce": s.nonce,
		"x-acs-content-sha256":  emptyHash,
	}
	if c.SessionToken != "" {
		headers["x-acs-security-token"] = c.SessionToken
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	headers["host"] = req.Host
	authorization := utils.GetAuthorization(&dara.Request{
		Method:   dara.String(req.Method),
		Pathname: dara.String("/"),
		Headers:  pointers(headers),
		Query:    pointers(params),
	}, dara.String(algorithm), dara.String(emptyHash), dara.String(c.AccessKeyID), dara.String(c.SecretAccessKey))
	req.Header.Set("Authorization", dara.StringValue(authorization))
}

// pointers turns a map into the shape that the vendor's code takes.
func pointers(m map[string]string) map[string]*string {
	to := make(map[string]*string, len(m))
	for name, value := range m {
		to[name] = &value
	}
	return to
}
