package sandbox_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	osscreds "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/partsweep/partsweep/test/sandbox"
)

// client is one vendor's own client, cut down to what the journey below needs. It pages through listings two at a time.
type client interface {
	makeBucket(ctx context.Context) error
	create(ctx context.Context, key string) (id string, err error)
	part(ctx context.Context, key, id string, number int, body string) error
	uploads(ctx context.Context) ([]sandbox.Upload, error)
	parts(ctx context.Context, key, id string) ([]sandbox.Part, error)
	complete(ctx context.Context, key, id string) error
	abort(ctx context.Context, key, id string) error
	code(err error) string
}

// to makes an HTTP client that reaches a sandbox's service whatever name it is asked for.
func to(t *testing.T, s *sandbox.Sandbox, service sandbox.Service) *http.Client {
	u, err := url.Parse(s.URL(service))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, u.Host)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func start(t *testing.T, opt sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type s3Client struct {
	api    *s3.Client
	bucket *string
}

func newS3Client(t *testing.T, s *sandbox.Sandbox, endpoint, region, secret, token string) *s3Client {
	return &s3Client{bucket: aws.String("demo"), api: s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: region, HTTPClient: to(t, s, sandbox.S3), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, secret, token),
	})}
}

func (c *s3Client) makeBucket(ctx context.Context) error {
	_, err := c.api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: c.bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	return err
}

func (c *s3Client) create(ctx context.Context, key string) (string, error) {
	out, err := c.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: c.bucket, Key: &key})
	if err != nil {
		return "", err
	}
	return *out.UploadId, nil
}

func (c *s3Client) part(ctx context.Context, key, id string, number int, body string) error {
	_, err := c.api.UploadPart(ctx, &s3.UploadPartInput{Bucket: c.bucket, Key: &key, UploadId: &id,
		PartNumber: aws.Int32(int32(number)), Body: strings.NewReader(body)})
	return err
}

func (c *s3Client) uploads(ctx context.Context) (all []sandbox.Upload, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: c.bucket, MaxUploads: aws.Int32(2), EncodingType: types.EncodingTypeUrl}
	for {
		out, err := c.api.ListMultipartUploads(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			key, err := url.QueryUnescape(*u.Key)
			if err != nil {
				return nil, err
			}
			all = append(all, sandbox.Upload{Key: key, UploadID: *u.UploadId, Initiated: *u.Initiated})
		}
		if !*out.IsTruncated {
			return all, nil
		}
		next, err := url.QueryUnescape(*out.NextKeyMarker)
		if err != nil {
			return nil, err
		}
		in.KeyMarker, in.UploadIdMarker = &next, out.NextUploadIdMarker
	}
}

func (c *s3Client) parts(ctx context.Context, key, id string) (all []sandbox.Part, err error) {
	pages := s3.NewListPartsPaginator(c.api, &s3.ListPartsInput{Bucket: c.bucket, Key: &key, UploadId: &id, MaxParts: aws.Int32(2)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parts {
			all = append(all, sandbox.Part{Number: int(*p.PartNumber), Size: *p.Size, Modified: *p.LastModified})
		}
	}
	return all, nil
}

func (c *s3Client) complete(ctx context.Context, key, id string) error {
	_, err := c.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: c.bucket, Key: &key, UploadId: &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1)}}}})
	return err
}

func (c *s3Client) abort(ctx context.Context, key, id string) error {
	_, err := c.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: c.bucket, Key: &key, UploadId: &id})
	return err
}

func (c *s3Client) code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func TestExpectedBucketOwner(t *testing.T) {
	s := start(t, sandbox.Options{})
	s.CreateBucket(sandbox.S3, "demo", "eu-west-1")
	c := newS3Client(t, s, s.URL(sandbox.S3), "eu-west-1", sandbox.SecretAccessKey, "")
	for owner, want := range map[string]string{sandbox.AccountID: "", "999988887777": "AccessDenied"} {
		_, err := c.api.ListMultipartUploads(context.Background(),
			&s3.ListMultipartUploadsInput{Bucket: c.bucket, ExpectedBucketOwner: &owner})
		if got := c.code(err); got != want || want == "" && err != nil {
			t.Errorf("owner %s: %v", owner, err)
		}
	}
}

type cosClient struct{ api *cos.Client }

func newCOSClient(t *testing.T, s *sandbox.Sandbox, bucketURL, secret, token string) *cosClient {
	u, err := url.Parse(bucketURL)
	if err != nil {
		t.Fatal(err)
	}
	h := to(t, s, sandbox.COS)
	h.Transport = &cos.AuthorizationTransport{SecretID: sandbox.AccessKeyID, SecretKey: secret, SessionToken: token, Transport: h.Transport}
	c := cos.NewClient(&cos.BaseURL{BucketURL: u}, h)
	c.Conf.RetryOpt.Count = 1
	return &cosClient{c}
}

func (c *cosClient) makeBucket(ctx context.Context) error {
	_, err := c.api.Bucket.Put(ctx, nil)
	return err
}

func (c *cosClient) create(ctx context.Context, key string) (string, error) {
	out, _, err := c.api.Object.InitiateMultipartUpload(ctx, key, nil)
	if err != nil {
		return "", err
	}
	return out.UploadID, nil
}

func (c *cosClient) part(ctx context.Context, key, id string, number int, body string) error {
	_, err := c.api.Object.UploadPart(ctx, key, id, number, strings.NewReader(body), nil)
	return err
}

func (c *cosClient) uploads(ctx context.Context) (all []sandbox.Upload, err error) {
	in := &cos.ObjectListUploadsOptions{MaxUploads: 2, EncodingType: "url"}
	for {
		out, _, err := c.api.Object.ListUploads(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, u := range out.Upload {
			key, err := url.PathUnescape(u.Key)
			if err != nil {
				return nil, err
			}
			at, err := time.Parse(time.RFC3339, u.Initiated)
			if err != nil {
				return nil, err
			}
			all = append(all, sandbox.Upload{Key: key, UploadID: u.UploadID, Initiated: at})
		}
		if !out.IsTruncated {
			return all, nil
		}
		if in.KeyMarker, err = url.PathUnescape(out.NextKeyMarker); err != nil {
			return nil, err
		}
		in.UploadIdMarker = out.NextUploadIdMarker
	}
}

func (c *cosClient) parts(ctx context.Context, key, id string) (all []sandbox.Part, err error) {
	in := &cos.ObjectListPartsOptions{MaxParts: "2"}
	for {
		out, _, err := c.api.Object.ListParts(ctx, key, id, in)
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parts {
			at, err := time.Parse(time.RFC3339, p.LastModified)
			if err != nil {
				return nil, err
			}
			all = append(all, sandbox.Part{Number: p.PartNumber, Size: p.Size, Modified: at})
		}
		if !out.IsTruncated {
			return all, nil
		}
		in.PartNumberMarker = out.NextPartNumberMarker
	}
}

func (c *cosClient) complete(ctx context.Context, key, id string) error {
	_, _, err := c.api.Object.CompleteMultipartUpload(ctx, key, id,
		&cos.CompleteMultipartUploadOptions{Parts: []cos.Object{{PartNumber: 1, ETag: `"x"`}}})
	return err
}

func (c *cosClient) abort(ctx context.Context, key, id string) error {
	_, err := c.api.Object.AbortMultipartUpload(ctx, key, id)
	return err
}

func (c *cosClient) code(err error) string {
	var e *cos.ErrorResponse
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

type ossClient struct {
	api    *oss.Client
	bucket *string
}

func newOSSClient(t *testing.T, s *sandbox.Sandbox, endpoint, secret, token string, version oss.SignatureVersionType) *ossClient {
	cfg := oss.LoadDefaultConfig().WithRegion("cn-shanghai").WithEndpoint(endpoint).WithRetryMaxAttempts(1).
		WithSignatureVersion(version).WithHttpClient(to(t, s, sandbox.OSS)).
		WithCredentialsProvider(osscreds.NewStaticCredentialsProvider(sandbox.AccessKeyID, secret, token))
	return &ossClient{oss.NewClient(cfg), oss.Ptr("demo")}
}

func (c *ossClient) makeBucket(ctx context.Context) error {
	_, err := c.api.PutBucket(ctx, &oss.PutBucketRequest{Bucket: c.bucket})
	return err
}

func (c *ossClient) create(ctx context.Context, key string) (string, error) {
	out, err := c.api.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: c.bucket, Key: &key})
	if err != nil {
		return "", err
	}
	return *out.UploadId, nil
}

func (c *ossClient) part(ctx context.Context, key, id string, number int, body string) error {
	_, err := c.api.UploadPart(ctx, &oss.UploadPartRequest{Bucket: c.bucket, Key: &key, UploadId: &id, PartNumber: int32(number),
		Body: strings.NewReader(body)})
	return err
}

func (c *ossClient) uploads(ctx context.Context) (all []sandbox.Upload, err error) {
	pages := c.api.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: c.bucket, MaxUploads: 2})
	for pages.HasNext() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			all = append(all, sandbox.Upload{Key: *u.Key, UploadID: *u.UploadId, Initiated: *u.Initiated})
		}
	}
	return all, nil
}

func (c *ossClient) parts(ctx context.Context, key, id string) (all []sandbox.Part, err error) {
	pages := c.api.NewListPartsPaginator(&oss.ListPartsRequest{Bucket: c.bucket, Key: &key, UploadId: &id, MaxParts: 2})
	for pages.HasNext() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parts {
			all = append(all, sandbox.Part{Number: int(p.PartNumber), Size: p.Size, Modified: *p.LastModified})
		}
	}
	return all, nil
}

func (c *ossClient) complete(ctx context.Context, key, id string) error {
	_, err := c.api.CompleteMultipartUpload(ctx, &oss.CompleteMultipartUploadRequest{Bucket: c.bucket, Key: &key, UploadId: &id,
		CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: []oss.UploadPart{{PartNumber: 1, ETag: oss.Ptr("x")}}}})
	return err
}

func (c *ossClient) abort(ctx context.Context, key, id string) error {
	_, err := c.api.AbortMultipartUpload(ctx, &oss.AbortMultipartUploadRequest{Bucket: c.bucket, Key: &key, UploadId: &id})
	return err
}

func (c *ossClient) code(err error) string {
	var e *oss.ServiceError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// vendors are the clients in each of the ways in which they address and sign.
var vendors = []struct {
	name    string
	service sandbox.Service
	bucket  string
	client  func(t *testing.T, s *sandbox.Sandbox, secret, token string) client
}{
	{"s3 path style", sandbox.S3, "demo", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newS3Client(t, s, s.URL(sandbox.S3), "eu-west-1", secret, token)
	}},
	{"s3 virtual host", sandbox.S3, "demo", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newS3Client(t, s, "http://s3.eu-west-1.amazonaws.com", "eu-west-1", secret, token)
	}},
	{"cos virtual host", sandbox.COS, "demo-1250000000", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newCOSClient(t, s, "http://demo-1250000000.cos.ap-guangzhou.myqcloud.com", secret, token)
	}},
	{"oss path style V4", sandbox.OSS, "demo", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newOSSClient(t, s, s.URL(sandbox.OSS), secret, token, oss.SignatureVersionV4)
	}},
	{"oss virtual host V4", sandbox.OSS, "demo", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newOSSClient(t, s, "http://oss-cn-shanghai.aliyuncs.com", secret, token, oss.SignatureVersionV4)
	}},
	{"oss virtual host V1", sandbox.OSS, "demo", func(t *testing.T, s *sandbox.Sandbox, secret, token string) client {
		return newOSSClient(t, s, "http://oss-cn-shanghai.aliyuncs.com", secret, token, oss.SignatureVersionV1)
	}},
}

// awkwardKeys are in listing order.
var awkwardKeys = []string{
	"%25 already%2Fescaped",
	"a b+c*(1)'~!.bin",
	"a//double//slash",
	"dots/../and/./more",
	"plain.bin",
	"q?uery=1&x#fragment",
	"ünïcode/视频/文件.mp4",
	"\u65e5\u672c;:@=,$",
}

// TestVendorsClients has clients that we did not write make, list, complete and abort uploads.
func TestVendorsClients(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Options{})
			c := v.client(t, s, sandbox.SecretAccessKey, sandbox.SessionToken)
			journey(t, s, v.service, v.bucket, c)
		})
	}
}

func journey(t *testing.T, s *sandbox.Sandbox, service sandbox.Service, bucket string, c client) {
	ctx := context.Background()
	if err := c.makeBucket(ctx); err != nil {
		t.Fatal("make bucket:", err)
	}
	slices.Sort(awkwardKeys)
	for _, key := range awkwardKeys {
		id, err := c.create(ctx, key)
		if err != nil {
			t.Fatalf("create %q: %v", key, err)
		}
		for n := 1; n <= 3; n++ {
			if err := c.part(ctx, key, id, n, strings.Repeat("x", 10*n)); err != nil {
				t.Fatalf("part %d of %q: %v", n, key, err)
			}
		}
	}
	held := s.Uploads(service, bucket)
	listed, err := c.uploads(ctx)
	if err != nil {
		t.Fatal("list:", err)
	}
	for i, u := range listed {
		if listed[i].Parts, err = c.parts(ctx, u.Key, u.UploadID); err != nil {
			t.Fatalf("parts of %q: %v", u.Key, err)
		}
	}
	if diff := cmp.Diff(held, listed); diff != "" {
		t.Fatalf("listing (-held +listed):\n%s", diff)
	}
	if got, want := s.PartBytes(service, bucket), int64(60*len(awkwardKeys)); got != want {
		t.Errorf("parts hold %d bytes, want %d", got, want)
	}
	done := listed[0]
	if err := c.complete(ctx, done.Key, done.UploadID); err != nil {
		t.Fatal("complete:", err)
	}
	if err := c.abort(ctx, done.Key, done.UploadID); c.code(err) != "NoSuchUpload" {
		t.Errorf("abort of a completed upload: %v", err)
	}
	for _, u := range listed[1:] {
		if err := c.abort(ctx, u.Key, u.UploadID); err != nil {
			t.Errorf("abort %q: %v", u.Key, err)
		}
		if err := c.abort(ctx, u.Key, u.UploadID); c.code(err) != "NoSuchUpload" {
			t.Errorf("second abort of %q: %v", u.Key, err)
		}
	}
	if left := s.Uploads(service, bucket); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if diff := cmp.Diff([]string{done.Key}, s.Objects(service, bucket)); diff != "" {
		t.Error(diff)
	}
	for _, e := range s.Ledger() {
		if e.Code != "" && e.Op != sandbox.OpAbort {
			t.Errorf("refused on the way: %+v", e)
		}
	}
}

// TestVendorsClientsRefused has them sign with what is not the account's.
func TestVendorsClientsRefused(t *testing.T) {
	badToken := map[sandbox.Service]string{sandbox.S3: "InvalidToken", sandbox.COS: "InvalidAccessKeyId", sandbox.OSS: "InvalidSecurityToken"}
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Options{})
			ctx := context.Background()
			c := v.client(t, s, "wrong", "")
			if err := c.makeBucket(ctx); c.code(err) != "SignatureDoesNotMatch" {
				t.Errorf("wrong secret: %v", err)
			}
			c = v.client(t, s, sandbox.SecretAccessKey, "wrong")
			if err := c.makeBucket(ctx); c.code(err) != badToken[v.service] {
				t.Errorf("wrong token: %v", err)
			}
		})
	}
}

// TestVendorsClientsRotated has the account's secret and token replaced while clients are about.
func TestVendorsClientsRotated(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Options{})
			ctx := context.Background()
			before := v.client(t, s, sandbox.SecretAccessKey, "")
			if err := before.makeBucket(ctx); err != nil {
				t.Fatal(err)
			}
			s.SetCredentials(sandbox.AccessKeyID, "rotated", "")
			if _, err := before.uploads(ctx); before.code(err) != "SignatureDoesNotMatch" {
				t.Errorf("the old secret: %v", err)
			}
			if _, err := v.client(t, s, "rotated", "").uploads(ctx); err != nil {
				t.Errorf("the new secret: %v", err)
			}
		})
	}
}
