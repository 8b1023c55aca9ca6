package vodstore

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// told answers every request with the same words.
type told struct {
	status int
	body   []byte
}

func (a told) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: r}, nil
}

// FuzzAnswers reads answers of any kind, to each operation. No panic, no upload with a blank, and nothing but the
// service's own code makes an upload gone.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"RequestId":"r","Total":1,"VideoList":{"Video":[{"VideoId":"61ccbdb06fa3012be4d8083f6","Status":"Uploading","CreationTime":"2026-11-01T00:00:00Z","ModificationTime":"2026-11-01T00:00:00Z"}]}}`,
		`{"RequestId":"r","UploadDetails":[{"MediaId":"61ccbdb06fa3012be4d8083f6","UploadSize":5,"UploadRatio":0.5,"UploadStatus":"Uploading","ModificationTime":"2026-11-01T00:00:00Z"}]}`,
		`{"RequestId":"r","Code":"InvalidMultipartUpload.NotFound","Message":"m"}`, `{"Total":-1}`, `{"VideoList":null}`, `[]`, `null`, ``, `<html>`,
	} {
		f.Add(200, []byte(body))
		f.Add(400, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		d, err := New(store.Config{Endpoint: "http://127.0.0.1:1", Client: &http.Client{Transport: told{status, body}},
			Credentials: func(context.Context) (store.Credentials, error) {
				return store.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		page, err := d.ListUploads(t.Context(), bucket, "", mpu.Marker{})
		for _, u := range page.Uploads {
			if err != nil || u.Key == "" || u.UploadID == "" {
				t.Errorf("%+v, %v", u, err)
			}
		}
		if len(page.Uploads) > len(body) {
			t.Errorf("%d uploads in %d bytes", len(page.Uploads), len(body))
		}
		u := upload("61ccbdb06fa3012be4d8083f6")
		if p, err := d.ListParts(t.Context(), u, 0); err == nil && (p.Count < 0 || p.Bytes < 0) {
			t.Errorf("%+v", p)
		}
		err = d.AbortUpload(t.Context(), u)
		if mpu.KindOf(err) == mpu.Gone && !bytes.Contains(body, []byte("NotFound")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("gone: %v", err)
		}
		if err == nil && status/100 != 2 {
			t.Errorf("status %d passes for success", status)
		}
	})
}
