package s3store

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// TestSignaturesAreTheSDKs: every request that this driver can send is signed as the SDK would sign it.
func TestSignaturesAreTheSDKs(t *testing.T) {
	sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	names := []string{"a", "raw/a b.mxf", "ключ/ü+é", "a//b/../c", "~!*'();:@&=+$,/?%#[]", "100%25", "\x01\x7f\xff", "a=b&c"}
	clock := time.Date(2026, 11, 26, 23, 59, 59, 0, time.UTC)
	sent := 0
	for _, endpoint := range []string{"", "http://127.0.0.1:9000", "https://s3.example.com:443", "http://{bucket}.example.com:80"} {
		for _, token := range []string{"", "token/+=="} {
			own := store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret/+", SessionToken: token}
			check := func(r *http.Request) {
				got := r.Header.Get("Authorization")
				again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
				again.Header.Set("X-Amz-Content-Sha256", wire.EmptyHash)
				keys := aws.Credentials{AccessKeyID: own.AccessKeyID, SecretAccessKey: own.SecretAccessKey, SessionToken: token}
				if err := sdk.SignHTTP(context.Background(), keys, again, wire.EmptyHash, "s3", "eu-west-1", clock); err != nil {
					t.Fatal(err)
				}
				if want := again.Header.Get("Authorization"); got != want {
					t.Errorf("%s %s\n  %s\n  want %s", r.Method, r.URL, got, want)
				}
				if got, want := r.Header.Get("X-Amz-Security-Token"), token; got != want {
					t.Errorf("the session token is %q, want %q", got, want)
				}
				sent++
			}
			d, err := New(store.Config{Endpoint: endpoint, Now: func() time.Time { return clock },
				Credentials: func(context.Context) (store.Credentials, error) { return own, nil },
				Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					check(r)
					return nil, io.ErrUnexpectedEOF
				})}})
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				other := names[(i+1)%len(names)]
				u := mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: cmp.Or(map[int]string{1: "media.in"}[i], "media"), Region: "eu-west-1"},
					Key: name, UploadID: other}
				d.ListUploads(t.Context(), u.Bucket, name, mpu.Marker{Key: name, UploadID: other})
				d.ListUploads(t.Context(), u.Bucket, "", mpu.Marker{})
				d.ListParts(t.Context(), u, i)
				d.AbortUpload(t.Context(), u)
				d.ListBuckets(t.Context(), u.Bucket, name)
				clock = clock.Add(time.Second) // past midnight too
			}
		}
	}
	if want := 4*2*len(names)*5 - 2*len(names); sent != want { // one endpoint has no place for a listing of buckets
		t.Errorf("%d requests were sent, want %d", sent, want)
	}
}

// BenchmarkSign compares the signer with the SDK's.
func BenchmarkSign(b *testing.B) {
	request := func() *http.Request {
		r, err := http.NewRequest(http.MethodDelete, "https://media.s3.eu-west-1.amazonaws.com/raw/part-0001.bin?uploadId=VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA", nil)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	now := time.Now()
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		var s wire.SignerV4
		r := request()
		for b.Loop() {
			clear(r.Header)
			s.Sign(r, wire.Signing{Place: wire.Place{Region: "eu-west-1"}, Now: now,
				Credentials: store.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}}, wire.EmptyHash)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		s := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		r := request()
		for b.Loop() {
			clear(r.Header)
			r.Header.Set("X-Amz-Content-Sha256", wire.EmptyHash)
			if err := s.SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, r, wire.EmptyHash, "s3", "eu-west-1", now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
