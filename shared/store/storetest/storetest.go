// Package storetest is the examiner that every driver faces: one function, [Run], and the same questions to each cloud.
//
// A driver's own test supplies a [Harness]. What a service cannot be asked, because its API has no such thing, is declared
// as a deviation with its reason; it is printed, never passed over in silence. What the questions rely on, and so what a
// caller of any driver may rely on, is the contract of [store.Driver].
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// A Harness makes a fresh service for one question, with an empty bucket in it.
type Harness func(t *testing.T) *Service

// A Service is the cloud behind a driver, as far as the examiner must prepare and watch it.
type Service struct {
	Bucket mpu.Bucket // exists and has no uploads
	Absent mpu.Bucket // does not exist

	// Open returns a driver for the service.
	Open func(t *testing.T, how Opening) store.Driver
	// Create begins an upload. Where the service gives the keys, key is only a hint.
	Create func(t *testing.T, key string) mpu.Upload
	// AddPart uploads one more part.
	AddPart func(t *testing.T, u mpu.Upload, bytes int64)
	// Complete finishes the upload.
	Complete func(t *testing.T, u mpu.Upload)
	// Finished reports whether what Complete made is still there.
	Finished func(t *testing.T, u mpu.Upload) bool
	// Requests counts the requests that have reached the service.
	Requests func() int
	// Fail makes the next n requests fail.
	Fail func(t *testing.T, how Failure, n int)
	// LandPart makes the next abort of the upload answer success while a part of so many bytes lands behind it.
	LandPart func(t *testing.T, u mpu.Upload, bytes int64)
	// Refuses are keys that the service cannot store, each with the reason.
	Refuses map[string]string
	// Doubt is what a listing that shows all there is says all the same of being incomplete, because the service is not to be
	// trusted.
	Doubt string
	// RecordsStay says that an aborted upload stays in the listing (vod): only another abort tells that it is gone.
	RecordsStay bool
}

// An Opening says how a driver is opened.
type Opening struct {
	WrongSecret bool
	PageSize    int // uploads a page; 0 is the service's own
}

// A Failure is how a service fails for a while.
type Failure int

// The failures.
const (
	Throttled Failure = iota // the service's own answer to too many requests
	HTML503                  // a 503 from something in between, with an HTML body
)

// Deviations name the questions that a service is not asked, each with the reason.
type Deviations map[string]string

type question struct {
	name string
	ask  func(t *testing.T, s *Service)
}

var questions = []question{
	{"nothing there", askNothing},
	{"one", askOne},
	{"many keys", askManyKeys},
	{"many uploads of one key", askOneKey},
	{"page size one", askPageSizeOne},
	{"strange keys", askStrangeKeys},
	{"prefix", askPrefix},
	{"parts", askParts},
	{"abort", askAbort},
	{"abort twice", askAbortTwice},
	{"parts after abort", askPartsAfterAbort},
	{"part in flight", askPartInFlight},
	{"finished upload", askFinished},
	{"no bucket", askNoBucket},
	{"wrong secret", askWrongSecret},
	{"throttled twice", askThrottledTwice},
	{"503 with HTML", askHTML503},
	{"dead context", askDeadContext},
	{"blank upload ID", askBlank},
}

// Run asks a driver every question. A deviation that names no question fails the test.
func Run(t *testing.T, h Harness, declared Deviations) {
	for name := range declared {
		if !slices.ContainsFunc(questions, func(q question) bool { return q.name == name }) {
			t.Errorf("deviation %q names no question", name)
		}
	}
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			if reason := declared[q.name]; reason != "" {
				t.Skip("declared deviation: " + reason)
			}
			q.ask(t, h(t))
		})
	}
}

// open returns a store over the driver with short waits, so that throttling takes milliseconds.
func (s *Service) open(t *testing.T, how Opening) *store.Store {
	return store.New(s.Open(t, how), store.Retry(4, time.Millisecond, 4*time.Millisecond))
}

// list reads the whole listing through the store.
func (s *Service) list(t *testing.T, st *store.Store, prefix string) []mpu.Upload {
	t.Helper()
	var all []mpu.Upload
	for page, err := range st.Pages(t.Context(), s.Bucket, prefix, mpu.Marker{}) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if page.Incomplete != "" && page.Incomplete != s.Doubt {
			t.Errorf("the listing says that it is incomplete: %s", page.Incomplete)
		}
		all = append(all, page.Uploads...)
	}
	return all
}

// names returns sorted (key, upload ID) pairs for comparison.
func names(us []mpu.Upload) []string {
	var s []string
	for _, u := range us {
		s = append(s, fmt.Sprintf("%q %s", u.Key, u.UploadID))
	}
	slices.Sort(s)
	return s
}

func wantUploads(t *testing.T, got, want []mpu.Upload) {
	t.Helper()
	if g, w := names(got), names(want); !slices.Equal(g, w) {
		t.Errorf("listed %d uploads, want %d\ngot  %s\nwant %s", len(g), len(w), brief(g), brief(w))
	}
}

func brief(s []string) string {
	if text := strings.Join(s, ", "); len(text) < 2000 {
		return text
	}
	return fmt.Sprintf("%s … %s", s[0], s[len(s)-1])
}

func wantKind(t *testing.T, what string, err error, want mpu.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want an error of kind %s", what, err, want)
	}
}

func askNothing(t *testing.T, s *Service) {
	wantUploads(t, s.list(t, s.open(t, Opening{}), ""), nil)
}

func askOne(t *testing.T, s *Service) {
	begun := time.Now()
	u := s.Create(t, "dir/one.bin")
	got := s.list(t, s.open(t, Opening{}), "")
	wantUploads(t, got, []mpu.Upload{u})
	if len(got) == 1 {
		if at := got[0].Initiated; at.IsZero() || at.Before(begun.Add(-time.Minute)) || at.After(begun.Add(time.Minute)) {
			t.Errorf("initiated %v, want about %v", at, begun)
		}
		if got[0].Bucket.Store != s.Bucket.Store || got[0].Bucket.Name != s.Bucket.Name {
			t.Errorf("bucket %v, want %v", got[0].Bucket, s.Bucket)
		}
	}
}

func askManyKeys(t *testing.T, s *Service) {
	var want []mpu.Upload
	for i := range 25 {
		want = append(want, s.Create(t, fmt.Sprintf("k/%02d", i)))
	}
	wantUploads(t, s.list(t, s.open(t, Opening{PageSize: 10}), ""), want)
}

func askOneKey(t *testing.T, s *Service) {
	var want []mpu.Upload
	for _, key := range []string{"a", "same", "same", "same", "same", "same", "same", "same", "z"} {
		want = append(want, s.Create(t, key))
	}
	wantUploads(t, s.list(t, s.open(t, Opening{PageSize: 3}), ""), want)
	// Aborting while paging on must lose none: the marker then names an upload that is gone.
	st := s.open(t, Opening{PageSize: 2})
	var aborted []mpu.Upload
	for page, err := range st.Pages(t.Context(), s.Bucket, "", mpu.Marker{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Uploads {
			if err := st.Abort(t.Context(), u, nil); err != nil {
				t.Error(err)
			}
			aborted = append(aborted, u)
		}
	}
	wantUploads(t, aborted, want)
}

func askPageSizeOne(t *testing.T, s *Service) {
	var want []mpu.Upload
	for _, key := range []string{"a", "b", "b", "c"} {
		want = append(want, s.Create(t, key))
	}
	wantUploads(t, s.list(t, s.open(t, Opening{PageSize: 1}), ""), want)
}

// StrangeKeys are keys that break careless encoders. The last is as long as a key may be on S3; a harness shortens it to
// what its service takes.
var StrangeKeys = []string{
	"a b", " lead and trail ", "100%", "%41", "a%2Fb", "a//b", "//", "/lead", "a+b", "a&b=c", "a?b#c", "a;b,c:d@e",
	"(*)'!~$[]{}|^`\\\"<>", "视频/影片.mp4", "ünï", ".", "..", "./a", "a/../b", "a/./b", "uploads", "?uploads", "=",
	"tab\there", strings.Repeat("长", 280) + strings.Repeat("k", 184),
}

func askStrangeKeys(t *testing.T, s *Service) {
	var want []mpu.Upload
	for _, key := range StrangeKeys {
		if reason := s.Refuses[key]; reason != "" {
			t.Logf("declared deviation: the key %q is not stored: %s", key, reason)
			continue
		}
		u := s.Create(t, key)
		s.AddPart(t, u, 11)
		want = append(want, u)
	}
	st := s.open(t, Opening{PageSize: 2})
	wantUploads(t, s.list(t, st, ""), want)
	for _, u := range want {
		if p, err := st.Parts(t.Context(), u); err != nil || p.Bytes != 11 {
			t.Errorf("parts of %s: %+v, %v; want 11 bytes", u, p, err)
		}
		if err := st.Abort(t.Context(), u, nil); err != nil {
			t.Errorf("abort: %v", err)
		}
	}
	wantUploads(t, s.list(t, st, ""), nil)
}

func askPrefix(t *testing.T, s *Service) {
	in := []mpu.Upload{s.Create(t, "raw/1"), s.Create(t, "raw/2")}
	s.Create(t, "ra")
	s.Create(t, "rb")
	wantUploads(t, s.list(t, s.open(t, Opening{PageSize: 1}), "raw/"), in)
}

func askParts(t *testing.T, s *Service) {
	u := s.Create(t, "parts.bin")
	st := s.open(t, Opening{})
	p, err := st.Parts(t.Context(), u)
	if err != nil || p.Count != 0 || p.Bytes != 0 {
		t.Errorf("no parts: %+v, %v", p, err)
	}
	begun := time.Now()
	for range 3 {
		s.AddPart(t, u, 1000)
	}
	p, err = st.Parts(t.Context(), u)
	if err != nil || p.Count == 0 || p.Bytes != 3000 {
		t.Errorf("three parts: %+v, %v; want 3000 bytes", p, err)
	}
	if p.Newest.Before(begun.Add(-time.Minute)) || p.Newest.After(begun.Add(time.Minute)) {
		t.Errorf("newest part %v, want about %v", p.Newest, begun)
	}
}

func askAbort(t *testing.T, s *Service) {
	u, other := s.Create(t, "gone.bin"), s.Create(t, "stays.bin")
	s.AddPart(t, u, 10)
	s.AddPart(t, other, 10)
	st := s.open(t, Opening{})
	before := s.Requests()
	if err := st.Abort(t.Context(), u, nil); err != nil {
		t.Fatal(err)
	}
	if n := s.Requests() - before; n != 1 {
		t.Errorf("the abort took %d requests, want 1", n)
	}
	if !s.RecordsStay {
		wantUploads(t, s.list(t, st, ""), []mpu.Upload{other})
	}
	if p, err := st.Parts(t.Context(), other); err != nil || p.Bytes != 10 {
		t.Errorf("the other upload: %+v, %v; want 10 bytes", p, err)
	}
}

func askAbortTwice(t *testing.T, s *Service) {
	u := s.Create(t, "twice.bin")
	s.AddPart(t, u, 10)
	st := s.open(t, Opening{})
	if err := st.Abort(t.Context(), u, nil); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "second abort", st.Abort(t.Context(), u, nil), mpu.Gone)
}

func askPartsAfterAbort(t *testing.T, s *Service) {
	u := s.Create(t, "after.bin")
	s.AddPart(t, u, 10)
	st := s.open(t, Opening{})
	if err := st.Abort(t.Context(), u, nil); err != nil {
		t.Fatal(err)
	}
	_, err := st.Parts(t.Context(), u)
	wantKind(t, "parts of an aborted upload", err, mpu.Gone)
}

func askPartInFlight(t *testing.T, s *Service) {
	u := s.Create(t, "flight.bin")
	s.AddPart(t, u, 10)
	s.LandPart(t, u, 7)
	st := s.open(t, Opening{})
	if err := st.Abort(t.Context(), u, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := st.Parts(t.Context(), u); err != nil || p.Bytes != 7 {
		t.Errorf("after the first abort: %+v, %v; want the part of 7 bytes that landed", p, err)
	}
	if err := st.Abort(t.Context(), u, nil); err != nil {
		t.Errorf("second abort: %v", err)
	}
	wantKind(t, "third abort", st.Abort(t.Context(), u, nil), mpu.Gone)
}

func askFinished(t *testing.T, s *Service) {
	u := s.Create(t, "finished.bin")
	s.AddPart(t, u, 10)
	s.Complete(t, u)
	st := s.open(t, Opening{})
	wantUploads(t, s.list(t, st, ""), nil)
	_, err := st.Parts(t.Context(), u)
	wantKind(t, "parts of a finished upload", err, mpu.Gone)
	wantKind(t, "abort of a finished upload", st.Abort(t.Context(), u, nil), mpu.Gone)
	if !s.Finished(t, u) {
		t.Error("the finished file is gone")
	}
}

func askNoBucket(t *testing.T, s *Service) {
	d := s.Open(t, Opening{})
	u := mpu.Upload{Bucket: s.Absent, Key: "k", UploadID: s.Create(t, "k").UploadID}
	_, err := d.ListUploads(t.Context(), s.Absent, "", mpu.Marker{})
	wantKind(t, "list", err, mpu.Missing)
	_, err = d.ListParts(t.Context(), u, 0)
	wantKind(t, "parts", err, mpu.Missing)
	err = d.AbortUpload(t.Context(), u)
	wantKind(t, "abort", err, mpu.Missing)
	if errors.Is(err, mpu.Gone) {
		t.Error("a bucket that does not exist passes for a clean one")
	}
}

func askWrongSecret(t *testing.T, s *Service) {
	u := s.Create(t, "secret.bin")
	s.AddPart(t, u, 10)
	d := s.Open(t, Opening{WrongSecret: true})
	before := s.Requests()
	err := store.New(d, store.Retry(4, time.Millisecond, time.Millisecond)).Abort(t.Context(), u, nil)
	wantKind(t, "abort", err, mpu.Denied)
	if n := s.Requests() - before; n != 1 {
		t.Errorf("%d requests with a wrong secret, want 1: some services lock a persistent client out", n)
	}
	if _, err := d.ListUploads(t.Context(), s.Bucket, "", mpu.Marker{}); !errors.Is(err, errors.ErrUnsupported) {
		wantKind(t, "list", err, mpu.Denied)
	}
	if err := s.open(t, Opening{}).Abort(t.Context(), u, nil); err != nil {
		t.Errorf("the upload did not survive the wrong secret: %v", err)
	}
}

func askThrottledTwice(t *testing.T, s *Service) {
	u := s.Create(t, "busy.bin")
	s.AddPart(t, u, 10)
	s.Fail(t, Throttled, 1)
	err := s.Open(t, Opening{}).AbortUpload(t.Context(), u)
	wantKind(t, "throttled", err, mpu.Transient)
	s.Fail(t, Throttled, 2)
	before := s.Requests()
	if err := s.open(t, Opening{}).Abort(t.Context(), u, nil); err != nil {
		t.Errorf("throttled twice, then fine: %v", err)
	}
	if n := s.Requests() - before; n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func askHTML503(t *testing.T, s *Service) {
	u := s.Create(t, "html.bin")
	s.AddPart(t, u, 10)
	s.Fail(t, HTML503, 1)
	err := s.Open(t, Opening{}).AbortUpload(t.Context(), u)
	wantKind(t, "503 with an HTML body", err, mpu.Transient)
	var e *mpu.Error
	if !errors.As(err, &e) || e.Status != 503 {
		t.Errorf("the status is lost: %#v", err)
	}
	if err := s.open(t, Opening{}).Abort(t.Context(), u, nil); err != nil {
		t.Errorf("the upload did not survive the 503: %v", err)
	}
}

func askDeadContext(t *testing.T, s *Service) {
	u := s.Create(t, "dead.bin")
	d := s.Open(t, Opening{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := s.Requests()
	_, list := d.ListUploads(ctx, s.Bucket, "", mpu.Marker{})
	_, parts := d.ListParts(ctx, u, 0)
	for what, err := range map[string]error{"list": list, "parts": parts, "abort": d.AbortUpload(ctx, u)} {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want an error that is context.Canceled", what, err)
		}
	}
	if n := s.Requests() - before; n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}

func askBlank(t *testing.T, s *Service) {
	u := s.Create(t, "blank.bin")
	d := s.Open(t, Opening{})
	st := store.New(d)
	before := s.Requests()
	for _, blank := range []struct {
		name string
		u    mpu.Upload
	}{
		{"upload ID", mpu.Upload{Bucket: u.Bucket, Key: u.Key}},
		{"key", mpu.Upload{Bucket: u.Bucket, UploadID: u.UploadID}},
		{"bucket", mpu.Upload{Bucket: mpu.Bucket{Store: u.Bucket.Store}, Key: u.Key, UploadID: u.UploadID}},
		{"everything", mpu.Upload{}},
	} {
		wantKind(t, "driver, blank "+blank.name, d.AbortUpload(t.Context(), blank.u), mpu.Refused)
		wantKind(t, "store, blank "+blank.name, st.Abort(t.Context(), blank.u, nil), mpu.Refused)
	}
	if n := s.Requests() - before; n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}
