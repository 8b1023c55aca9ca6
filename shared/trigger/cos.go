package trigger

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
)

// COS calls a function of Tencent SCF with records (Serverless Cloud Function, document 583/9707):
//
//	{"Records":[{"cos":{"cosBucket":{"region":"gz","name":"media","appid":"1250000000"},
//	 "cosObject":{"key":"/1250000000/media/raw/a.mxf","url":"http://media-1250000000.cos.ap-guangzhou.myqcloud.com/raw/a.mxf"}},
//	 "event":{"eventName":"cos:ObjectCreated:CompleteMultipartUpload","eventTime":1793694001}}]}
//
// The bucket's name lacks the appid, the key has both in front, and the region may be a short code, which no endpoint
// knows: it is taken from the host in url, or left to the settings. Whether the key is encoded is documented nowhere: it is
// taken as it is. COS tells of no upload that was begun, failed or aborted.
func isCOSRecord(r object) bool { return r.has("cos") && r.has("event") }

func readCOSRecords(_ object, records []record) (Event, error) {
	return eachRecord("cos trigger", records, cosRequest), nil
}

func cosRequest(r object) (mpu.Request, error) {
	event, err := r.object("event")
	if err != nil {
		return mpu.Request{}, err
	}
	name, err := event.must("eventName")
	if err != nil {
		return mpu.Request{}, err
	}
	if strings.HasSuffix(name, "*") {
		return mpu.Request{}, ignored("eventName", name, "set the trigger to cos:"+ossCompletion)
	}
	if name != "cos:"+ossCompletion {
		return mpu.Request{}, notCompletion("eventName", name)
	}
	at, err := event.seconds("eventTime")
	if err != nil {
		return mpu.Request{}, err
	}
	cos, err := r.object("cos")
	if err != nil {
		return mpu.Request{}, err
	}
	b, key, err := cosBucketAndKey(cos)
	return completed(b, key, at), err
}

func cosBucketAndKey(cos object) (b mpu.Bucket, key string, err error) {
	bucket, err := cos.object("cosBucket")
	if err != nil {
		return b, "", err
	}
	name, err := bucket.must("name")
	if err != nil {
		return b, "", err
	}
	appID, err := bucket.must("appid")
	if err != nil {
		return b, "", err
	}
	file, err := cos.object("cosObject")
	if err != nil {
		return b, "", err
	}
	whole, err := file.must("key")
	if err != nil {
		return b, "", err
	}
	key, ok := strings.CutPrefix(whole, "/"+appID+"/"+name+"/")
	if !ok || key == "" {
		return b, "", invalid("key", whole, "it begins with /appid/bucket/")
	}
	address, err := file.text("url")
	if err != nil {
		return b, "", err
	}
	name += "-" + appID
	return mpu.Bucket{Store: "cos", Region: cosRegion(address, name), Name: name}, key, nil
}

// cosRegion returns the region in the address of an object, as in BUCKET.cos.ap-guangzhou.myqcloud.com, and nothing if the
// address is another domain's or another bucket's.
func cosRegion(address, bucket string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host, ok := strings.CutPrefix(u.Hostname(), bucket+".cos")
	if !ok {
		return ""
	}
	host = strings.TrimPrefix(host, "-internal")
	for _, domain := range []string{".myqcloud.com", ".tencentcos.cn"} {
		region, ok := strings.CutSuffix(host, domain)
		region, dot := strings.CutPrefix(region, ".")
		if ok && dot && region != "accelerate" && !strings.Contains(region, ".") {
			return region
		}
	}
	return ""
}

// seconds returns a field that is a time in whole seconds since 1970, and has to be there.
func (o object) seconds(field string) (time.Time, error) {
	const year10000 = 253402300800
	n, err := strconv.ParseInt(string(o.fields[field]), 10, 64)
	if err != nil || n <= 0 || n >= year10000 {
		return time.Time{}, fault(field+", "+describe(o.fields[field]), "write seconds since 1970", nil)
	}
	return time.Unix(n, 0).UTC(), nil
}
