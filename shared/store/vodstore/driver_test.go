package vodstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
	"github.com/partsweep/partsweep/test/sandbox"
)

const region = "cn-beijing" // not the one that the sandbox falls back to

var bucket = mpu.Bucket{Store: "vod", Region: region, Name: region}

func upload(id string) mpu.Upload { return mpu.Upload{Bucket: bucket, Key: id, UploadID: id} }

func start(t *testing.T, opt sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t *testing.T, s *sandbox.Sandbox, secret string) *Driver {
	t.Helper()
	d, err := New(store.Config{
		Endpoint: s.URL(sandbox.VOD),
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
	_, err = New(store.Config{Endpoint: "vod", Credentials: func(context.Context) (c store.Credentials, err error) { return }})
	if !errors.Is(err, mpu.Invalid) || !strings.Contains(err.Error(), "Endpoint") {
		t.Errorf("error %v, want an invalid Endpoint", err)
	}
}

func TestRates(t *testing.T) {
	rates := (&Driver{}).Rates()
	for op, want := range map[store.Op]float64{store.AbortUpload: 10, store.ListUploads: 100, store.ListParts: 100} {
		if rates[op] != want {
			t.Errorf("%s: %v calls a second, want %v", op, rates[op], want)
		}
	}
}

func TestLife(t *testing.T) {
	s := start(t, sandbox.Options{})
	d := open(t, s, sandbox.SecretAccessKey)
	created, modified := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2025, 1, 3, 0, 0, 0, 0, time.UTC)
	s.AddVideo(region, sandbox.Video{ID: "stale", Created: created, Modified: modified, PartBytes: 5000, Parts: 5})
	s.AddVideo(region, sandbox.Video{ID: "failed", Status: "UploadFail", Created: created.Add(time.Hour), PartBytes: 1})
	s.AddVideo(region, sandbox.Video{ID: "finished", Status: "Normal", Created: created})
	s.AddVideo("cn-shanghai", sandbox.Video{ID: "elsewhere"})

	page, err := d.ListUploads(t.Context(), bucket, "", mpu.Marker{})
	if err != nil || page.More || page.Incomplete != "" || len(page.Uploads) != 2 {
		t.Fatalf("page %+v, %v; want the two unfinished videos", page, err)
	}
	want := upload("stale")
	want.Initiated, want.Active = created, modified
	if page.Uploads[0] != want || page.Uploads[1].Key != "failed" {
		t.Errorf("uploads %+v", page.Uploads)
	}
	parts, err := d.ListParts(t.Context(), want, 0)
	if err != nil || parts != (store.Parts{Count: 1, Bytes: 5000, Newest: modified, Initiated: created}) {
		t.Errorf("parts %+v, %v", parts, err)
	}
	if err := d.AbortUpload(t.Context(), want); err != nil {
		t.Error(err)
	}
	if v := s.Videos(region)[0]; v.Parts != 0 {
		t.Errorf("%d parts are left", v.Parts)
	}
	if err := d.AbortUpload(t.Context(), want); !errors.Is(err, mpu.Gone) {
		t.Errorf("second abort: %v, want gone", err)
	}
	if err := d.AbortUpload(t.Context(), upload("elsewhere")); !errors.Is(err, mpu.Gone) {
		t.Errorf("abort in the wrong region: %v, want gone", err)
	}
}

func TestWrongSecret(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.AddVideo(region, sandbox.Video{ID: "stale", PartBytes: 1})
	d := open(t, s, "wrong")
	err := d.AbortUpload(t.Context(), upload("stale"))
	if !errors.Is(err, mpu.Denied) || strings.Contains(err.Error(), sandbox.SessionToken) {
		t.Errorf("error %v, want denied, without the security token", err)
	}
	if s.Videos(region)[0].Parts != 1 {
		t.Error("the parts are gone")
	}
}

// codeKinds says what every code of VOD and of the gateway must mean, whichever operation it comes from.
var codeKinds = map[string]mpu.Kind{
	"InvalidMultipartUpload.NotFound": mpu.Gone,
	"InvalidVideo.NotFound":           mpu.Gone,
	"InvalidFile.NotFound":            mpu.Gone,
	"InvalidStorage.NotFound":         mpu.Missing,

	"InvalidParameter":        mpu.Invalid,
	"MissingParameter":        mpu.Invalid,
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

	"AccessDenied":                 mpu.Denied,
	"OperationDenied":              mpu.Denied,
	"OperationDenied.Suspended":    mpu.Denied,
	"Forbidden":                    mpu.Denied,
	"Forbidden.RAM":                mpu.Denied,
	"NoPermission":                 mpu.Denied,
	"SignatureDoesNotMatch":        mpu.Denied,
	"InvalidAccessKeyId.NotFound":  mpu.Denied,
	"InvalidAccessKeyId.Inactive":  mpu.Denied,
	"InvalidSecurityToken.Expired": mpu.Denied,

	"InvalidSecurityToken.Malformed":             mpu.Denied,
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
	s := start(t, sandbox.Options{})
	d := open(t, s, sandbox.SecretAccessKey)
	provoked := map[string]bool{}
	for _, code := range s.Codes(sandbox.VOD) {
		provoked[code] = true
		t.Run(code, func(t *testing.T) {
			defer s.Script(sandbox.Fault{Service: sandbox.VOD, Code: code})()
			want, ok := codeKinds[code]
			if !ok {
				t.Fatal("nobody has said what this code means")
			}
			checkCode(t, d.AbortUpload(t.Context(), upload("id")), s.Status(sandbox.VOD, code), code, want, "vod:DeleteMultipartUpload")
			_, err := d.ListParts(t.Context(), upload("id"), 0)
			checkCode(t, err, s.Status(sandbox.VOD, code), code, want, "vod:GetUploadDetails")
			_, err = d.ListUploads(t.Context(), bucket, "id", mpu.Marker{})
			if want == mpu.Gone { // one video that is gone is no upload, and a whole listing is never gone
				if err != nil {
					t.Errorf("lookup: %v", err)
				}
				want = 0
			} else {
				checkCode(t, err, s.Status(sandbox.VOD, code), code, want, "vod:GetVideoInfos")
			}
			_, err = d.ListUploads(t.Context(), bucket, "", mpu.Marker{})
			checkCode(t, err, s.Status(sandbox.VOD, code), code, want, "vod:GetVideoList")
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

func checkCode(t *testing.T, err error, status int, code string, want mpu.Kind, permission string) {
	t.Helper()
	e, ok := errors.AsType[*mpu.Error](err)
	if !ok || e.Kind != want || e.Code != code || e.Status != status || e.RequestID == "" || e.Message == "" {
		t.Fatalf("error %#v, want kind %v, status %d, a request ID and a message", err, want, status)
	}
	if want == mpu.Denied && !strings.Contains(e.Hint, permission) {
		t.Errorf("hint %q does not name %s", e.Hint, permission)
	}
	if strings.HasPrefix(code, "Throttling") && e.RetryAfter <= 0 {
		t.Error("a throttled request is not told when to come back")
	}
}

func TestRefused(t *testing.T) {
	s := start(t, sandbox.Options{})
	d := open(t, s, sandbox.SecretAccessKey)
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	other := mpu.Bucket{Store: "vod", Region: "cn-shanghai", Name: region}
	for _, test := range []struct {
		name string
		ctx  context.Context
		u    mpu.Upload
		want error
	}{
		{"no ID", t.Context(), upload(""), mpu.Refused},
		{"blank ID", t.Context(), upload(" "), mpu.Refused},
		{"two IDs", t.Context(), upload("a,b"), mpu.Refused},
		{"no bucket", t.Context(), mpu.Upload{Key: "a", UploadID: "a"}, mpu.Refused},
		{"two regions", t.Context(), mpu.Upload{Bucket: other, Key: "a", UploadID: "a"}, mpu.Refused},
		{"dead context", dead, upload("a"), context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := d.AbortUpload(test.ctx, test.u); !errors.Is(err, test.want) {
				t.Errorf("abort: %v, want %v", err, test.want)
			}
			if _, err := d.ListParts(test.ctx, test.u, 0); !errors.Is(err, test.want) {
				t.Errorf("parts: %v, want %v", err, test.want)
			}
			if test.u.Key == "" {
				return // an empty prefix is a listing of all
			}
			if _, err := d.ListUploads(test.ctx, test.u.Bucket, test.u.Key, mpu.Marker{}); !errors.Is(err, test.want) {
				t.Errorf("list: %v, want %v", err, test.want)
			}
		})
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// What is over the limit is told when to come back.
func TestLimit(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.EnforceLimits(true)
	d := open(t, s, sandbox.SecretAccessKey)
	var throttled *mpu.Error
	for range 100 { // more than 10 of them fall into one second, however slow the machine
		if err := d.AbortUpload(t.Context(), upload("none")); errors.Is(err, mpu.Transient) {
			throttled, _ = errors.AsType[*mpu.Error](err)
			break
		}
	}
	if throttled == nil || throttled.Status != http.StatusBadRequest || throttled.RetryAfter <= 0 || throttled.RetryAfter > time.Second {
		t.Errorf("error %+v, want a throttled request", throttled)
	}
}

func TestDriver(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Service {
		s := start(t, sandbox.Options{})
		created := 0
		return &storetest.Service{
			Bucket: bucket,
			Open: func(t *testing.T, how storetest.Opening) store.Driver {
				secret := sandbox.SecretAccessKey
				if how.WrongSecret {
					secret = "wrong"
				}
				d := open(t, s, secret)
				if how.PageSize > 0 {
					d.PageSize = how.PageSize
				}
				return d
			},
			Create: func(t *testing.T, _ string) mpu.Upload {
				created++
				id := strings.Repeat("0", created) + "id"
				s.AddVideo(region, sandbox.Video{ID: id})
				return upload(id)
			},
			AddPart: func(t *testing.T, u mpu.Upload, bytes int64) { s.TouchVideo(region, u.UploadID, bytes) },
			Complete: func(t *testing.T, u mpu.Upload) {
				s.AddVideo(region, sandbox.Video{ID: u.UploadID, Status: "Normal"})
			},
			Finished: func(t *testing.T, u mpu.Upload) bool {
				for _, v := range s.Videos(region) {
					if v.ID == u.UploadID {
						return v.Status == "Normal"
					}
				}
				return false
			},
			Requests: func() int { return len(s.Ledger()) },
			Fail: func(t *testing.T, how storetest.Failure, n int) {
				f := sandbox.Fault{Service: sandbox.VOD, Times: n, Code: "Throttling.User"}
				if how == storetest.HTML503 {
					f.Code, f.Respond = "", func(w http.ResponseWriter) {
						w.WriteHeader(http.StatusServiceUnavailable)
						w.Write([]byte("<html>unavailable</html>"))
					}
				}
				s.Script(f)
			},
			LandPart: func(t *testing.T, u mpu.Upload, bytes int64) {
				s.Script(sandbox.Fault{Service: sandbox.VOD, Op: sandbox.OpAbort, Key: u.Key, Times: 1, LandPart: bytes})
			},
			RecordsStay: true,
		}
	}, storetest.Deviations{
		"many uploads of one key": "the media ID is key and upload ID at once",
		"strange keys":            "media IDs are given by the service",
		"prefix":                  "a prefix is a whole media ID; see TestLookUp",
		"parts after abort":       "the record stays, with no bytes",
		"no bucket":               "every region exists; removed storage is InvalidStorage.NotFound, see TestCodes",
	})
}

// named puts a request ID into an answer, as every one of VOD's has.
func named(answer string) []byte {
	if answer == "{}" {
		return []byte(`{"RequestId":"r"}`)
	}
	return []byte(strings.Replace(answer, "{", `{"RequestId":"r",`, 1))
}
