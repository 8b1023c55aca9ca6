package handler

import (
	"bytes"
	"io"
)

// Quiet is for a function's process to write its standard log through. What a store sends behind an answer, unasked,
// net/http writes there as it came, up to 4 KiB of it: the words of others, in a form of their own, and perhaps with what
// they were sent. Quiet says only that it happened, and passes on everything else.
func Quiet(w io.Writer) io.Writer { return quiet{w} }

type quiet struct{ w io.Writer }

// Write writes one line of a log.
func (q quiet) Write(line []byte) (int, error) {
	kept := line
	if said, _, ok := bytes.Cut(line, []byte(" starting with ")); ok && bytes.Contains(said, []byte("Unsolicited response")) {
		kept = append(bytes.Clone(said), '\n')
	}
	if _, err := q.w.Write(kept); err != nil {
		return 0, err
	}
	return len(line), nil
}
