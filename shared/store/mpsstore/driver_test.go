package mpsstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
	"github.com/partsweep/partsweep/test/sandbox"
)

const region = "cn-hangzhou" // not the one that the sandbox falls back to

var bucket = mpu.Bucket{Store: "mps", Region: region, Name: region}

func uploads(ids ...string) []mpu.Upload {
	var us []mpu.Upload
	for _, id := range ids {
		us = append(us, mpu.Upload{Bucket: bucket, Key: id, UploadID: id})
	}
	return us
}

func start(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t *testing.T, s *sandbox.Sandbox, secret string) *Driver {
	t.Helper()
	d, err := New(store.Config{
		Endpoint: s.URL(sandbox.MPS),
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: secret, SessionToken: sandbox.SessionToken}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNew(t *testing.T) {
	_, err := New(store.Config{})
	if !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), "Credentials") {
		t.Errorf("error %v, want an invalid Credentials", err)
	}
	d := &Driver{}
	if d.BatchSize() != 10 || d.Rates()[store.AbortUpload] != 100 {
		t.Errorf("batches of %d, rates %v", d.BatchSize(), d.Rates())
	}
}

func TestAbort(t *testing.T) {
	s := start(t)
	d := open(t, s, sandbox.SecretAccessKey)
	for i := range 12 {
		s.AddMedia(region, fmt.Sprintf("m%02d", i))
	}
	s.AddMedia("cn-shanghai", "m00")
	var ten []mpu.Upload
	for i := range 10 {
		ten = append(ten, uploads(fmt.Sprintf("m%02d", i))...)
	}
	if err := d.AbortUploads(t.Context(), ten); err != nil {
		t.Error(err)
	}
	if err := d.AbortUpload(t.Context(), uploads("m10")[0]); err != nil {
		t.Error(err)
	}
	if left := s.Media(region); !slices.Equal(left, []string{"m11"}) {
		t.Errorf("left are %q, want m11", left)
	}
	if left := s.Media("cn-shanghai"); len(left) != 1 {
		t.Errorf("in another region, left are %q", left)
	}
	if n := len(s.Ledger()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	if err := d.AbortUpload(t.Context(), uploads("m10")[0]); !errors.Is(err, mpu.Gone) {
		t.Errorf("second abort: %v, want gone", err)
	}
}

// A batch with an unknown ID is refused as a whole, and the store then asks for each alone.
func TestRefusedBatch(t *testing.T) {
	s := start(t)
	d := open(t, s, sandbox.SecretAccessKey)
	s.AddMedia(region, "a")
	s.AddMedia(region, "c")
	if err := d.AbortUploads(t.Context(), uploads("a", "b", "c")); !errors.Is(err, mpu.Gone) {
		t.Errorf("batch: %v, want gone", err)
	}
	errs := store.New(d).AbortBatch(t.Context(), uploads("a", "b", "c"))
	if errs[0] != nil || !errors.Is(errs[1], mpu.Gone) || errs[2] != nil {
		t.Errorf("errors %v, want only b gone", errs)
	}
	if left := s.Media(region); len(left) != 0 {
		t.Errorf("left are %q", left)
	}
}

func TestWrongSecret(t *testing.T) {
	s := start(t)
	s.AddMedia(region, "a")
	err := open(t, s, "wrong").AbortUpload(t.Context(), uploads("a")[0])
	if !errors.Is(err, mpu.Denied) || strings.Contains(err.Error(), sandbox.SessionToken) {
		t.Errorf("error %v, want denied, without the security token", err)
	}
	if len(s.Media(region)) != 1 {
		t.Error("the media is gone")
	}
}

func TestUnsupported(t *testing.T) {
	s := start(t)
	d := open(t, s, sandbox.SecretAccessKey)
	_, list := d.ListUploads(t.Context(), bucket, "", mpu.Marker{})
	_, parts := d.ListParts(t.Context(), uploads("a")[0], 0)
	for op, err := range map[store.Op]error{store.ListUploads: list, store.ListParts: parts} {
		e, ok := errors.AsType[*mpu.Error](err)
		if !ok || !errors.Is(err, errors.ErrUnsupported) || e.Op != string(op) || !strings.HasPrefix(e.Target, "mps://") {
			t.Errorf("%s: %#v, want an unsupported operation", op, err)
		}
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestRefused(t *testing.T) {
	s := start(t)
	d := open(t, s, sandbox.SecretAccessKey)
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	elsewhere := mpu.Upload{Bucket: mpu.Bucket{Store: "mps", Region: "cn-shanghai", Name: "cn-shanghai"}, Key: "b", UploadID: "b"}
	eleven := uploads(strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",")...)
	for _, test := range []struct {
		name  string
		ctx   context.Context
		batch []mpu.Upload
		want  error
	}{
		{"none", t.Context(), nil, mpu.Refused},
		{"more than ten", t.Context(), eleven, mpu.Refused},
		{"the same twice", t.Context(), uploads("a", "b", "a"), mpu.Refused},
		{"a blank ID", t.Context(), uploads("a", ""), mpu.Refused},
		{"a blank for an ID", t.Context(), uploads(" "), mpu.Refused},
		{"a comma", t.Context(), uploads("a,b"), mpu.Refused},
		{"two regions", t.Context(), append(uploads("a"), elsewhere), mpu.Refused},
		{"no bucket", t.Context(), []mpu.Upload{{Key: "a", UploadID: "a"}}, mpu.Refused},
		{"key without upload ID", t.Context(), []mpu.Upload{{Bucket: bucket, Key: "a"}}, mpu.Refused},
		{"dead context", dead, uploads("a"), context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := d.AbortUploads(test.ctx, test.batch); !errors.Is(err, test.want) {
				t.Errorf("batch: %v, want %v", err, test.want)
			}
			if len(test.batch) == 1 {
				if err := d.AbortUpload(test.ctx, test.batch[0]); !errors.Is(err, test.want) {
					t.Errorf("one: %v, want %v", err, test.want)
				}
			}
		})
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// codeKinds says what every code of MPS and of the gateway must mean.
var codeKinds = map[string]mpu.Kind{
	"InvalidParameter.ResourceNotFound": mpu.Gone,

	"InvalidParameter":                      mpu.Invalid,
	"InvalidParameter.NullValue":            mpu.Invalid,
	"InvalidParameter.InvalidState":         mpu.Invalid,
	"InvalidParameter.EmptyValue":           mpu.Invalid,
	"InvalidParameter.NotSupported":         mpu.Invalid,
	"InvalidParameter.OutOfRange":           mpu.Invalid,
	"InvalidParameter.ResourceContentBad":   mpu.Invalid,
	"InvalidParameter.ResourceNotSupported": mpu.Invalid,
	"MissingMediaIds":                       mpu.Invalid,

	"IncompleteSignature":     mpu.Invalid,
	"InvalidSignatureMethod":  mpu.Invalid,
	"InvalidSignatureVersion": mpu.Invalid,
	"InvalidParameter.Format": mpu.Invalid,
	"InvalidVersion":          mpu.Invalid,
	"MissingAction":           mpu.Invalid,
	"MissingVersion":          mpu.Invalid,
	"MissingAccessKeyId":      mpu.Invalid,
	"MissingSignatureMethod":  mpu.Invalid,
	"MissingSignatureVersion": mpu.Invalid,
	"MissingSignatureNonce":   mpu.Invalid,
	"MissingTimestamp":        mpu.Invalid,
	"UnsupportedHTTPMethod":   mpu.Invalid,
	"InvalidApi.NotFound":     mpu.Invalid,
	"InvalidProduct.NotFound": mpu.Invalid,
	"InvalidProtocol.NeedSsl": mpu.Invalid,

	"PermissionDenied.ResourceAccess": mpu.Denied,
	"InvalidIdentity.ServiceDisabled": mpu.Denied,
	"Forbidden.RAM":                   mpu.Denied,
	"NoPermission":                    mpu.Denied,
	"SignatureDoesNotMatch":           mpu.Denied,
	"InvalidAccessKeyId.NotFound":     mpu.Denied,
	"InvalidAccessKeyId.Inactive":     mpu.Denied,
	"InvalidSecurityToken.Expired":    mpu.Denied,
	"InvalidSecurityToken.Malformed":  mpu.Denied,

	"InvalidSecurityToken.MismatchWithAccessKey": mpu.Denied,

	"InternalError":            mpu.Transient,
	"ServiceUnAvailable":       mpu.Transient,
	"ServiceUnavailable":       mpu.Transient,
	"Throttling":               mpu.Transient,
	"Throttling.User":          mpu.Transient,
	"Throttling.Api":           mpu.Transient,
	"InvalidTimeStamp.Expired": mpu.Transient,
	"InvalidTimeStamp.Format":  mpu.Transient,
	"SignatureNonceUsed":       mpu.Transient,
}

func TestCodes(t *testing.T) {
	s := start(t)
	d := open(t, s, sandbox.SecretAccessKey)
	provoked := map[string]bool{}
	for _, code := range s.Codes(sandbox.MPS) {
		provoked[code] = true
		t.Run(code, func(t *testing.T) {
			defer s.Script(sandbox.Fault{Service: sandbox.MPS, Code: code})()
			want, ok := codeKinds[code]
			if !ok {
				t.Fatal("nobody has said what this code means")
			}
			err := d.AbortUploads(t.Context(), uploads("a", "b"))
			e, ok := errors.AsType[*mpu.Error](err)
			if !ok || e.Kind != want || e.Code != code || e.Status != s.Status(sandbox.MPS, code) || e.RequestID == "" {
				t.Fatalf("error %#v, want kind %v and a request ID", err, want)
			}
			if want == mpu.Denied && !strings.Contains(e.Hint, "mts:DeleteMedia") {
				t.Errorf("hint %q does not name the RAM action", e.Hint)
			}
			if e.Target != "mps://"+region+"/a%2Cb" {
				t.Errorf("the error is about %s", e.Target)
			}
		})
	}
	for code := range codeKinds {
		if !provoked[code] {
			t.Errorf("the sandbox cannot be made to answer %s", code)
		}
	}
	for code := range codes {
		if !provoked[code] {
			t.Errorf("%s is in the table and not tested", code)
		}
	}
}

func TestHTML502(t *testing.T) {
	s := start(t)
	s.Script(sandbox.Fault{Respond: func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>bad gateway</html>")
	}})
	err := open(t, s, sandbox.SecretAccessKey).AbortUpload(t.Context(), uploads("a")[0])
	e, _ := errors.AsType[*mpu.Error](err)
	if !errors.Is(err, mpu.Transient) || e.Status != http.StatusBadGateway {
		t.Errorf("error %v, want a transient one with its status", err)
	}
}

func TestDriver(t *testing.T) {
	const noList, noParts = "MPS cannot list media", "a media record has no parts"
	storetest.Run(t, func(t *testing.T) *storetest.Service {
		s := start(t)
		created := 0
		return &storetest.Service{
			Bucket: bucket,
			Open: func(t *testing.T, how storetest.Opening) store.Driver {
				secret := sandbox.SecretAccessKey
				if how.WrongSecret {
					secret = "wrong"
				}
				return open(t, s, secret)
			},
			Create: func(t *testing.T, _ string) mpu.Upload {
				created++
				id := strings.Repeat("0", created) + "id"
				s.AddMedia(bucket.Region, id)
				return uploads(id)[0]
			},
			AddPart:  func(*testing.T, mpu.Upload, int64) {},
			Requests: func() int { return len(s.Ledger()) },
			Fail: func(t *testing.T, how storetest.Failure, n int) {
				f := sandbox.Fault{Service: sandbox.MPS, Times: n, Code: "Throttling.User"}
				if how == storetest.HTML503 {
					f.Code, f.Respond = "", func(w http.ResponseWriter) {
						w.WriteHeader(http.StatusServiceUnavailable)
						w.Write([]byte("<html>unavailable</html>"))
					}
				}
				s.Script(f)
			},
		}
	}, storetest.Deviations{
		"nothing there":           noList,
		"one":                     noList,
		"many keys":               noList,
		"many uploads of one key": noList,
		"page size one":           noList,
		"strange keys":            "media IDs are given by the service",
		"prefix":                  noList,
		"parts":                   noParts,
		"abort":                   noParts + "; see TestAbort",
		"parts after abort":       noParts,
		"part in flight":          noParts,
		"finished upload":         "a media record is of a finished file, and is deleted only by name",
		"no bucket":               "every region exists",
	})
}
