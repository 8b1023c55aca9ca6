package vodstore

import (
	"context"
	"errors"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/test/sandbox"
)

func TestMediaOfPull(t *testing.T) {
	s := start(t, sandbox.Options{})
	shanghai := mpu.Bucket{Store: "vod", Region: "cn-shanghai", Name: "cn-shanghai"}
	s.AddURLJob("cn-shanghai", sandbox.URLJob{ID: "job", MediaID: "media", Status: "fail"})
	s.AddURLJob("cn-shanghai", sandbox.URLJob{ID: "early", Status: "fail"})
	s.AddURLJob("cn-shanghai", sandbox.URLJob{ID: "done", MediaID: "media", Status: "SUCCESS"})
	s.AddURLJob("cn-shanghai", sandbox.URLJob{ID: "going on", MediaID: "media", Status: "Uploading"})
	st := store.New(open(t, s, sandbox.SecretAccessKey))
	for _, tt := range []struct {
		job, media string
		kind       mpu.Kind
	}{{"job", "media", 0}, {"early", "", mpu.Gone}, {"unknown", "", mpu.Gone}, {"", "", mpu.Refused},
		{"done", "", mpu.Refused}, {"going on", "", mpu.Refused}} {
		t.Run(tt.job, func(t *testing.T) {
			media, err := st.MediaOfPull(t.Context(), shanghai, tt.job)
			if media != tt.media || mpu.KindOf(err) != tt.kind || (err == nil) != (tt.kind == 0) {
				t.Errorf("%q, %v", media, err)
			}
		})
	}
	// What a region cannot answer is an error, and not a pull that left nothing behind.
	if _, err := st.MediaOfPull(t.Context(), bucket, "job"); err == nil || errors.Is(err, mpu.Gone) {
		t.Errorf("in %s: %v", bucket.Name, err)
	}
	wrong := store.New(open(t, s, "wrong"))
	if _, err := wrong.MediaOfPull(t.Context(), shanghai, "job"); !errors.Is(err, mpu.Denied) {
		t.Errorf("wrong secret: %v", err)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.MediaOfPull(dead, shanghai, "job"); !errors.Is(err, context.Canceled) {
		t.Errorf("dead context: %v", err)
	}
}
