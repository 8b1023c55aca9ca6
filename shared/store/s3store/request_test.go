package s3store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

const (
	aborted  = "HTTP/1.1 204 No Content\r\nX-Amz-Request-Id: 656c76696e6727732072657175657374\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\nServer: AmazonS3\r\n\r\n"
	partsXML = `<?xml version="1.0" encoding="UTF-8"?><ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>media</Bucket>` +
		`<Key>raw/part-0001.bin</Key><UploadId>VXBsb2FkIElE</UploadId><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber>` +
		`<LastModified>2026-11-20T09:00:00.000Z</LastModified><ETag>"0123456789abcdef"</ETag><Size>5242880</Size></Part></ListPartsResult>`
)

// answering returns the address of a server that gives every request one answer, and allocates nothing for it, so that what is
// counted is the client's.
func answering(b testing.TB, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				text, in := []byte(answer), bufio.NewReader(conn)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) > 2 {
						continue // of the header; no request has a body
					}
					if _, err := conn.Write(text); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// requests are the requests of a sweep, each of them by this driver, by net/http alone and by the SDK with its defaults.
func requests(b testing.TB) []request {
	parts := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s", len(partsXML), partsXML)
	abort, look := answering(b, aborted), answering(b, parts)
	u := mpu.Upload{Bucket: mpu.Bucket{Store: "s3", Name: "media"}, Key: "raw/part-0001.bin", UploadID: "VXBsb2FkIElE"}
	own := func(url string) *Driver {
		d, err := New(store.Config{Endpoint: url, PathStyle: true, Credentials: creds})
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	theirs := func(url string) *s3.Client {
		return s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
	}
	bare := func(method, url string) func(context.Context) error {
		client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
		return func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, method, url+"/media/"+u.Key+"?uploadId="+u.UploadID, nil)
			if err != nil {
				return err
			}
			resp, err := client.Do(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		}
	}
	aborter, looker := own(abort), own(look)
	sdkAborter, sdkLooker := theirs(abort), theirs(look)
	return []request{
		{"abort/own", func(ctx context.Context) error { return aborter.AbortUpload(ctx, u) }},
		{"abort/bare", bare(http.MethodDelete, abort)},
		{"abort/sdk", func(ctx context.Context) error {
			_, err := sdkAborter.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.Bucket.Name, Key: &u.Key, UploadId: &u.UploadID})
			return err
		}},
		{"look/own", func(ctx context.Context) error {
			p, err := looker.ListParts(ctx, u, 0)
			if err == nil && p.Bytes != 5<<20 {
				return fmt.Errorf("%d bytes in the parts", p.Bytes)
			}
			return err
		}},
		{"look/bare", bare(http.MethodGet, look)},
		{"look/sdk", func(ctx context.Context) error {
			_, err := sdkLooker.ListParts(ctx, &s3.ListPartsInput{Bucket: &u.Bucket.Name, Key: &u.Key, UploadId: aws.String(u.UploadID)})
			return err
		}},
	}
}

type request struct {
	name string
	send func(context.Context) error
}

// BenchmarkRequest counts what one request takes on a kept connection, from the call to the answer that has been read.
func BenchmarkRequest(b *testing.B) {
	for _, r := range requests(b) {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := r.send(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A request is signed, and its answer understood, in hardly more allocations than net/http needs to send it and to throw the
// answer away.
func TestRequestAllocations(t *testing.T) {
	counts := map[string]float64{}
	for _, r := range requests(t) {
		counts[r.name] = testing.AllocsPerRun(200, func() {
			if err := r.send(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, op := range []string{"abort", "look"} {
		if own, bare := counts[op+"/own"], counts[op+"/bare"]; own > 1.25*bare {
			t.Errorf("%s: %.0f allocations, and net/http alone has %.0f", op, own, bare)
		}
	}
}
