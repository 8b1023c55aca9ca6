package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"
)

// A client is a vendor's own.
type client interface {
	createBucket(bucket string) error
	create(bucket, key string) (uploadID string, err error)
	part(bucket, key, uploadID string, n int, size int64) (etag string, err error)
	complete(bucket, key, uploadID string, etags []string) error
	exists(bucket, key string) (bool, error)
	open(bucket string) (uploadIDs []string, err error)
}

// awsClient is aws-sdk-go-v2.
type awsClient struct{ *s3.Client }

func newAWS(endpoint, accessKey, secret string) *awsClient {
	return &awsClient{s3.New(s3.Options{Region: region, BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secret, "")})}
}

func (c *awsClient) createBucket(bucket string) error {
	_, err := c.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket})
	return err
}

func (c *awsClient) create(bucket, key string) (string, error) {
	out, err := c.CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	return *out.UploadId, nil
}

func (c *awsClient) part(bucket, key, uploadID string, n int, size int64) (string, error) {
	out, err := c.UploadPart(context.Background(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: &uploadID,
		PartNumber: aws.Int32(int32(n)), Body: bytes.NewReader(make([]byte, size))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func (c *awsClient) complete(bucket, key, uploadID string, etags []string) error {
	var parts []types.CompletedPart
	for i, etag := range etags {
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: &etag})
	}
	_, err := c.CompleteMultipartUpload(context.Background(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key,
		UploadId: &uploadID, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return err
}

func (c *awsClient) exists(bucket, key string) (bool, error) {
	_, err := c.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	var no *types.NotFound
	if errors.As(err, &no) {
		return false, nil
	}
	return err == nil, err
}

// open asks for one page: no test leaves more than that, and not every server knows its own markers.
func (c *awsClient) open(bucket string) (ids []string, err error) {
	out, err := c.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		return nil, err
	}
	if aws.ToBool(out.IsTruncated) {
		return nil, errors.New("more than a page is open")
	}
	for _, u := range out.Uploads {
		ids = append(ids, *u.UploadId)
	}
	return ids, nil
}

// obsClient is Huawei Cloud's SDK for OBS, in path style, where it signs with V2.
type obsClient struct{ *obs.ObsClient }

func newOBS(t *testing.T, endpoint, accessKey, secret string) *obsClient {
	t.Helper()
	c, err := obs.New(accessKey, secret, endpoint, obs.WithPathStyle(true), obs.WithMaxRetryCount(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &obsClient{c}
}

func (c *obsClient) createBucket(bucket string) error {
	_, err := c.CreateBucket(&obs.CreateBucketInput{Bucket: bucket})
	return err
}

func (c *obsClient) create(bucket, key string) (string, error) {
	in := &obs.InitiateMultipartUploadInput{}
	in.Bucket, in.Key = bucket, key
	out, err := c.InitiateMultipartUpload(in)
	if err != nil {
		return "", err
	}
	return out.UploadId, nil
}

func (c *obsClient) part(bucket, key, uploadID string, n int, size int64) (string, error) {
	out, err := c.UploadPart(&obs.UploadPartInput{Bucket: bucket, Key: key, UploadId: uploadID, PartNumber: n, PartSize: size,
		Body: bytes.NewReader(make([]byte, size))})
	if err != nil {
		return "", err
	}
	return out.ETag, nil
}

func (c *obsClient) complete(bucket, key, uploadID string, etags []string) error {
	in := &obs.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: uploadID}
	for i, etag := range etags {
		in.Parts = append(in.Parts, obs.Part{PartNumber: i + 1, ETag: etag})
	}
	_, err := c.CompleteMultipartUpload(in)
	return err
}

func (c *obsClient) exists(bucket, key string) (bool, error) {
	_, err := c.HeadObject(&obs.HeadObjectInput{Bucket: bucket, Key: key})
	var no obs.ObsError
	if errors.As(err, &no) && no.StatusCode == 404 {
		return false, nil
	}
	return err == nil, err
}

func (c *obsClient) open(bucket string) (ids []string, err error) {
	out, err := c.ListMultipartUploads(&obs.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil {
		return nil, err
	}
	if out.IsTruncated {
		return nil, fmt.Errorf("more than a page is open")
	}
	for _, u := range out.Uploads {
		ids = append(ids, u.UploadId)
	}
	return ids, nil
}
