package handler

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	w := newWorld(t, "PARTSWEEP_METRICS=emf")
	w.seed(2)
	if _, err := w.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=48h"}`)); err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	for text := range strings.Lines(w.log.String()) {
		if strings.Contains(text, "_aws") {
			if line != nil {
				t.Error("two lines for one store")
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if line["Store"] != "s3" || line["UploadsAborted"] != 3.0 || line["BytesFreed"] != float64(1<<30) || line["KeptActive"] != 0.0 || line["level"] != "INFO" {
		t.Errorf("%v", line)
	}
	aws, _ := line["_aws"].(map[string]any)
	directive := aws["CloudWatchMetrics"].([]any)[0].(map[string]any)
	var names []string
	for _, m := range directive["Metrics"].([]any) {
		name := m.(map[string]any)["Name"].(string)
		if names = append(names, name); line[name] == nil {
			t.Errorf("%s has no value", name)
		}
	}
	if aws["Timestamp"] != float64(now.UnixMilli()) || directive["Namespace"] != "partsweep" {
		t.Errorf("%v", aws)
	}
	// The alarms and the dashboard are about metrics that there are.
	template, err := os.ReadFile("../../serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	uses := regexp.MustCompile(`\["partsweep", "(\w+)"\]|Namespace: partsweep\n +MetricName: (\w+)`).FindAllStringSubmatch(string(template), -1)
	for _, u := range uses {
		if name := u[1] + u[2]; !slices.Contains(names, name) {
			t.Errorf("serverless.yml speaks of %s; there are %q", name, names)
		}
	}
	if len(uses) < 8 {
		t.Errorf("%d metrics found in serverless.yml", len(uses))
	}
}

func TestNoMetricsUnlessAsked(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Run(t.Context(), []byte(`{"sweep":"s3://media?olderThan=48h"}`)); err != nil || strings.Contains(w.log.String(), "_aws") {
		t.Errorf("%v\n%s", err, w.log.String())
	}
}
