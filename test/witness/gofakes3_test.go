package main

import (
	"net/http/httptest"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/s3store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

func openS3(cfg store.Config, pageSize int) (store.Driver, error) {
	d, err := s3store.New(cfg)
	if err == nil {
		d.PageSize = pageSize
	}
	return d, err
}

// gofakes3 is a library: it is always there.
func TestGofakes3(t *testing.T) {
	t.Log("version: v1.2.0")
	s := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(s.Close)
	w := &witness{scheme: "s3", url: s.URL, accessKey: "AK", secret: "SK", client: newAWS(s.URL, "AK", "SK"), open: openS3,
		declared: storetest.Deviations{
			"nothing there": "it answers a listing of a bucket without uploads with 404 NoSuchUpload",
			"no bucket":     "it answers an abort in a bucket that does not exist with NoSuchUpload",
			"wrong secret":  "it checks no signature",
		}}
	w.examine(t)
}
