package wire

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Servers and what stands before them may repeat what they were sent, anywhere in their answer.
func TestErrorsShowNoSecret(t *testing.T) {
	echoes := map[string]func(string) string{
		"as it is":    func(s string) string { return s },
		"for a query": url.QueryEscape,
		"for a path":  url.PathEscape,
		"base64":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"hex":         func(s string) string { return hex.EncodeToString([]byte(s)) },
		"JSON":        func(s string) string { return strings.NewReplacer("/", `\/`, "+", `\u002b`, "=", `\u003d`).Replace(s) },
		"cut short":   func(s string) string { return s[:len(s)*2/3] },
		"behind much": func(s string) string { return strings.Repeat("x", 240) + s },
		"twice":       func(s string) string { return s + "," + s },
	}
	answers := map[string]func(w http.ResponseWriter, s string){
		"code": func(w http.ResponseWriter, s string) { refuse(w, "<Code>"+s+"</Code>") },
		"message": func(w http.ResponseWriter, s string) {
			refuse(w, "<Code>C</Code><Message>the request was "+s+" and no more</Message>")
		},
		"endpoint":   func(w http.ResponseWriter, s string) { refuse(w, "<Code>C</Code><Endpoint>"+s+"</Endpoint>") },
		"request ID": func(w http.ResponseWriter, s string) { refuse(w, "<Code>C</Code><RequestId>"+s+"</RequestId>") },
		"header": func(w http.ResponseWriter, s string) {
			w.Header().Set("X-Amz-Request-Id", s)
			refuse(w, "<Code>C</Code>")
		},
		"header of an answer that cannot be read": func(w http.ResponseWriter, s string) {
			w.Header().Set("X-Amz-Request-Id", s)
			io.WriteString(w, "<a")
		},
		"redirect": func(w http.ResponseWriter, s string) {
			w.Header().Set("Location", "https://"+strings.NewReplacer("/", "", "+", "", " ", "", ",", "", "=", "").Replace(s)+".example/")
			w.WriteHeader(http.StatusFound)
		},
		"root": func(w http.ResponseWriter, s string) { io.WriteString(w, "<"+strings.ReplaceAll(s, " ", "_")+"/>") },
		"bucket": func(w http.ResponseWriter, s string) {
			inside(w, "<IsTruncated>false</IsTruncated><Bucket>"+s+"</Bucket>")
		},
		"truncated": func(w http.ResponseWriter, s string) { inside(w, "<IsTruncated>"+s+"</IsTruncated>") },
		"upload ID": func(w http.ResponseWriter, s string) {
			inside(w, "<IsTruncated>false</IsTruncated><UploadId>"+s+"</UploadId>")
		},
		"part": func(w http.ResponseWriter, s string) { inside(w, "<Part><PartNumber>"+s+"</PartNumber></Part>") },
		"no HTTP": func(w http.ResponseWriter, s string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+s+"\r\n\r\n")
				conn.Close()
			}
		},
	}
	const key, session = "SECRET/SECRET+SECRETSECRET", "TOKEN/TOKEN+TOKENTOKEN="
	for where, answer := range answers {
		for how, echo := range echoes {
			t.Run(where+"/"+how, func(t *testing.T) {
				for _, what := range []string{"key", "token", "authorization", "signature"} {
					s := serve(t, func(w http.ResponseWriter, r *http.Request) {
						authorization := r.Header.Get("Authorization")
						answer(w, echo(map[string]string{"key": key, "token": session, "authorization": authorization,
							"signature": authorization[strings.LastIndexByte(authorization, '=')+1:]}[what]))
					})
					m := newMultipart(t, s.URL, func(cfg *store.Config, _ *Dialect) {
						cfg.Credentials = sameCredentials(store.Credentials{AccessKeyID: "AKID", SecretAccessKey: key, SessionToken: session})
					})
					for op, send := range each(m, upload("k", "u")) {
						err := send(t.Context())
						if err == nil {
							continue // of the operation that does not look there
						}
						shown := strings.ToLower(err.Error())
						for _, secret := range []string{key, session, "SIGSIGSIG"} {
							for _, encoded := range []string{secret, echoes["base64"](secret), echoes["hex"](secret), url.QueryEscape(secret)} {
								if strings.Contains(shown, strings.ToLower(encoded[:8])) {
									t.Errorf("%s, %s: %q", what, op, err)
								}
							}
						}
					}
				}
			})
		}
	}
}

func refuse(w http.ResponseWriter, inner string) {
	w.WriteHeader(http.StatusForbidden)
	io.WriteString(w, "<Error>"+inner+"</Error>")
}

func inside(w http.ResponseWriter, inner string) {
	root := "ListPartsResult"
	if strings.Contains(inner, "<Bucket>") {
		root = "ListMultipartUploadsResult"
	}
	io.WriteString(w, "<"+root+">"+inner+"</"+root+">")
}

func TestConcealLeavesTheRest(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "http://h/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261126/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0123456789abcdef")
	creds := store.Credentials{AccessKeyID: "AKID", SecretAccessKey: "short", SessionToken: "x"}
	e := &mpu.Error{Kind: mpu.Denied, Code: "SignatureDoesNotMatch", RequestID: "0123456", Hint: "check the access key ID",
		Message: "Please use AWS4-HMAC-SHA256 and x-amz-date; AKID is known", Err: io.ErrUnexpectedEOF}
	want := e.Error()
	got := Conceal(e, req, creds)
	if got.Error() != want || !errors.Is(got, io.ErrUnexpectedEOF) || !errors.Is(got, mpu.Denied) {
		t.Errorf("%v\nwant %s", got, want)
	}
	cause := errors.Join(io.ErrUnexpectedEOF, errors.New("Signature=0123456789abcdef"))
	if got := Conceal(&mpu.Error{Err: cause}, req, creds); strings.Contains(got.Error(), "0123") || !errors.Is(got, io.ErrUnexpectedEOF) {
		t.Errorf("%v", got)
	}
	if other := errors.New("not ours"); Conceal(other, req, creds) != other || Conceal(nil, req, creds) != nil {
		t.Error("another error was changed")
	}
}

// A request ID is a store's own words too.
func TestRequestIDIsShort(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "a\u202eb"+strings.Repeat("x", 4000))
		io.WriteString(w, "<a")
	})
	_, err := newMultipart(t, s.URL, nil).ListParts(t.Context(), upload("k", "u"), 0)
	if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\u202e") {
		t.Errorf("%d bytes: %.100q", len(err.Error()), err)
	}
}
