package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bare sends the requests of a sweep with net/http and nothing else: no signature, no decision, no retry, no report. It is
// what the requests themselves cost. The pages are read one after the other, as partsweep's are.
func bare(url string, uploads, workers int, inspect bool) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
	send := func(method, path string) error {
		req, err := http.NewRequest(method, url+path, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return nil
	}
	each := func(i int) error {
		path := "/bench/" + keyOf(i) + "?uploadId=" + uploadIDOf(i)
		if inspect {
			if err := send(http.MethodGet, path); err != nil {
				return err
			}
		}
		return send(http.MethodDelete, path)
	}
	pages := func() error {
		for i := -1; i < uploads-1; i += pageSize {
			marker := ""
			if i >= 0 {
				marker = "&key-marker=" + strings.ReplaceAll(keyOf(i), "/", "%2F") + "&upload-id-marker=" + uploadIDOf(i)
			}
			if err := send(http.MethodGet, "/bench?uploads"+marker); err != nil {
				return err
			}
		}
		return nil
	}
	listed := make(chan error, 1)
	go func() { listed <- pages() }()
	if err := inParallel(uploads, workers, each); err != nil {
		return err
	}
	return <-listed
}

// naive is what one writes first: aws-sdk-go-v2 with its defaults lists all, and 64 goroutines abort.
func naive(url string, workers int) error {
	ctx := context.Background()
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
	var uploads []s3.AbortMultipartUploadInput
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: aws.String("bench")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			uploads = append(uploads, s3.AbortMultipartUploadInput{Bucket: aws.String("bench"), Key: u.Key, UploadId: u.UploadId})
		}
	}
	return inParallel(len(uploads), workers, func(i int) error {
		_, err := client.AbortMultipartUpload(ctx, &uploads[i])
		return err
	})
}

// inParallel does n things with so many workers, and returns an error of one of them.
func inParallel(n, workers int, do func(i int) error) (err error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if failed := do(i); failed != nil {
					once.Do(func() { err = failed })
					return
				}
			}
		})
	}
	wg.Wait()
	return err
}
