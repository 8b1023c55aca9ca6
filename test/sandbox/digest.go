package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/rand/v2"
)

func hmacSHA1(key []byte, message string) []byte { return mac(sha1.New, key, message) }

func hmacSHA256(key []byte, message string) []byte { return mac(sha256.New, key, message) }

func mac(h func() hash.Hash, key []byte, message string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// base64SHA1 is the signature of the older schemes.
func base64SHA1(secret, signed string) string {
	return base64.StdEncoding.EncodeToString(hmacSHA1([]byte(secret), signed))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func isHexSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// sameString compares in a time that tells nothing about where two strings differ.
func sameString(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// randomBytes returns n bytes, a multiple of 8. They need not be secret, only different.
func randomBytes(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = binary.BigEndian.AppendUint64(b, rand.Uint64())
	}
	return b
}
