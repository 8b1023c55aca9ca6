// Package builds what is deployed, into dist: a zip for each platform's function.
//
//	go run ./infra/package              all of them
//	go run ./infra/package -out folder
//
// The same source and Go version give the same bytes: paths are trimmed, nothing of the repository is stamped in, and the
// files in the zips have one time.
package main

import (
	"archive/zip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// An artifact is one function's zip.
type artifact struct {
	function string // below functions
	arch     string
	file     string // in the zip, where the platform looks for it
	tags     string
}

var artifacts = []artifact{
	{"lambda", "arm64", "bootstrap", "lambda.norpc"},
	{"fc", "amd64", "main", ""},
	{"scf", "amd64", "main", ""},
	{"http", "amd64", "bootstrap", ""},
}

func main() {
	out := flag.String("out", "dist", "the folder that the zips go to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "partsweep-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, a := range artifacts {
		binary := filepath.Join(work, a.function)
		if err := a.build(binary); err != nil {
			return err
		}
		path := filepath.Join(out, a.function+".zip")
		sum, size, err := a.pack(binary, path)
		if err != nil {
			return err
		}
		fmt.Printf("%-16s linux/%s  %4.1f MB  sha256 %x\n", path, a.arch, float64(size)/(1<<20), sum)
	}
	return nil
}

func (a artifact) build(binary string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-tags", a.tags, "-o", binary,
		"github.com/partsweep/partsweep/functions/"+a.function)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+a.arch, "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// pack writes the zip, and returns its hash and size.
func (a artifact) pack(binary, path string) (sum []byte, size int64, err error) {
	in, err := os.Open(binary)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	file, err := os.Create(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	hash := sha256.New()
	z := zip.NewWriter(io.MultiWriter(file, hash))
	header := &zip.FileHeader{Name: a.file, Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, 0, err
	}
	if _, err := io.Copy(w, in); err != nil {
		return nil, 0, err
	}
	if err := z.Close(); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return hash.Sum(nil), info.Size(), file.Close()
}
