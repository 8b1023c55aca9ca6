package trigger

import (
	"fmt"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// whereFields and whenFields are the fields that stand in place of a request in the notation, under the notation's own
// names. Provider is another word for store, and mediaId the word of vod and mps for the key.
var (
	whereFields = []string{"store", "provider", "region", "bucket", "key", "mediaId", "uploadId"}
	whenFields  = []string{"prefix", "before", "olderThan", "after", "cause"}
)

// where reads whereFields: the bucket, and the key and upload ID if they are said.
func (o object) where() (mpu.Request, error) {
	values := map[string]string{}
	for _, field := range whereFields {
		value, err := o.name(field)
		if err != nil {
			return mpu.Request{}, err
		}
		values[field] = value
	}
	store, err := synonym(values, "store", "provider")
	if err != nil {
		return mpu.Request{}, err
	}
	if mpu.ByMediaID(store) {
		return whereMedia(store, values)
	}
	if values["mediaId"] != "" {
		return mpu.Request{}, invalid("mediaId", values["mediaId"], "only vod and mps have media IDs; write key")
	}
	return mpu.Request{
		Bucket:   mpu.Bucket{Store: store, Region: values["region"], Name: values["bucket"]},
		Key:      values["key"],
		UploadID: values["uploadId"],
	}, nil
}

// whereMedia reads the fields of a service that has regions in place of buckets, and media IDs in place of keys and
// upload IDs.
func whereMedia(store string, values map[string]string) (mpu.Request, error) {
	region := values["region"]
	if region == "" {
		return mpu.Request{}, invalid("region", "", store+" needs the region")
	}
	if bucket := values["bucket"]; bucket != "" && bucket != region {
		return mpu.Request{}, invalid("bucket", bucket, store+" has no buckets; leave it out")
	}
	id, err := synonym(values, "key", "mediaId")
	if err != nil {
		return mpu.Request{}, err
	}
	if uploadID := values["uploadId"]; uploadID != "" && uploadID != id {
		return mpu.Request{}, invalid("uploadId", uploadID, "for "+store+" the media ID is the upload ID; leave it out")
	}
	return mpu.Request{Bucket: mpu.Bucket{Store: store, Region: region, Name: region}, Key: id, UploadID: id}, nil
}

// synonym returns the value of a field that goes by two names.
func synonym(values map[string]string, name, other string) (string, error) {
	a, b := values[name], values[other]
	if a != "" && b != "" && a != b {
		return "", invalid(other, b, fmt.Sprintf("%s says %q; write one of the two", name, clip(a, 40)))
	}
	if a == "" {
		return b, nil
	}
	return a, nil
}

// when reads whenFields into a request.
func (o object) when(r *mpu.Request) (err error) {
	if r.Prefix, err = o.name("prefix"); err != nil {
		return err
	}
	if r.Before, err = o.time("before"); err != nil {
		return err
	}
	if r.OlderThan, err = o.age("olderThan"); err != nil {
		return err
	}
	if r.Cause, err = o.cause("cause"); err != nil {
		return err
	}
	after, err := o.name("after")
	if err != nil || after == "" {
		return err
	}
	r.After, err = mpu.ParseMarker(after)
	return err
}

func (o object) age(field string) (time.Duration, error) {
	s, err := o.name(field)
	if err != nil || s == "" {
		return 0, err
	}
	age, err := mpu.ParseAge(s)
	if err != nil || age <= 0 {
		return 0, invalid(field, s, "write 90s, 30m, 48h or 7d")
	}
	return age, nil
}

// cause reads what the sender says for the log: one line, clipped.
func (o object) cause(field string) (string, error) {
	s, err := o.text(field)
	return clip(singleLine(unsigned(s)), 200), err
}

// unsigned is a cause up to its first question mark: an error text may quote a signed URL.
func unsigned(cause string) string {
	cause, _, _ = strings.Cut(cause, "?")
	return cause
}
