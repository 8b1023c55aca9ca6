package handler

import (
	"bytes"
	"io"
	"log"
	"os"
)

// quiet is what a process writes its standard log through. What a store sends behind an answer, unasked, net/http, which asks
// through a tunnel, writes there as it came, up to 4 KiB of it: the words of others, in a form of their own, and perhaps with what they were sent. It says
// only that it happened, and passes on everything else.
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

// SetUp sets up a function's process: what its standard log says goes to standard error, quietly.
func SetUp() { log.SetOutput(quiet{os.Stderr}) }
