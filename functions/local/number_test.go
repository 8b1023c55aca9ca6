package main

import (
	"context"
	"testing"

	"github.com/partsweep/partsweep/test/sandbox"
)

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "9": 9, "9d": 9, "0": -1, "10": -1, "x": -1, "": -1, "1.5": -1} {
		v := -1
		err := (&number{value: &v, least: 1, most: 9, unit: "d"}).Set(text)
		if v != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, v, err, want)
		}
	}
}

// What fills the sandbox hears Ctrl-C.
func TestAddManyStops(t *testing.T) {
	w, _ := inWorld(t, 0)
	before := len(w.Uploads(sandbox.S3, "media-in"))
	stop, cancel := context.WithCancel(t.Context())
	cancel()
	w.addMany(stop, 100)
	if n := len(w.Uploads(sandbox.S3, "media-in")); n != before {
		t.Errorf("%d uploads, and %d before", n, before)
	}
	w.addMany(t.Context(), 100)
	if n := len(w.Uploads(sandbox.S3, "media-in")); n != before+100 {
		t.Errorf("%d uploads, and %d before", n, before)
	}
}
