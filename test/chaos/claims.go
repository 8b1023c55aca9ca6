package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/partsweep/partsweep/shared/mpu"
)

// claims reads partsweep's own log and tells the truth what it says became of each upload.
type claims struct{ truth *truth }

// Enabled implements slog.Handler.
func (c *claims) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (c *claims) Handle(_ context.Context, r slog.Record) error {
	var target string
	var bytes int64
	var perhaps int64
	var unconfirmed bool
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "target":
			target = a.Value.String()
		case "bytes":
			bytes = a.Value.Int64()
		case "bytesUnconfirmed":
			perhaps = a.Value.Int64()
		case "unconfirmed":
			unconfirmed = a.Value.Bool()
		}
		return true
	})
	if target == "" {
		return nil // not about an upload
	}
	request, err := mpu.Parse(target)
	if err != nil {
		c.truth.complain("the log names %q: %v", target, err)
		return nil
	}
	n := nameOf(mpu.Upload{Bucket: request.Bucket, Key: request.Key, UploadID: request.UploadID})
	c.truth.claim(n, mpu.Result(r.Message), bytes, unconfirmed, perhaps)
	return nil
}

// WithAttrs implements slog.Handler.
func (c *claims) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup implements slog.Handler.
func (c *claims) WithGroup(string) slog.Handler { return c }

func join(s []string) string { return strings.Join(s, ",") }

// firstWords is what a failure is about, without the target and figures in it.
func firstWords(err error) string {
	text := err.Error()
	if i := strings.Index(text, "; first: "); i >= 0 {
		text = text[i+len("; first: "):]
	}
	words := strings.SplitN(text, ": ", 3)
	return words[0]
}
