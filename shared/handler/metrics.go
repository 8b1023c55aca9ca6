package handler

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// metricsNamespace is where CloudWatch keeps the metrics.
const metricsNamespace = "partsweep"

// writeMetrics writes what a run did as metrics, a line for each store, which CloudWatch reads out of the log ("Specification:
// CloudWatch embedded metric format"). They are there in all and by store; a bucket, a key or an upload ID is no dimension,
// since each value of one is billed.
func (h *Handler) writeMetrics(r *Report) {
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		t := r.Services[name]
		type metric struct{ Name, Unit string }
		var metrics []metric
		line := map[string]any{"level": "INFO", "Store": name}
		add := func(name, unit string, value any) {
			metrics = append(metrics, metric{name, unit})
			line[name] = value
		}
		add("UploadsFound", "Count", t.Found)
		add("UploadsAborted", "Count", t.Aborted)
		add("UploadsPlanned", "Count", t.Planned)
		add("UploadsFailed", "Count", t.Failed)
		add("UploadsDeferred", "Count", t.Deferred)
		add("BytesFreed", "Bytes", t.BytesFreed)
		add("BytesPlanned", "Bytes", t.BytesPlanned)
		for _, reason := range []mpu.Reason{mpu.TooYoung, mpu.Active, mpu.NoTime} {
			add("Kept"+camel(string(reason)), "Count", t.KeptBy[reason])
		}
		oldest := int64(0)
		if !t.OldestKept.IsZero() {
			oldest = int64(r.Started.Sub(t.OldestKept).Seconds())
		}
		add("OldestKeptAge", "Seconds", oldest)
		line["_aws"] = map[string]any{
			"Timestamp": r.Started.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": metricsNamespace, "Dimensions": [][]string{{}, {"Store"}}, "Metrics": metrics,
			}},
		}
		b, err := json.Marshal(line)
		if err != nil {
			h.log.Error("metrics could not be written", "error", err)
			return
		}
		h.lines.Write(append(b, '\n'))
	}
}

// camel joins words: "too young" becomes TooYoung.
func camel(words string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(words) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
