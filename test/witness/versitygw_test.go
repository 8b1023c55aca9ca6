package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/partsweep/partsweep/shared/store/storetest"
)

const versitygw = "v1.8.0"

const refusesMarker = "it refuses its own upload ID marker (versity/versitygw#2149): more uploads of one key than a page holds " +
	"are reached only when those in front are gone, as the sweep does"

// buildVersitygw builds the server once, in the user's cache. The first time takes minutes.
func buildVersitygw(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		need(t, "versitygw", err.Error())
	}
	dir := filepath.Join(cache, "partsweep-witness", "versitygw-"+versitygw)
	binary := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	cmd := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", "github.com/versity/versitygw/cmd/versitygw@"+versitygw)
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		need(t, "versitygw", fmt.Sprintf("%v: %.500s", err, out))
	}
	return binary
}

func TestVersitygw(t *testing.T) {
	binary := buildVersitygw(t)
	t.Log("version: " + versitygw)
	dir := t.TempDir()
	root, users := filepath.Join(dir, "root"), filepath.Join(dir, "users")
	for _, d := range []string{root, users} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	addr := loopback(port(t))
	start(t, dir, binary, "--access", "AK", "--secret", "SK", "--port", addr, "--quiet", "--iam-dir", users, "posix", root)
	url := "http://" + addr
	await(t, "versitygw answers", func() bool { return answers(url) })
	w := &witness{scheme: "s3", url: url, accessKey: "AK", secret: "SK", client: newAWS(url, "AK", "SK"), open: openS3,
		doubt: "versitygw lists nothing as well when it cannot read its own folders",
		declared: storetest.Deviations{
			"many uploads of one key": refusesMarker,
			"page size one":           refusesMarker,
		},
		refuses: map[string]string{}}
	for _, key := range []string{"//", ".", ".."} {
		w.refuses[key] = "keys are paths in its file system"
	}
	// It takes the time of an upload's folder for its beginning.
	w.age = func(t *testing.T, bucket, key, uploadID string, at time.Time) {
		folder := filepath.Join(root, bucket, ".sgwtmp", "multipart", fmt.Sprintf("%x", sha256.Sum256([]byte(key))), uploadID)
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.Chtimes(filepath.Join(folder, e.Name()), at, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(folder, at, at); err != nil {
			t.Fatal(err)
		}
	}
	w.examine(t)
}
