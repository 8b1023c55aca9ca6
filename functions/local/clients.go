package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	osscredentials "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/partsweep/partsweep/test/sandbox"
)

// An uploader is a client that uploads in parts and never finishes. The demonstration's leftovers come from the vendors'
// own clients, over HTTP, as anybody's would.
type uploader struct {
	create func(ctx context.Context, bucket, key string) (uploadID string, err error)
	part   func(ctx context.Context, bucket, key, uploadID string, number int, size int64) error
}

func uploaders(sb *sandbox.Sandbox) map[sandbox.Service]uploader {
	return map[sandbox.Service]uploader{
		sandbox.S3:  s3Uploader(sb.URL(sandbox.S3), "eu-west-1"),
		sandbox.OBS: s3Uploader(sb.URL(sandbox.OBS), "cn-north-4"),
		sandbox.COS: cosUploader(sb.URL(sandbox.COS), "ap-guangzhou"),
		sandbox.OSS: ossUploader(sb.URL(sandbox.OSS), "cn-shanghai"),
	}
}

// zeros is the content of every part.
func zeros(size int64) *bytes.Reader { return bytes.NewReader(make([]byte, size)) }

// s3Uploader is the AWS client. It also speaks to OBS, which takes no payload hash but UNSIGNED-PAYLOAD.
func s3Uploader(endpoint, region string) uploader {
	client := s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey}, nil
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		APIOptions:                 s3Unsigned,
	})
	return uploader{
		create: func(ctx context.Context, bucket, key string) (string, error) {
			out, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
			if err != nil {
				return "", err
			}
			return *out.UploadId, nil
		},
		part: func(ctx context.Context, bucket, key, uploadID string, number int, size int64) error {
			_, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: &uploadID,
				PartNumber: aws.Int32(int32(number)), Body: zeros(size)})
			return err
		},
	}
}

var s3Unsigned = append(s3.Options{}.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)

// cosUploader is the Tencent client. COS knows buckets by host name only, so the host name is the real one and only the
// connection goes to the sandbox.
func cosUploader(endpoint, region string) uploader {
	client := func(bucket string) *cos.Client {
		u, err := url.Parse(endpoint)
		if err != nil {
			panic(err) // it is the address of a listener
		}
		c := cos.NewClient(&cos.BaseURL{BucketURL: u}, &http.Client{Transport: &cos.AuthorizationTransport{
			SecretID: sandbox.AccessKeyID, SecretKey: sandbox.SecretAccessKey,
		}})
		c.Host = fmt.Sprintf("%s.cos.%s.myqcloud.com", bucket, region)
		return c
	}
	return uploader{
		create: func(ctx context.Context, bucket, key string) (string, error) {
			out, _, err := client(bucket).Object.InitiateMultipartUpload(ctx, key, nil)
			if err != nil {
				return "", err
			}
			return out.UploadID, nil
		},
		part: func(ctx context.Context, bucket, key, uploadID string, number int, size int64) error {
			_, err := client(bucket).Object.UploadPart(ctx, key, uploadID, number, io.Reader(zeros(size)),
				&cos.ObjectUploadPartOptions{ContentLength: size})
			return err
		},
	}
}

// ossUploader is the Alibaba client.
func ossUploader(endpoint, region string) uploader {
	client := oss.NewClient(oss.LoadDefaultConfig().WithRegion(region).WithEndpoint(endpoint).
		WithCredentialsProvider(osscredentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, sandbox.SecretAccessKey)))
	return uploader{
		create: func(ctx context.Context, bucket, key string) (string, error) {
			out, err := client.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: &bucket, Key: &key})
			if err != nil {
				return "", err
			}
			return *out.UploadId, nil
		},
		part: func(ctx context.Context, bucket, key, uploadID string, number int, size int64) error {
			_, err := client.UploadPart(ctx, &oss.UploadPartRequest{Bucket: &bucket, Key: &key, UploadId: &uploadID,
				PartNumber: int32(number), Body: zeros(size)})
			return err
		},
	}
}
