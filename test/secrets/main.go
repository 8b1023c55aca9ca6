// Secrets looks for secrets, tokens and signatures in what partsweep has written.
//
//	go run ./test/secrets FILE_OR_FOLDER…
//
// It knows the secrets that the tests use, in the encodings in which they might slip through, and what the signatures of
// the vendors and their headers look like. It exits with 1 if it finds any.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/test/sandbox"
)

// known are the secrets that the tests use.
var known = []string{
	sandbox.SecretAccessKey, sandbox.SessionToken,
	"sandbox/secret+key/0000000000000000000002", "sandbox-session-token-rotated", // the rotated ones of test/scenarios
}

// shapes are what signatures and the headers that carry them look like, by the vendors' documents.
var shapes = []struct {
	name string
	is   *regexp.Regexp
}{
	{"AWS Signature Version 4", regexp.MustCompile(`AWS4-HMAC-SHA256\s+Credential=`)},
	{"a V4 signature", regexp.MustCompile(`(?i)Signature=[0-9a-f]{64}`)},
	{"a presigned URL", regexp.MustCompile(`(?i)X-(Amz|Obs|Oss)-(Signature|Credential|Security-Token)(=|%3D)[^&\s"]{8,}`)},
	{"a session token in a header", regexp.MustCompile(`(?i)(X-[A-Za-z]+-Security-Token|X-Acs-Security-Token)"?\s*[:=]\s*\[?"?[^\s"*]{8,}`)},
	{"an Authorization header", regexp.MustCompile(`(?i)\bAuthorization"?\s*:\s*\[?"?([A-Za-z0-9-]+ )?[A-Za-z0-9+/=:_.-]{16,}`)},
	{"a COS signature", regexp.MustCompile(`q-signature=[0-9a-f]{40}`)},
	{"an OSS V4 signature", regexp.MustCompile(`OSS4-HMAC-SHA256\s+Credential=`)},
	{"a V1 or V2 signature", regexp.MustCompile(`\b(OSS|OBS|AWS) [A-Za-z0-9]{8,}:[A-Za-z0-9+/]{20,}=?`)},
	{"an ACS3 signature", regexp.MustCompile(`ACS3-HMAC-SHA256\s+Credential=`)},
	{"an RPC signature", regexp.MustCompile(`[?&]Signature=[A-Za-z0-9+/%]{20,}`)},
	{"a bearer token", regexp.MustCompile(`Bearer [A-Za-z0-9._~+/-]{12,}`)},
	{"what was signed", regexp.MustCompile(`(?i)(StringToSign|CanonicalRequest)(Bytes)?"?\s*[>:=]\s*"?[^\s"<]|server string to sign`)},
}

// A finding is a secret in a text.
type finding struct {
	what string
	line int
	near string // what stands around it, without it
}

// scan finds what must not be in a text.
func scan(text []byte) (found []finding) {
	for what, form := range forms() {
		for _, at := range indexes(text, []byte(form)) {
			found = append(found, findingAt(text, what, at, at+len(form)))
		}
	}
	for _, s := range shapes {
		for _, at := range s.is.FindAllIndex(text, -1) {
			found = append(found, findingAt(text, s.name, at[0], at[1]))
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return a.line - b.line })
	return found
}

// forms returns each known secret as it is, and in the encodings in which it might be written, by a description.
func forms() map[string]string {
	all := map[string]string{}
	for i, s := range known {
		name := fmt.Sprintf("secret %d", i+1)
		quoted, _ := json.Marshal(s) // a string
		all[name] = s
		for encoding, form := range map[string]string{
			"hex": hex.EncodeToString([]byte(s)), "query": url.QueryEscape(s), "path": url.PathEscape(s),
			"JSON": string(quoted[1 : len(quoted)-1]), "JSON with slashes": strings.ReplaceAll(s, "/", `\/`),
			"percent": strings.ReplaceAll(strings.ReplaceAll(s, "/", "%2f"), "+", "%2b"),
		} {
			if form != s {
				all[name+" in "+encoding] = form
			}
		}
		// In Base64 a text looks in three ways, as it begins at each place of a group of three bytes. The ends depend on what
		// stands beside it, so they are left out.
		for shift := range 3 {
			encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), s...))
			from := (shift*8 + 5) / 6
			all[fmt.Sprintf("%s in Base64, %d", name, shift)] = encoded[from : len(encoded)-4]
		}
	}
	return all
}

func indexes(text, form []byte) (all []int) {
	for from := 0; ; {
		i := bytes.Index(text[from:], form)
		if i < 0 {
			return all
		}
		all = append(all, from+i)
		from += i + len(form)
	}
}

func findingAt(text []byte, what string, from, to int) finding {
	before := text[max(0, from-60):from]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return finding{what, 1 + bytes.Count(text[:from], []byte("\n")), string(before) + "…"}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "name files or folders")
		os.Exit(2)
	}
	files, size, found := 0, 0, 0
	for _, root := range os.Args[1:] {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files, size = files+1, size+len(text)
			for _, f := range scan(text) {
				found++
				fmt.Printf("%s:%d: %s, after %q\n", filepath.Base(path), f.line, f.what, f.near)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	fmt.Printf("%d secrets in %d files of %d bytes\n", found, files, size)
	if found > 0 || files == 0 {
		os.Exit(1)
	}
}
