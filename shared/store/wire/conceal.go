package wire

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Conceal returns err without what an answer has repeated of its request's secrets: keys, token and signature, as they are
// or in one of the encodings in which servers repeat what they were sent, whole or cut short. An error that is no
// *mpu.Error is returned as it is.
func Conceal(err error, req *http.Request, c store.Credentials) error {
	e, ok := err.(*mpu.Error)
	if !ok {
		return err
	}
	secrets := secretsOf(req, c)
	concealed := *e
	for _, field := range []*string{&concealed.Code, &concealed.Message, &concealed.RequestID, &concealed.Hint} {
		*field = hide(*field, secrets)
	}
	if e.Err != nil {
		if text := hide(e.Err.Error(), secrets); text != e.Err.Error() {
			concealed.Err = &concealedError{text, e.Err}
		}
	}
	return &concealed
}

// A concealedError is an error whose text must not be shown.
type concealedError struct {
	text string
	err  error
}

func (e *concealedError) Error() string { return e.text }

// Is lets errors.Is see what the error is, and nothing see what it says.
func (e *concealedError) Is(target error) bool { return errors.Is(e.err, target) }

// A secret is a text that must not be shown, nor any beginning of it that has so many bytes.
type secret struct {
	text  string
	least int
}

// A key or a signature is recognised by its first bytes, since it may have been cut. An Authorization header begins with the
// name of an algorithm, which is no secret and may be just what somebody needs to know.
const (
	leastOfSecret = 8
	leastOfHeader = 24
)

func secretsOf(req *http.Request, c store.Credentials) []secret {
	authorization := req.Header.Get("Authorization")
	signature := strings.TrimRight(authorization, "=") // what ends in base64 ends in equals signs
	signature = signature[strings.LastIndexAny(signature, "=:")+1:]
	var all []secret
	for _, form := range forms(authorization) {
		all = append(all, secret{form, leastOfHeader})
	}
	for _, text := range []string{c.SecretAccessKey, c.SessionToken, signature} {
		for _, form := range forms(text) {
			all = append(all, secret{form, leastOfSecret})
		}
	}
	return all
}

// escapes is how some write JSON.
var escapes = strings.NewReplacer("/", `\/`, "+", `\u002b`, "=", `\u003d`)

// forms are the encodings of a text.
func forms(text string) []string {
	b := []byte(text)
	return []string{
		text, url.QueryEscape(text), url.PathEscape(text), strings.ReplaceAll(text, "/", `\/`),
		escapes.Replace(text),
		base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), hex.EncodeToString(b),
	}
}

// hide puts stars in the place of every secret, in whatever case it is written.
func hide(text string, secrets []secret) string {
	const stars = "***"
	for _, s := range secrets {
		if len(s.text) < s.least {
			continue // is none
		}
		wanted := lower(s.text)
		for from := 0; ; from += len(stars) {
			rest := lower(text[from:])
			i := strings.Index(rest, wanted[:s.least])
			if i < 0 {
				break
			}
			from += i
			text = text[:from] + stars + text[from+common(rest[i:], wanted):]
		}
	}
	return text
}

// lower is strings.ToLower for ASCII, so that no text changes its length.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// common is how many bytes two texts have in common at their beginning.
func common(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
