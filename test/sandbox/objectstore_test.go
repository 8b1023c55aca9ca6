package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRefusals provokes what no fault is needed for.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("k", 1025)
	tests := []struct {
		name    string
		service Service
		raw     raw
		want    string
	}{
		{"no such bucket", S3, raw{method: "GET", target: "/none?uploads"}, "NoSuchBucket"},
		{"abort, unknown id", S3, raw{method: "DELETE", target: "/b-1/k?uploadId=x"}, "NoSuchUpload"},
		{"abort, another key", S3, raw{method: "DELETE", target: "/b-1/other?uploadId=seeded"}, "NoSuchUpload"},
		{"abort, empty id", S3, raw{method: "DELETE", target: "/b-1/k?uploadId="}, "NoSuchUpload"},
		{"abort, no such bucket", S3, raw{method: "DELETE", target: "/none/k?uploadId=seeded"}, "NoSuchBucket"},
		{"parts, unknown id", S3, raw{method: "GET", target: "/b-1/k?uploadId=x"}, "NoSuchUpload"},
		{"parts, empty id", COS, raw{method: "GET", target: "/b-1/k?uploadId="}, "ListPartUploadIdIsEmpty"},
		{"parts, empty id", OBS, raw{method: "GET", target: "/b-1/k?uploadId="}, "NoSuchUpload"},
		{"complete, unknown id", S3, raw{method: "POST", target: "/b-1/k?uploadId=x"}, "NoSuchUpload"},
		{"complete, no XML", S3, raw{method: "POST", target: "/b-1/k?uploadId=seeded", body: "x"}, "MalformedXML"},
		{"complete, no part", S3, raw{method: "POST", target: "/b-1/k?uploadId=seeded", body: "<C/>"}, "MalformedXML"},
		{"complete, part not there", S3, raw{method: "POST", target: "/b-1/k?uploadId=seeded",
			body: "<C><Part><PartNumber>9</PartNumber></Part></C>"}, "InvalidPart"},
		{"complete, parts in no order", S3, raw{method: "POST", target: "/b-1/k?uploadId=seeded",
			body: "<C><Part><PartNumber>2</PartNumber></Part><Part><PartNumber>1</PartNumber></Part></C>"}, "InvalidPartOrder"},
		{"part, number 0", S3, raw{method: "PUT", target: "/b-1/k?partNumber=0&uploadId=seeded"}, "InvalidArgument"},
		{"part, number 10001", S3, raw{method: "PUT", target: "/b-1/k?partNumber=10001&uploadId=seeded"}, "InvalidArgument"},
		{"part, no upload", S3, raw{method: "PUT", target: "/b-1/k?partNumber=1&uploadId=x"}, "NoSuchUpload"},
		{"max-uploads negative", S3, raw{method: "GET", target: "/b-1?uploads&max-uploads=-1"}, "InvalidArgument"},
		{"max-uploads no number", OBS, raw{method: "GET", target: "/b-1?uploads&max-uploads=x"}, "InvalidArgument"},
		{"unknown encoding", S3, raw{method: "GET", target: "/b-1?uploads&encoding-type=gzip"}, "InvalidArgument"},
		{"marker never issued", S3, raw{method: "GET", target: "/b-1?uploads&key-marker=k&upload-id-marker=x"}, "InvalidArgument"},
		{"key too long", S3, raw{method: "POST", target: "/b-1/" + long + "?uploads"}, "KeyTooLongError"},
		{"key too long", COS, raw{method: "POST", target: "/b-1/" + long[:851] + "?uploads"}, "KeyTooLong"},
		{"key too long", OBS, raw{method: "POST", target: "/b-1/" + long + "?uploads"}, "KeyTooLongError"},
		{"key too long", OSS, raw{method: "POST", target: "/b-1/" + long[:1024] + "?uploads"}, "InvalidObjectName"},
		{"object not there", S3, raw{method: "GET", target: "/b-1/none"}, "NoSuchKey"},
		{"listing of objects", S3, raw{method: "GET", target: "/b-1"}, "NotImplemented"},
		{"sub-resource of a bucket", S3, raw{method: "DELETE", target: "/b-1?lifecycle"}, "NotImplemented"},
		{"bucket that exists", S3, raw{method: "PUT", target: "/b-1"}, "BucketAlreadyOwnedByYou"},
		{"service, not a listing", S3, raw{method: "POST", target: "/"}, "MethodNotAllowed"},
		{"unsigned", S3, raw{method: "GET", target: "/b-1?uploads", unsigned: true}, "AccessDenied"},
		{"unsigned", COS, raw{method: "GET", target: "/b-1?uploads", unsigned: true}, "AccessDenied"},
		{"unsigned", OBS, raw{method: "GET", target: "/b-1?uploads", unsigned: true}, "AccessDenied"},
		{"unsigned", OSS, raw{method: "GET", target: "/b-1?uploads", unsigned: true}, "AccessDenied"},
		{"signed for another region", S3, raw{method: "GET", target: "/b-1?uploads", region: "eu-west-1"}, "AuthorizationHeaderMalformed"},
		{"another region's host", S3, raw{method: "GET", host: "b-1.s3.eu-west-1.amazonaws.com", target: "/?uploads"}, "PermanentRedirect"},
		{"another region's service host", S3, raw{method: "GET", host: "s3.eu-west-1.amazonaws.com", target: "/b-1?uploads"}, "PermanentRedirect"},
		{"another region's host", COS, raw{method: "GET", host: "b-1.cos.ap-beijing.myqcloud.com", target: "/?uploads"}, "NoSuchBucket"},
		{"path style on the cloud's host", COS, raw{method: "GET", host: "cos.ap-guangzhou.myqcloud.com", target: "/b-1?uploads"}, "PathStyleDomainForbidden"},
		{"bucket call on the service host", COS, raw{method: "GET", host: "service.cos.myqcloud.com", target: "/b-1?uploads"}, "InvalidArgument"},
		{"acceleration", COS, raw{method: "GET", host: "b-1.cos.accelerate.myqcloud.com", target: "/?uploads"}, "BucketAccelerateNotEnabled"},
		{"path style on the cloud's host", OBS, raw{method: "GET", host: "obs.cn-north-4.myhuaweicloud.com", target: "/b-1?uploads"}, "VirtualHostDomainRequired"},
		{"another region's host", OBS, raw{method: "GET", host: "b-1.obs.cn-east-3.myhuaweicloud.com", target: "/?uploads"}, "PermanentRedirect"},
		{"another region's host", OSS, raw{method: "GET", host: "b-1.oss-cn-beijing.aliyuncs.com", target: "/?uploads"}, "AccessDenied"},
	}
	s := launch(t, Options{})
	s.PinUploadID(S3, "b-1", "k", "seeded")
	s.Seed(S3, "b-1", "k", time.Now(), Part{Number: 1, Size: 5}, Part{Number: 2, Size: 5})
	for _, test := range tests {
		t.Run(string(test.service)+" "+test.name, func(t *testing.T) {
			got := test.raw.do(t, s, test.service)
			if got.element("Code") != test.want || got.status != s.Status(test.service, test.want) {
				t.Errorf("got %d %s, want %s", got.status, got.body, test.want)
			}
		})
	}
	if left := s.Uploads(S3, "b-1"); len(left) != 1 || len(left[0].Parts) != 2 {
		t.Errorf("a refused request changed the upload: %v", left)
	}
}

// TestWrongRegionNamesTheRightOne follows the three ways in which S3 tells it.
func TestWrongRegionNamesTheRightOne(t *testing.T) {
	s := launch(t, Options{})
	s.CreateBucket(S3, "far", "ap-south-1")
	tests := []struct {
		name   string
		raw    raw
		status int
	}{
		{"GET signed for another region", raw{method: "GET", target: "/far?uploads"}, 400},
		{"HEAD signed for another region", raw{method: "HEAD", target: "/far"}, 400},
		{"HEAD on another region's host", raw{method: "HEAD", host: "far.s3.us-east-1.amazonaws.com", target: "/"}, 301},
		{"HEAD, unsigned", raw{method: "HEAD", target: "/far", unsigned: true}, 403},
		{"HEAD, right", raw{method: "HEAD", host: "far.s3.ap-south-1.amazonaws.com", target: "/", region: "ap-south-1"}, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.raw.do(t, s, S3)
			if got.status != test.status || got.header.Get("X-Amz-Bucket-Region") != "ap-south-1" {
				t.Errorf("got %d %v", got.status, got.header)
			}
			if test.raw.method == "GET" && got.element("Region") != "ap-south-1" {
				t.Error(got.body)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	tests := []struct {
		service            Service
		host, path         string
		bucket, key, place string
		refuse             string
	}{
		{S3, "127.0.0.1", "/b/k", "b", "k", "", ""},
		{S3, "::1", "/b/k", "b", "k", "", ""},
		{S3, "localhost", "/b", "b", "", "", ""},
		{S3, "b.127.0.0.1", "/k", "b", "k", "", ""},
		{S3, "b.localhost", "/k", "b", "k", "", ""},
		{S3, "s3.example.com", "/b/k", "b", "k", "", ""},
		{S3, "my.dotted.b.s3.eu-west-1.amazonaws.com", "/k", "my.dotted.b", "k", "eu-west-1", ""},
		{S3, "s3.eu-west-1.amazonaws.com", "/b//k/", "b", "/k/", "eu-west-1", ""},
		{S3, "b.s3.dualstack.eu-west-1.amazonaws.com", "/k", "b", "k", "eu-west-1", ""},
		{S3, "b.s3.amazonaws.com", "/k", "b", "k", "us-east-1", ""},
		{S3, "b.s3.cn-north-1.amazonaws.com.cn", "/k", "b", "k", "cn-north-1", ""},
		{S3, "127.0.0.1", "/b/a%2Fb%20c+d%25", "b", "a/b c+d%", "", ""},
		{S3, "127.0.0.1", "/", "", "", "", ""},
		{COS, "demo-1.cos.ap-beijing.myqcloud.com", "/k", "demo-1", "k", "ap-beijing", ""},
		{COS, "demo-1.cos.ap-beijing.tencentcos.cn", "/k", "demo-1", "k", "ap-beijing", ""},
		{COS, "demo-1.cos-internal.ap-beijing.tencentcos.cn", "/k", "demo-1", "k", "ap-beijing", ""},
		{COS, "demo-1.cos.accelerate.myqcloud.com", "/k", "demo-1", "k", "", "BucketAccelerateNotEnabled"},
		{COS, "cos.ap-beijing.myqcloud.com", "/", "", "", "ap-beijing", ""},
		{COS, "cos.ap-beijing.myqcloud.com", "/demo-1/k", "", "", "", "PathStyleDomainForbidden"},
		{COS, "service.cos.myqcloud.com", "/", "", "", "", ""},
		{COS, "service.cos.myqcloud.com", "/b", "", "", "", "InvalidArgument"},
		{COS, "127.0.0.1", "/b/k", "b", "k", "", ""},
		{OBS, "b.obs.cn-north-4.myhuaweicloud.com", "/k", "b", "k", "cn-north-4", ""},
		{OBS, "obs.cn-north-4.myhuaweicloud.com", "/", "", "", "cn-north-4", ""},
		{OBS, "obs.cn-north-4.myhuaweicloud.com", "/b/k", "b", "k", "cn-north-4", "VirtualHostDomainRequired"},
		{OBS, "obs.eu-de.otc.t-systems.com", "/b/k", "b", "k", "eu-de", ""},
		{OBS, "127.0.0.1", "/b/k", "b", "k", "", ""},
		{OSS, "b.oss-cn-shanghai.aliyuncs.com", "/a%2Fb", "b", "a/b", "cn-shanghai", ""},
		{OSS, "b.oss-cn-shanghai-internal.aliyuncs.com", "/k", "b", "k", "cn-shanghai", ""},
		{OSS, "oss-cn-shanghai.aliyuncs.com", "/", "", "", "cn-shanghai", ""},
		{OSS, "127.0.0.1", "/b/k", "b", "k", "", ""},
	}
	s := launch(t, Options{})
	for _, test := range tests {
		at := s.objects[test.service].dialect.locate(test.host, test.path)
		if at.bucket != test.bucket || at.key != test.key || at.region != test.place || at.refuse != test.refuse {
			t.Errorf("%s %s%s: %+v", test.service, test.host, test.path, at)
		}
	}
}

// TestAnyKey sends keys of all bytes through the wire and back, in path style and under the cloud's own name.
func TestAnyKey(t *testing.T) {
	hosts := map[Service]string{
		S3: "b-1.s3.us-east-1.amazonaws.com", COS: "b-1.cos.ap-guangzhou.myqcloud.com",
		OBS: "b-1.obs.cn-north-4.myhuaweicloud.com", OSS: "b-1.oss-cn-hangzhou.aliyuncs.com",
	}
	keys := []string{"a//b", "/leading", "trailing/", "..", "a/../b", "100%", "%2F", "a+b c", "视频/文件.mp4", "q?u=1&x#f",
		"ctl\x01\x1f\x7f", "tab\tline\nreturn\r", "\xff\xfe", "<&>\"'", strings.Repeat("é", 425)}
	for _, service := range objectStores {
		t.Run(string(service), func(t *testing.T) {
			s := launch(t, Options{})
			for _, key := range keys {
				path := percentEncode(key, "/")
				for _, q := range []raw{{target: "/b-1/" + path}, {target: "/" + path, host: hosts[service]}, {target: "/" + percentEncode(key, ""), host: hosts[service]}} {
					anyKey(t, s, service, q, key)
				}
			}
		})
	}
}

func anyKey(t *testing.T, s *Sandbox, service Service, q raw, key string) {
	t.Helper()
	create, list, abort := q, q, q
	create.method, create.target = "POST", q.target+"?uploads"
	got := create.do(t, s, service)
	id := got.element("UploadId")
	if held := s.Uploads(service, "b-1"); got.status != 200 || len(held) != 1 || held[0].Key != key || held[0].UploadID != id {
		t.Fatalf("create %q: %d %s, held %+v", key, got.status, got.body, held)
	}
	list.method, list.target = "GET", "/b-1?uploads&encoding-type=url"
	if q.host != "" {
		list.target = "/?uploads&encoding-type=url"
	}
	got = list.do(t, s, service)
	decode := url.PathUnescape
	if service == S3 {
		decode = url.QueryUnescape
	}
	if listed, err := decode(got.element("Key")); listed != key || err != nil {
		t.Errorf("listed %q as %q (%v)", key, got.element("Key"), err)
	}
	abort.method, abort.target = "DELETE", q.target+"?uploadId="+url.QueryEscape(id)
	if got = abort.do(t, s, service); got.status != 204 || got.body != "" || len(s.Uploads(service, "b-1")) != 0 {
		t.Errorf("abort %q: %d %s", key, got.status, got.body)
	}
	all := s.Ledger()
	want := Target{Service: service, Op: OpAbort, Bucket: "b-1", Key: key, UploadID: id}
	if diff := cmp.Diff(want, all[len(all)-1].Target); diff != "" {
		t.Error(diff)
	}
}

// TestListingShapes pins each service's XML, byte for byte.
func TestListingShapes(t *testing.T) {
	const page = "?uploads&delimiter=/&max-uploads=2"
	const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	tests := []struct {
		service   Service
		opt       Options
		list      string
		listParts string
	}{
		{S3, Options{},
			`<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b-1</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker>d/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker><MaxUploads>2</MaxUploads><Prefix></Prefix><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>` +
				`<Upload><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><Initiator><ID>arn:aws:iam::111122223333:user/sandbox</ID></Initiator><Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner><StorageClass>STANDARD</StorageClass><Initiated>2026-11-20T08:00:00.000Z</Initiated></Upload>` +
				`<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListMultipartUploadsResult>`,
			`<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b-1</Bucket><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><Initiator><ID>arn:aws:iam::111122223333:user/sandbox</ID></Initiator><Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner><StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated><Part><PartNumber>3</PartNumber><LastModified>2026-11-20T08:30:00.000Z</LastModified><ETag>&quot;*&quot;</ETag><Size>7</Size></Part></ListPartsResult>`},
		{COS, Options{},
			`<ListMultipartUploadsResult><Bucket>b-1</Bucket><Encoding-Type></Encoding-Type><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker>d/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker><MaxUploads>2</MaxUploads><Prefix></Prefix><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>` +
				`<Upload><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><Initiator><ID>qcs::cam::uin/100000000001:uin/100000000002</ID><DisplayName>100000000002</DisplayName></Initiator><Owner><ID>qcs::cam::uin/100000000001:uin/100000000001</ID><DisplayName>100000000001</DisplayName></Owner><StorageClass>Standard</StorageClass><Initiated>2026-11-20T08:00:00.000Z</Initiated></Upload>` +
				`<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListMultipartUploadsResult>`,
			`<ListPartsResult><Bucket>b-1</Bucket><Encoding-type></Encoding-type><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><Initiator><ID>qcs::cam::uin/100000000001:uin/100000000002</ID><DisplayName>100000000002</DisplayName></Initiator><Owner><ID>qcs::cam::uin/100000000001:uin/100000000001</ID><DisplayName>100000000001</DisplayName></Owner><StorageClass>Standard</StorageClass><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated><Part><PartNumber>3</PartNumber><LastModified>2026-11-20T08:30:00.000Z</LastModified><ETag>&quot;*&quot;</ETag><Size>7</Size></Part></ListPartsResult>`},
		{COS, Options{BeijingDates: true}, `<Initiated>Fri Nov 20 16:00:00 2026</Initiated>`, `<LastModified>Fri Nov 20 16:30:00 2026</LastModified>`},
		{OBS, Options{},
			`<ListMultipartUploadsResult xmlns="http://obs.cn-north-4.myhuaweicloud.com/doc/2015-06-30/"><Bucket>b-1</Bucket><KeyMarker>` + "\n  " + `</KeyMarker><UploadIdMarker>` + "\n  " + `</UploadIdMarker><NextKeyMarker>d/</NextKeyMarker><NextUploadIdMarker>` + "\n  " + `</NextUploadIdMarker><MaxUploads>2</MaxUploads><Prefix>` + "\n  " + `</Prefix><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>` +
				`<Upload><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><Initiator><ID>domainID/0123abcd:userID/4567ef01</ID></Initiator><Owner><ID>0123abcd</ID></Owner><StorageClass>STANDARD</StorageClass><Initiated>2026-11-20T08:00:00.123Z</Initiated></Upload>` +
				`<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListMultipartUploadsResult>`,
			`<LastModified>2026-11-20T08:30:00.123Z</LastModified>`},
		{OSS, Options{},
			`<ListMultipartUploadsResult xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com"><Bucket>b-1</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker>d/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker><MaxUploads>2</MaxUploads><Prefix></Prefix><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>` +
				`<Upload><Key>a &amp;&#x1;b</Key><UploadId>id-1</UploadId><StorageClass>Standard</StorageClass><Initiated>2026-11-20T08:00:00.123Z</Initiated></Upload>` +
				`<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListMultipartUploadsResult>`,
			`<LastModified>2026-11-20T08:30:00.123Z</LastModified>`},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.service, test.opt.BeijingDates), func(t *testing.T) {
			s := launch(t, test.opt)
			at := time.Date(2026, 11, 20, 8, 0, 0, 123456789, time.UTC)
			s.PinUploadID(test.service, "b-1", "a &\x01b", "id-1")
			s.Seed(test.service, "b-1", "a &\x01b", at, Part{3, 7, at.Add(30 * time.Minute)}, Part{4, 7, at})
			s.Seed(test.service, "b-1", "d/1", at)
			s.Seed(test.service, "b-1", "d/2", at)
			s.Seed(test.service, "b-1", "e", at)
			matchBody(t, raw{method: "GET", target: "/b-1" + page}.do(t, s, test.service), test.list, head)
			parts := raw{method: "GET", target: "/b-1/a%20&%01b?uploadId=id-1&max-parts=1"}.do(t, s, test.service)
			matchBody(t, parts, test.listParts, head)
		})
	}
}

// matchBody compares a whole document, or looks for an element. One asterisk stands for anything.
func matchBody(t *testing.T, got answer, want, head string) {
	t.Helper()
	before, after, _ := strings.Cut(want, "*")
	if strings.HasPrefix(want, "<List") {
		if !strings.HasPrefix(got.body, head+before) || !strings.HasSuffix(got.body, after) {
			t.Errorf("got\n%s\nwant\n%s%s", got.body, head, want)
		}
	} else if !strings.Contains(got.body, want) {
		t.Errorf("no %s in\n%s", want, got.body)
	}
}

// TestEncodingType pins how each service writes a key when asked to encode it.
func TestEncodingType(t *testing.T) {
	for service, want := range map[Service]string{S3: "d/a+b%2B%01", COS: "d/a%20b%2B%01", OBS: "d/a%20b%2B%01", OSS: "d%2Fa%20b%2B%01"} {
		s := launch(t, Options{})
		s.Seed(service, "b-1", "d/a b+\x01", time.Now())
		got := raw{method: "GET", target: "/b-1?uploads&encoding-type=url"}.do(t, s, service)
		if got.element("Key") != want {
			t.Errorf("%s writes %s, want %s", service, got.element("Key"), want)
		}
		if name := s.objects[service].traits.uploadsCoding; got.element(name) != "url" {
			t.Errorf("%s does not tell the encoding", service)
		}
	}
}

func TestUploadIDs(t *testing.T) {
	s := launch(t, Options{})
	at := time.Unix(1795297640, 0)
	seen := map[string]bool{}
	for service, length := range map[Service]int{S3: 128, COS: 74, OBS: 32, OSS: 32} {
		for range 50 {
			id := s.Seed(service, "b-1", "k", at)
			if len(id) != length || seen[id] || url.QueryEscape(id) != id {
				t.Errorf("%s: id %q", service, id)
			}
			seen[id] = true
			if service == COS && !strings.HasPrefix(id, "1795297640") {
				t.Errorf("id %q does not begin with its time", id)
			}
		}
	}
}

// TestLandPart aborts an upload while a part is in flight.
func TestLandPart(t *testing.T) {
	for _, service := range objectStores {
		t.Run(string(service), func(t *testing.T) {
			s := launch(t, Options{})
			id := s.Seed(service, "b-1", "k", time.Now(), Part{Number: 1, Size: 100}, Part{Number: 2, Size: 100})
			s.Script(Fault{Op: OpAbort, LandPart: 33, Times: 1})
			abort := raw{method: "DELETE", target: "/b-1/k?uploadId=" + id}
			parts := raw{method: "GET", target: "/b-1/k?uploadId=" + id}
			if got := abort.do(t, s, service); got.status != 204 || s.PartBytes(service, "b-1") != 33 {
				t.Errorf("first abort: %d, %d bytes left", got.status, s.PartBytes(service, "b-1"))
			}
			if got := parts.do(t, s, service); got.status != 200 || strings.Count(got.body, "<Part>") != 1 || got.element("Size") != "33" {
				t.Errorf("parts: %d %s", got.status, got.body)
			}
			if got := abort.do(t, s, service); got.status != 204 || s.PartBytes(service, "b-1") != 0 {
				t.Errorf("second abort: %d", got.status)
			}
			if got := abort.do(t, s, service); got.element("Code") != "NoSuchUpload" {
				t.Errorf("third abort: %d %s", got.status, got.body)
			}
		})
	}
}

// TestObjectsSurvive makes an object, uploads over it, and aborts.
func TestObjectsSurvive(t *testing.T) {
	for _, service := range objectStores {
		t.Run(string(service), func(t *testing.T) {
			s := launch(t, Options{})
			if got := (raw{method: "PUT", target: "/b-1/k", body: "precious"}).do(t, s, service); got.status != 200 {
				t.Fatal(got.body)
			}
			id := s.Seed(service, "b-1", "k", time.Now(), Part{Number: 1, Size: 5})
			raw{method: "DELETE", target: "/b-1/k?uploadId=" + id}.do(t, s, service)
			if got := (raw{method: "GET", target: "/b-1/k"}).do(t, s, service); got.body != "precious" {
				t.Errorf("%d %q", got.status, got.body)
			}
			id = s.Seed(service, "b-1", "big", time.Now(), Part{Number: 2, Size: 3}, Part{Number: 9, Size: 4})
			done := raw{method: "POST", target: "/b-1/big?uploadId=" + id, body: "<C><P><PartNumber>2</PartNumber></P><P><PartNumber>9</PartNumber></P></C>"}
			if got := done.do(t, s, service); got.status != 200 || !strings.HasSuffix(got.element("ETag"), "-2&quot;") {
				t.Errorf("%d %s", got.status, got.body)
			}
			if got := (raw{method: "GET", target: "/b-1/big"}).do(t, s, service); got.body != "\x00\x00\x00\x00\x00\x00\x00" {
				t.Errorf("%d %q", got.status, got.body)
			}
			if got := (raw{method: "DELETE", target: "/b-1"}).do(t, s, service); got.element("Code") != "BucketNotEmpty" {
				t.Errorf("%d %s", got.status, got.body)
			}
			for _, key := range []string{"k", "big"} {
				raw{method: "DELETE", target: "/b-1/" + key}.do(t, s, service)
			}
			if left := s.Objects(service, "b-1"); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestAbortWithoutKeyDeletesTheBucket keeps the trap that real stores set.
func TestAbortWithoutKeyDeletesTheBucket(t *testing.T) {
	s := launch(t, Options{})
	id := s.Seed(S3, "b-1", "k", time.Now())
	got := raw{method: "DELETE", target: "/b-1/?uploadId=" + id}.do(t, s, S3)
	if got.status != 204 || s.objects[S3].find("b-1") != nil {
		t.Errorf("%d %s", got.status, got.body)
	}
	if e := s.Ledger()[0]; e.Op != OpOther || e.Key != "" {
		t.Errorf("ledger: %+v", e)
	}
}

func TestListBuckets(t *testing.T) {
	tests := []struct {
		name    string
		service Service
		raw     raw
		want    []string
		more    string // element that says so
	}{
		{"all", S3, raw{target: "/"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"page", S3, raw{target: "/?max-buckets=2"}, []string{"a-1", "b-1"}, "ContinuationToken"},
		{"next page", S3, raw{target: "/?max-buckets=2&continuation-token=" + seal("b-1")}, []string{"c-1"}, ""},
		{"exactly a page", S3, raw{target: "/?max-buckets=3"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"prefix", S3, raw{target: "/?prefix=b"}, []string{"b-1"}, ""},
		{"region", S3, raw{target: "/?bucket-region=far-1"}, []string{"c-1"}, ""},
		{"all", COS, raw{target: "/", host: "service.cos.myqcloud.com"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"one region's host", COS, raw{target: "/", host: "cos.far-1.myqcloud.com"}, []string{"c-1"}, ""},
		{"region", COS, raw{target: "/?region=far-1"}, []string{"c-1"}, ""},
		{"page", COS, raw{target: "/?max-keys=1"}, []string{"a-1"}, "NextMarker"},
		{"next page", COS, raw{target: "/?marker=a-1"}, []string{"b-1", "c-1"}, ""},
		{"all", OBS, raw{target: "/", host: "obs.cn-north-4.myhuaweicloud.com"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"located", OBS, raw{target: "/", header: "x-obs-location: true"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"all", OSS, raw{target: "/", host: "oss-cn-hangzhou.aliyuncs.com"}, []string{"a-1", "b-1", "c-1"}, ""},
		{"page", OSS, raw{target: "/?max-keys=2"}, []string{"a-1", "b-1"}, "NextMarker"},
		{"next page", OSS, raw{target: "/?marker=b-1"}, []string{"c-1"}, ""},
		{"prefix", OSS, raw{target: "/?prefix=b"}, []string{"b-1"}, ""},
	}
	s := launch(t, Options{})
	for _, service := range objectStores {
		s.CreateBucket(service, "c-1", "far-1")
		s.CreateBucket(service, "a-1", "")
	}
	locations := map[Service]string{S3: "<BucketRegion>far-1<", COS: "<Location>far-1<", OBS: "<Location>far-1<", OSS: "<Region>far-1<"}
	for _, test := range tests {
		t.Run(string(test.service)+" "+test.name, func(t *testing.T) {
			test.raw.method = "GET"
			got := test.raw.do(t, s, test.service)
			var names []string
			for _, rest := range strings.Split(got.body, "<Name>")[1:] {
				name, _, _ := strings.Cut(rest, "<")
				names = append(names, name)
			}
			if !slices.Equal(names, test.want) || (test.more != "") != (got.element("NextMarker")+got.element("ContinuationToken") != "") {
				t.Errorf("got %v in %s", names, got.body)
			}
			told := strings.Contains(got.body, locations[test.service])
			asked := test.name != "all" && test.service == S3 || test.name == "located" || test.service == COS || test.service == OSS
			if told != (asked && slices.Contains(names, "c-1")) {
				t.Errorf("region told: %v, in %s", told, got.body)
			}
		})
	}
}

// TestPageSizes checks the limits, and that MaxPage cuts below what is asked for.
func TestPageSizes(t *testing.T) {
	tests := []struct {
		service Service
		maxPage int
		ask     string
		want    int
		more    bool
	}{
		{S3, 0, "", 1000, true}, {S3, 0, "&max-uploads=5000", 1000, true}, {S3, 0, "&max-uploads=3", 3, true},
		{S3, 0, "&max-uploads=0", 0, false}, {OBS, 0, "&max-uploads=0", 1000, true}, {OSS, 7, "", 7, true},
		{COS, 7, "&max-uploads=5", 5, true}, {COS, 7, "&max-uploads=500", 7, true},
	}
	for _, test := range tests {
		s := launch(t, Options{MaxPage: test.maxPage})
		for i := range 1001 {
			s.Seed(test.service, "b-1", fmt.Sprint(i), time.Now())
		}
		got := raw{method: "GET", target: "/b-1?uploads" + test.ask}.do(t, s, test.service)
		if n := strings.Count(got.body, "<Upload>"); n != test.want || got.element("IsTruncated") != fmt.Sprint(test.more) {
			t.Errorf("%s%s of %d: %d uploads, truncated %s", test.service, test.ask, test.maxPage, n, got.element("IsTruncated"))
		}
	}
}

// TestManyAtOnce seeds a hundred thousand uploads and lets 64 workers end them while two listers walk.
func TestManyAtOnce(t *testing.T) {
	s := launch(t, Options{})
	b := s.bucket(S3, "b-1")
	const n = 100_000
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.Seed(S3, "b-1", fmt.Sprint(i%1000), time.Unix(int64(i), 0), Part{Number: 1, Size: 1})
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for q := (listing{max: 1000}); ; {
				page, known := b.list(q)
				if !known {
					t.Error("marker forgotten")
				}
				if !page.truncated {
					return
				}
				q.keyMarker, q.idMarker = page.nextKey, page.nextID
			}
		})
	}
	for worker := range 64 {
		wg.Go(func() {
			for i := worker; i < n; i += 64 {
				if !b.abort(fmt.Sprint(i%1000), ids[i], 0, time.Time{}, "") {
					t.Errorf("upload %d was not there", i)
				}
			}
		})
	}
	wg.Wait()
	if left := s.Uploads(S3, "b-1"); len(left) != 0 || s.PartBytes(S3, "b-1") != 0 || len(b.open.blocks) != 0 {
		t.Errorf("%d left", len(left))
	}
}

// TestManyClients does the same over the wire, with fewer.
func TestManyClients(t *testing.T) {
	s := launch(t, Options{})
	const n, workers = 640, 64
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.Seed(OBS, "b-1", "k", time.Unix(int64(i), 0))
	}
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < n; i += workers {
				if got := (raw{method: "DELETE", target: "/b-1/k?uploadId=" + ids[i]}).do(t, s, OBS); got.status != 204 {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
	for range 5 {
		raw{method: "GET", target: "/b-1?uploads"}.do(t, s, OBS)
	}
	wg.Wait()
	if left := s.Uploads(OBS, "b-1"); len(left) != 0 || s.Count(OBS, OpAbort) != n {
		t.Errorf("%d left after %d aborts", len(left), s.Count(OBS, OpAbort))
	}
	s.ForgetLedger()
	if len(s.Ledger()) != 0 {
		t.Error("the ledger remembers")
	}
}

// TestPinnedID checks that pins are used in turn, and that an id may come back after its upload has ended.
func TestPinnedID(t *testing.T) {
	s := launch(t, Options{})
	s.PinUploadID(COS, "b-1", "k", "one")
	s.PinUploadID(COS, "b-1", "k", "one")
	create := raw{method: "POST", target: "/b-1/k?uploads"}
	abort := raw{method: "DELETE", target: "/b-1/k?uploadId=one"}
	for range 2 {
		if got := create.do(t, s, COS); got.element("UploadId") != "one" {
			t.Error(got.body)
		}
		if got := abort.do(t, s, COS); got.status != 204 {
			t.Error(got.body)
		}
	}
	if got := create.do(t, s, COS); got.element("UploadId") == "one" {
		t.Error("pinned for ever")
	}
}
