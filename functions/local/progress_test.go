package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// On a narrow terminal the line says less, and never half of a word: how long it takes stands in it to the end.
func TestProgressFits(t *testing.T) {
	for _, width := range []int{0, 200, 80, 60, 40, 24} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			p := &progress{width: width, total: 57_299}
			p.pages.Store(373)
			p.found.Store(4_283)
			p.inspected.Store(4_402)
			p.aborted.Store(4_283)
			p.bytes.Store(448 << 30)
			line := p.line(3 * time.Second)
			if width > 0 && len(line) >= width {
				t.Errorf("%d columns: %q", len(line), line)
			}
			if !strings.HasSuffix(line, "1,427/s, 37s left") {
				t.Error(line)
			}
			if whole := width == 0 || width == 200; whole != strings.HasPrefix(line, "373 pages, 4,283 found, 4,402 inspected, 4,283 aborted, 448.0 GiB, ") {
				t.Error(line)
			}
		})
	}
}
