// Package s3store speaks AWS S3, and what else speaks S3.
package s3store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire"
)

// defaultRegion is where a bucket is asked first if nobody says where it is. S3 answers from there with the right one.
const defaultRegion = "us-east-1"

// A Driver is a [store.Driver] for S3. Its requests are signed with Signature Version 4
// (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
//
// A bucket's region need not be known: when S3 refuses a request because the bucket is elsewhere and says where, the
// error is mpu.Transient, and the next request about the bucket goes there.
type Driver struct {
	*wire.Multipart

	region    string
	endpoint  wire.Endpoint
	pathStyle bool
	signer    wire.SignerV4
	learnt    sync.Map // bucket name → region that the service has told
}

var (
	_ store.ForeignDriver = (*Driver)(nil)
	_ store.BucketsDriver = (*Driver)(nil)

	_ store.LifecycleDriver = (*Driver)(nil)
)

// New returns a driver. The error is mpu.Invalid and names the field of the configuration that is wrong.
func New(cfg store.Config) (*Driver, error) {
	if cfg.Signature != "" && cfg.Signature != "v4" {
		return nil, wire.BadField("Signature", cfg.Signature, "s3 has v4 only")
	}
	d := &Driver{region: cfg.Region, pathStyle: cfg.PathStyle}
	dialect := wire.Dialect{
		Codes:       codes,
		Permissions: permissions,
		Hints:       hints,
		// Of the servers that merely speak S3, some encode without saying so, and others say nothing of the sort.
		EncodingURL: cfg.Endpoint == "",
		Locate:      d.locate,
		Buckets:     wire.BucketListing{Locate: d.locateAccount, Most: "max-buckets", After: "continuation-token"},
		NoLifecycle: "NoSuchLifecycleConfiguration",
		Sign:        d.sign,
		ParseTime:   wire.ParseISO8601,
		Moved:       d.moved,
		LeavesOut:   leavesOut,
		Alias:       func(bucket string) bool { return strings.HasSuffix(bucket, "-s3alias") },
	}
	var err error
	if cfg.Endpoint != "" {
		if d.endpoint, err = wire.ParseEndpoint(cfg.Endpoint); err != nil {
			return nil, err
		}
		if d.endpoint.HasBucket() && cfg.PathStyle {
			return nil, wire.BadField("PathStyle", "true", "the endpoint has {bucket} in its host")
		}
	}
	if d.Foreign() {
		dialect.PartsGone = cephPartsGone
	}
	if d.Multipart, err = wire.NewMultipart(cfg, dialect); err != nil {
		return nil, err
	}
	return d, nil
}

// cephPartsGone is what Ceph says of the parts of an upload that is gone; of an abort it says NoSuchUpload as everybody does.
// Nobody is known who means anything else by it.
const cephPartsGone = "NoSuchKey"

// Foreign implements [store.ForeignDriver]. An endpoint of AWS's own (in a VPC, for FIPS) is not foreign.
func (d *Driver) Foreign() bool {
	return !d.endpoint.IsZero() && !slices.ContainsFunc(partitions, func(p partition) bool {
		return wire.HasDomain(d.endpoint.With("bucket", defaultRegion), p.suffix)
	})
}

// locate implements the endpoint rules (docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
func (d *Driver) locate(b mpu.Bucket) (wire.Place, error) {
	if strings.HasSuffix(b.Name, "--x-s3") {
		return wire.Place{}, &mpu.Error{Kind: mpu.Refused, Message: "a directory bucket, which needs sessions of its own",
			Hint: "let a lifecycle rule abort its uploads"}
	}
	region, learnt := d.regionOf(b)
	if err := wire.CheckRegion(b, region); err != nil {
		return wire.Place{}, err
	}
	p := d.place(b.Name, region)
	p.Partition, p.Learnt = partitionOf(region).name, learnt
	return p, nil
}

// locateAccount is where the account's buckets are listed: in any region, those of all.
func (d *Driver) locateAccount(region string) (wire.Place, error) {
	region = cmp.Or(region, d.region, defaultRegion)
	if err := wire.CheckRegion(mpu.Bucket{Store: "s3", Name: mpu.AnyBucket}, region); err != nil {
		return wire.Place{}, err
	}
	partition := partitionOf(region)
	p := wire.Place{Scheme: "https", Address: "s3." + region + "." + partition.suffix, InPath: true, Region: region}
	if !d.endpoint.IsZero() {
		var err error
		if p, err = d.endpoint.Account(region); err != nil {
			return wire.Place{}, err
		}
	}
	p.Partition = partition.name
	return p, nil
}

func (d *Driver) place(bucket, region string) wire.Place {
	inHost := wire.IsBucketHost(bucket)
	if d.endpoint.IsZero() {
		p := wire.Place{Scheme: "https", Bucket: bucket, Region: region}
		p.Address = "s3." + region + "." + partitionOf(region).suffix
		// The certificate covers one label in front, so that a name with dots fails verification.
		if d.pathStyle || !inHost || strings.Contains(bucket, ".") {
			p.InPath = true
		} else {
			p.Address = bucket + "." + p.Address
		}
		return p
	}
	dotted := d.endpoint.Scheme() == "https" && strings.Contains(bucket, ".")
	return d.endpoint.Place(bucket, region, d.pathStyle || !inHost || dotted || d.endpoint.IsIP())
}

// regionOf returns the region to ask for a bucket in, and whether the service has told it. What it has told comes first:
// it only ever tells when the others were wrong.
func (d *Driver) regionOf(b mpu.Bucket) (region string, learnt bool) {
	if told, ok := d.learnt.Load(b.Name); ok {
		return told.(string), true
	}
	for _, region := range []string{b.Region, d.region} {
		if region != "" {
			return region, false
		}
	}
	return defaultRegion, false
}

// moved takes up the region that a refusal names. One that was tried already is no news: it would be told for ever.
func (d *Driver) moved(p wire.Place, r *wire.Reply) bool {
	told := r.ToldRegion()
	elsewhere := r.Status/100 == 3 || r.Code == "AuthorizationHeaderMalformed" || r.Code == "IllegalLocationConstraintException"
	if !elsewhere || told == "" || told == p.Region {
		return false
	}
	d.learnt.Store(p.Bucket, told)
	return true
}

// sign says what the hash of no body is: some servers insist on the header, and every one accepts this value.
func (d *Driver) sign(req *http.Request, s wire.Signing) error {
	hash := wire.EmptyHash
	if s.Body != nil {
		sum := sha256.Sum256(s.Body)
		hash = hex.EncodeToString(sum[:])
	}
	d.signer.Sign(req, s, hash)
	return nil
}

type partition struct{ prefix, name, suffix string }

// partitions are the separate parts of the cloud, by what their regions begin with
// (docs.aws.amazon.com/general/latest/gr/s3.html, and the SDK's own table).
var partitions = []partition{
	{"cn-", "aws-cn", "amazonaws.com.cn"},
	{"us-gov-", "aws-us-gov", "amazonaws.com"},
	{"eusc-", "aws-eusc", "amazonaws.eu"},
	{"us-iso-", "aws-iso", "c2s.ic.gov"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov"},
	{"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"},
	{"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
	{"", "aws", "amazonaws.com"},
}

func partitionOf(region string) partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p
		}
	}
	panic("the last partition's prefix is empty")
}
