package main

import (
	"context"
	"testing"
)

func TestKill(t *testing.T) {
	binary, remove, err := build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	for name, run := range map[string]func(context.Context, string, config) (*result, error){
		"sweep": killSweep, "batch": killBatches, "deadline": cutShort,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := run(t.Context(), binary, config{kills: 40, uploads: 800, seed: 2})
			if err != nil {
				t.Fatal(err)
			}
			if t.Log(r); len(r.wrong) > 0 || r.aborted == 0 || r.logged == 0 {
				t.Fail()
			}
		})
	}
}
