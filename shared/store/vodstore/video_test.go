package vodstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/test/sandbox"
)

func TestLookUp(t *testing.T) {
	for _, test := range []struct {
		name, status string
		want         int
	}{
		{"uploading", "Uploading", 1},
		{"failed", "UploadFail", 1},
		{"uploaded", "UploadSucc", 0},
		{"transcoding", "Transcoding", 0},
		{"ready", "Normal", 0},
		{"blocked", "Blocked", 0},
		{"absent", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.AddVideo(region, sandbox.Video{ID: "id-and-more"})
			if test.status != "" {
				s.AddVideo(region, sandbox.Video{ID: "id", Status: test.status, Created: epoch})
			}
			page, err := open(t, s, sandbox.SecretAccessKey).ListUploads(t.Context(), bucket, "id", mpu.Marker{})
			if err != nil || len(page.Uploads) != test.want || page.More {
				t.Fatalf("%+v, %v; want %d uploads", page, err, test.want)
			}
			if test.want > 0 {
				want := upload("id")
				want.Initiated, want.Active = epoch, epoch
				if page.Uploads[0] != want {
					t.Errorf("%+v, want %+v", page.Uploads[0], want)
				}
			}
			if n := len(s.Ledger()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestLookUpAnswers(t *testing.T) {
	const record = `{"VideoId":"id","Status":"Uploading","CreationTime":"2025-01-01T00:00:00Z"}`
	for _, test := range []struct {
		name, answer string
		want         int
		fails        bool
	}{
		{"as documented", `{"VideoList":[` + record + `],"NonExistVideoIds":[]}`, 1, false},
		{"a level in between", `{"VideoList":{"Video":[` + record + `]}}`, 1, false},
		{"does not exist", `{"VideoList":[],"NonExistVideoIds":["id"]}`, 0, false},
		{"does not exist, in short", `{"NonExistVideoIds":["id"]}`, 0, false},
		{"unknown status", `{"VideoList":[{"VideoId":"id","Status":"Resting"}]}`, 0, false},
		{"another video", `{"VideoList":[{"VideoId":"other","Status":"Uploading"}]}`, 0, true},
		{"nothing", `{"VideoList":[],"NonExistVideoIds":[]}`, 0, true},
		{"nothing at all", `{}`, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.Script(sandbox.Fault{Mangle: func(int, []byte) []byte { return named(test.answer) }})
			page, err := open(t, s, sandbox.SecretAccessKey).ListUploads(t.Context(), bucket, "id", mpu.Marker{})
			if test.fails != (err != nil) || len(page.Uploads) != test.want || mpu.KindOf(err) != 0 {
				t.Errorf("%+v, %v; want %d uploads", page, err, test.want)
			}
		})
	}
}

// A video that is gone by its code has no upload, whatever the operation answers for one that never was.
func TestLookUpGone(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.Script(sandbox.Fault{Code: "InvalidVideo.NotFound", Service: sandbox.VOD})
	page, err := open(t, s, sandbox.SecretAccessKey).ListUploads(t.Context(), bucket, "id", mpu.Marker{})
	if err != nil || len(page.Uploads) != 0 {
		t.Errorf("%+v, %v; want an empty page", page, err)
	}
}

func TestListParts(t *testing.T) {
	created, modified := epoch, epoch.Add(time.Hour)
	const times = `"CreationTime":"2025-01-01T00:00:00Z","ModificationTime":"2025-01-01T01:00:00Z"`
	for _, test := range []struct {
		name, answer string
		want         store.Parts
		kind         mpu.Kind
		says         string
	}{
		{"some", `{"UploadDetails":[{"MediaId":"id","Status":"Uploading","UploadSize":7,` + times + `}]}`,
			store.Parts{Count: 1, Bytes: 7, Newest: modified, Initiated: created}, 0, ""},
		{"size as a string", `{"UploadDetails":[{"MediaId":"id","Status":"UploadFail","UploadSize":"7",` + times + `}]}`,
			store.Parts{Count: 1, Bytes: 7, Newest: modified, Initiated: created}, 0, ""},
		{"none", `{"UploadDetails":[{"MediaId":"id","Status":"Uploading","UploadSize":0,` + times + `}]}`,
			store.Parts{Newest: modified, Initiated: created}, 0, ""},
		{"no status, no times", `{"UploadDetails":[{"MediaId":"id","UploadSize":7}]}`, store.Parts{Count: 1, Bytes: 7}, 0, ""},
		{"no details of this kind of upload", `{"UploadDetails":[],"NonExistMediaIds":[],"ForbiddenMediaIds":[]}`, store.Parts{}, 0, ""},
		{"details of another", `{"UploadDetails":[{"MediaId":"other","Status":"Normal"}]}`, store.Parts{}, 0, ""},
		{"no details at all", `{"RequestId":"r"}`, store.Parts{}, 0, ""},
		{"does not exist", `{"UploadDetails":[],"NonExistMediaIds":["id"]}`, store.Parts{}, mpu.Gone, "does not exist"},
		{"finished", `{"UploadDetails":[{"MediaId":"id","Status":"Normal","UploadSize":7}]}`, store.Parts{}, mpu.Gone, `"Normal"`},
		{"forbidden", `{"UploadDetails":[],"ForbiddenMediaIds":["id"]}`, store.Parts{}, mpu.Denied, "vod:GetUploadDetails"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, sandbox.Options{})
			s.Script(sandbox.Fault{Mangle: func(int, []byte) []byte { return named(test.answer) }})
			got, err := open(t, s, sandbox.SecretAccessKey).ListParts(t.Context(), upload("id"), 0)
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if test.kind == 0 && err != nil || test.kind != 0 && (!errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("error %v, want %v with %q", err, test.kind, test.says)
			}
		})
	}
}
