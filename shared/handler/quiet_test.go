package handler

import (
	"bytes"
	"log"
	"testing"
)

func TestQuiet(t *testing.T) {
	for line, want := range map[string]string{
		`Unsolicited response received on idle HTTP channel starting with "<Error>secret</Error>"; err=<nil>`: "Unsolicited response received on idle HTTP channel\n",
		`the answer, starting with "a", is odd`: "the answer, starting with \"a\", is odd\n",
		"http: panic serving 127.0.0.1:1: boom": "http: panic serving 127.0.0.1:1: boom\n",
	} {
		var out bytes.Buffer
		log.New(quiet{&out}, "", 0).Print(line)
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
