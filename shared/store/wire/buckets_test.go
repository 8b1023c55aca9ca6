package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/mpu"
)

func TestReadBuckets(t *testing.T) {
	const open, end = "<ListAllMyBucketsResult><Buckets>", "</Buckets></ListAllMyBucketsResult>"
	one := mpu.Bucket{Store: "s3", Name: "one"}
	for _, tt := range []struct {
		name, document string
		want           []mpu.Bucket // nil: an error
		next           string
	}{
		{"nothing", "<ListAllMyBucketsResult/>", []mpu.Bucket{}, ""},
		{"no region", open + "<Bucket><Name>one</Name></Bucket>" + end, []mpu.Bucket{one}, ""},
		{"S3", open + "<Bucket><Name>one</Name><BucketRegion>r</BucketRegion></Bucket></Buckets><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>",
			[]mpu.Bucket{{Store: "s3", Name: "one", Region: "r"}}, "t"},
		{"OSS", open + "<Bucket><Location>oss-r</Location><Name>one</Name><Region>r</Region></Bucket></Buckets><IsTruncated>true</IsTruncated><NextMarker>m</NextMarker></ListAllMyBucketsResult>",
			[]mpu.Bucket{{Store: "s3", Name: "one", Region: "r"}}, "m"},
		{"COS, no marker", open + "<Bucket><Name>one</Name><Location>r</Location></Bucket></Buckets><IsTruncated>true</IsTruncated></ListAllMyBucketsResult>",
			[]mpu.Bucket{{Store: "s3", Name: "one", Region: "r"}}, "one"},
		{"a marker and no more", open + "<Bucket><Name>one</Name></Bucket></Buckets><IsTruncated>false</IsTruncated><NextMarker>m</NextMarker></ListAllMyBucketsResult>", []mpu.Bucket{one}, ""},
		{"more, nowhere", open + "</Buckets><IsTruncated>true</IsTruncated></ListAllMyBucketsResult>", nil, ""},
		{"no name", open + "<Bucket><BucketRegion>r</BucketRegion></Bucket>" + end, nil, ""},
		{"two names", open + "<Bucket><Name>one</Name><Name>two</Name></Bucket>" + end, nil, ""},
		{"a path", open + "<Bucket><Name>one/../two</Name></Bucket>" + end, nil, ""},
		{"a host for a region", open + "<Bucket><Name>one</Name><BucketRegion>r.evil.example</BucketRegion></Bucket>" + end, nil, ""},
		{"cut", open + "<Bucket><Name>one</Name></Bucket>", nil, ""},
		{"another answer", "<ListMultipartUploadsResult/>", nil, ""},
		{"an error", "<Error><Code>AccessDenied</Code></Error>", nil, ""},
		{"a long token", open + "</Buckets><ContinuationToken>" + strings.Repeat("x", maxNamed+1) + "</ContinuationToken></ListAllMyBucketsResult>", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := readBuckets(NewScanner(strings.NewReader(tt.document)), "s3")
			if (err != nil) != (tt.want == nil) || !slices.Equal(page.Buckets, tt.want) || page.Next != tt.next {
				t.Errorf("%+v, %v; want %v, next %q", page, err, tt.want, tt.next)
			}
			var refused *refusedError
			if tt.name == "an error" && !errors.As(err, &refused) {
				t.Errorf("%v is no refusal", err)
			}
		})
	}
}
