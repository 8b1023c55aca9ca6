package s3store

import (
	"fmt"
	"strings"

	"github.com/partsweep/partsweep/shared/store"
)

// leavesOut says what some servers that speak S3 are known to leave out of their listings. They are told by their Server
// header.
//
//   - MinIO lists without a prefix what one node remembers since its start, and with a prefix only what has exactly that
//     key (docs.min.io/community/minio-object-store/reference/s3-api-compatibility.html).
//   - StorageGRID leaves some out above 1,000 (docs.netapp.com/us-en/storagegrid-118/s3/operations-for-multipart-uploads.html),
//     and so does ECS, whose server is called ViPR (github.com/distribution/distribution/issues/3062).
//   - versitygw answers with no uploads when it cannot read its own folders.
func leavesOut(server, prefix string, page store.Page) string {
	name, _, _ := strings.Cut(server, "/")
	n := len(page.Uploads)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "minio":
		if prefix == "" {
			return "MinIO lists without a prefix only what one node remembers since its start; what it forgot is found by its exact key alone"
		}
		if n == 0 {
			return fmt.Sprintf("MinIO finds uploads by their exact key only, and lists none of the key %q", prefix)
		}
	case "storagegrid", "vipr":
		if page.More || n >= 1000 {
			return "this service leaves uploads out of its listing where there are more than 1,000"
		}
	case "versitygw":
		if n == 0 && !page.More {
			return "versitygw lists nothing as well when it cannot read its own folders"
		}
	}
	return ""
}
