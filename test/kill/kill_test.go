package main

import (
	"os"
	"testing"
)

// The short form of the command.
func TestKill(t *testing.T) {
	binaries, err := build(t.Context())
	t.Cleanup(func() { os.RemoveAll(binaries) })
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range trials {
		t.Run(tt.name+" on "+tt.platform.name, func(t *testing.T) {
			t.Parallel()
			r, err := try(t.Context(), tt, config{kills: 40, uploads: 800, seed: 2}, binaries)
			if err != nil {
				t.Fatal(err)
			}
			if t.Logf("seed 2\n%s", r); len(r.wrong) > 0 || r.carried == 0 || r.logged == 0 || r.runs < 2 {
				t.Fail()
			}
		})
	}
}
