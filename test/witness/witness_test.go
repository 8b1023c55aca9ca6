package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

const region = "us-east-1"

// A witness is a server that runs, the driver that is examined on it, and the client that makes the uploads.
type witness struct {
	scheme    string
	url       string
	secret    string
	accessKey string
	client    client
	open      func(cfg store.Config, pageSize int) (store.Driver, error)
	refuses   map[string]string // keys that the server cannot store, with the reason
	declared  storetest.Deviations
	doubt     string
	// age makes an upload look as old as that, nil where the server cannot be told. Then the clock of the sweep is moved.
	age func(t *testing.T, bucket, key, uploadID string, at time.Time)
}

// need says why a server cannot run. If it is named in PARTSWEEP_WITNESSES that fails the test.
func need(t *testing.T, name, how string) {
	t.Helper()
	must := strings.FieldsFunc(os.Getenv("PARTSWEEP_WITNESSES"), func(r rune) bool { return r == ' ' || r == ',' })
	if slices.Contains(must, name) {
		t.Fatalf("%s must run here: %s", name, how)
	}
	t.Skipf("not installed: %s", how)
}

var buckets atomic.Int64

func (w *witness) bucket(t *testing.T) mpu.Bucket {
	t.Helper()
	b := mpu.Bucket{Store: w.scheme, Region: region, Name: fmt.Sprintf("bucket-%s-%d", w.scheme, buckets.Add(1))}
	if err := w.client.createBucket(b.Name); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	return b
}

func (w *witness) driver(t *testing.T, tr *transport, secret string, pageSize int) store.Driver {
	t.Helper()
	d, err := w.open(store.Config{
		Region: region, Endpoint: w.url, PathStyle: true, Client: &http.Client{Transport: tr},
		Credentials: func(context.Context) (store.Credentials, error) {
			return store.Credentials{AccessKeyID: w.accessKey, SecretAccessKey: secret}, nil
		},
	}, pageSize)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// examine asks the questions that every driver is asked, and sweeps.
func (w *witness) examine(t *testing.T) {
	storetest.Run(t, w.service, w.declared)
	t.Run("refused keys", w.checkRefused)
	t.Run("sweep", w.sweep)
}

// checkRefused makes sure that the keys which are not asked about really cannot be stored.
func (w *witness) checkRefused(t *testing.T) {
	b := w.bucket(t)
	for key := range w.refuses {
		if id, err := w.client.create(b.Name, key); err == nil {
			t.Errorf("key %q can be stored: upload %s", key, id)
		}
	}
}

// service makes the server ready for one question.
func (w *witness) service(t *testing.T) *storetest.Service {
	tr := &transport{}
	b := w.bucket(t)
	etags := map[string][]string{}
	addPart := func(u mpu.Upload, n int, bytes int64) {
		etag, err := w.client.part(u.Bucket.Name, u.Key, u.UploadID, n, bytes)
		if err != nil {
			t.Fatalf("upload part: %v", err)
		}
		etags[u.UploadID] = append(etags[u.UploadID], etag)
	}
	absent := b
	absent.Name = "no-such-bucket"
	return &storetest.Service{
		Bucket: b, Absent: absent, Refuses: w.refuses, Doubt: w.doubt, Requests: tr.count,
		Open: func(t *testing.T, how storetest.Opening) store.Driver {
			secret := w.secret
			if how.WrongSecret {
				secret = "wrong"
			}
			return w.driver(t, tr, secret, how.PageSize)
		},
		Create: func(t *testing.T, key string) mpu.Upload {
			id, err := w.client.create(b.Name, key)
			if err != nil {
				t.Fatalf("create upload of %q: %v", key, err)
			}
			return mpu.Upload{Bucket: b, Key: key, UploadID: id}
		},
		AddPart: func(t *testing.T, u mpu.Upload, bytes int64) { addPart(u, len(etags[u.UploadID])+1, bytes) },
		Complete: func(t *testing.T, u mpu.Upload) {
			if err := w.client.complete(b.Name, u.Key, u.UploadID, etags[u.UploadID]); err != nil {
				t.Fatalf("complete: %v", err)
			}
		},
		Finished: func(t *testing.T, u mpu.Upload) bool {
			ok, err := w.client.exists(b.Name, u.Key)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		},
		Fail: func(_ *testing.T, how storetest.Failure, n int) { tr.fail(how, n) },
		LandPart: func(t *testing.T, u mpu.Upload, bytes int64) {
			tr.landBehind(u, func() { addPart(u, 1, bytes) })
		},
	}
}

// sweep leaves what clients leave and sweeps it: more than a page, more than a page of one key, and uploads that are alive.
func (w *witness) sweep(t *testing.T) {
	b := w.bucket(t)
	stale, live := map[string]int64{}, map[string]bool{}
	old := time.Now().Add(-72 * time.Hour)
	begin := func(key string, parts int) string {
		id, err := w.client.create(b.Name, key)
		for n := range parts {
			if err == nil {
				_, err = w.client.part(b.Name, key, id, n+1, 1000)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	leave := func(key string, parts int) {
		id := begin(key, parts)
		stale[id] = int64(parts) * 1000
		if w.age != nil {
			w.age(t, b.Name, key, id, old)
		}
	}
	for i := range 12 {
		leave(fmt.Sprintf("raw/%02d.bin", i), i%3)
		leave("same.bin", 1)
	}
	// On a server that cannot be told how old an upload is, the old ones are those that are older than this moment.
	if w.age == nil {
		time.Sleep(3 * time.Second)
	}
	cut := time.Now()
	if w.age == nil {
		time.Sleep(2 * time.Second)
	}
	for _, key := range []string{"raw/00.bin", "same.bin", "young.bin"} {
		live[begin(key, 1)] = true
	}
	done := begin("done.bin", 0)
	etag, err := w.client.part(b.Name, "done.bin", done, 1, 1000)
	if err == nil {
		err = w.client.complete(b.Name, "done.bin", done, []string{etag})
	}
	if err != nil {
		t.Fatal(err)
	}
	slow := w.slow(t, b, stale, begin)
	if slow != "" {
		live[slow] = true
	}
	report := w.run(t, b, cut)
	var freed int64
	for _, n := range stale {
		freed += n
	}
	left, err := w.client.open(b.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range left {
		if !live[id] {
			t.Errorf("%s is left", id)
		}
		delete(live, id)
	}
	if len(live) > 0 {
		t.Errorf("aborted %v, which are alive", live)
	}
	if report.Totals.Aborted != len(stale) || report.Totals.BytesFreed != freed || report.Err() != nil {
		t.Errorf("aborted %d, %d bytes, %v; want %d and %d", report.Totals.Aborted, report.Totals.BytesFreed, report.Err(), len(stale), freed)
	}
	if ok, err := w.client.exists(b.Name, "done.bin"); !ok || err != nil {
		t.Errorf("the finished object: %v, %v", ok, err)
	}
	if again := w.run(t, b, cut); again.Totals.Aborted != 0 || again.Err() != nil {
		t.Errorf("the second sweep: %+v, %v", again.Totals, again.Err())
	}
	t.Logf("swept: aborted %d of %d, freed %d bytes, kept %d, %d verified; notes: %s", report.Totals.Aborted,
		report.Totals.Found, report.Totals.BytesFreed, report.Totals.Kept, report.Totals.Verified,
		cmp.Or(strings.Join(report.Notes, "; "), "none"))
}

// slow makes one of the old uploads show a sign of life: a part that comes now.
func (w *witness) slow(t *testing.T, b mpu.Bucket, stale map[string]int64, begin func(string, int) string) string {
	t.Helper()
	if w.age == nil {
		for id := range stale {
			if stale[id] == 1000 { // of the key that many share
				if _, err := w.client.part(b.Name, "same.bin", id, 2, 1000); err == nil {
					delete(stale, id)
					return id
				}
			}
		}
		return ""
	}
	id := begin("slow.bin", 1)
	w.age(t, b.Name, "slow.bin", id, time.Now().Add(-72*time.Hour))
	if _, err := w.client.part(b.Name, "slow.bin", id, 2, 1000); err != nil {
		t.Fatal(err)
	}
	return id
}

// run sweeps with a few uploads a page.
func (w *witness) run(t *testing.T, b mpu.Bucket, cut time.Time) *janitor.Report {
	t.Helper()
	st := store.New(w.driver(t, &transport{}, w.secret, 5), store.Retry(4, 50*time.Millisecond, time.Second))
	j := janitor.Janitor{Open: func(mpu.Bucket) (*store.Store, error) { return st, nil }, Apply: true, MinAge: 24 * time.Hour, Pause: 100 * time.Millisecond}
	request := mpu.Request{Bucket: b, OlderThan: 48 * time.Hour}
	if w.age == nil {
		j.MinAge, request = time.Second, mpu.Request{Bucket: b, Before: cut.UTC()}
	}
	return j.Run(t.Context(), []janitor.Task{{Request: request}})
}
