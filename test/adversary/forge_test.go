package adversary

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/partsweep/partsweep/events"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/trigger"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A payload is an event as a platform sends it, about buckets of ours.
type payload struct {
	name   string
	event  string
	source string        // what sent it, innermost first, envelopes after " in "
	asks   []mpu.Request // what it asks for
}

// service is what the payload is about.
func (p payload) service() sandbox.Service { return sandbox.Service(p.asks[0].Bucket.Store) }

// payloads are all of the events that ask for something, made to be about buckets of ours and to pass our own door.
func payloads(t *testing.T) []payload {
	t.Helper()
	var all []payload
	err := fs.WalkDir(events.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "hostile/") {
			return err
		}
		event, err := fs.ReadFile(events.Files, name)
		if err != nil {
			return err
		}
		p := payload{name: strings.TrimSuffix(name, path.Ext(name)), event: forge(t, string(event), "Bearer example", "Bearer "+httpToken)}
		p.read()
		for _, r := range p.asks {
			// Huawei's examples are about a bucket of another name and in another region.
			mine := ours[sandbox.Service(r.Bucket.Store)]
			p.event = forge(t, p.event, r.Bucket.Name, mine.Name)
			if r.Bucket.Region != "" {
				p.event = forge(t, p.event, r.Bucket.Region, mine.Region)
			}
		}
		if p.read(); len(p.asks) > 0 {
			all = append(all, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// read finds out what the payload asks for.
func (p *payload) read() {
	e, err := trigger.Parse([]byte(p.event))
	p.source, p.asks = e.Source, nil
	if err == nil && e.HTTP != nil {
		e, err = trigger.Parse(e.HTTP.Body)
		p.source = e.Source + " in " + p.source
	}
	if err != nil {
		return
	}
	for _, item := range e.Items {
		if item.Err == nil && item.URLJob == "" && !strings.Contains(item.Request.Bucket.Name, "--x-s3") {
			p.asks = append(p.asks, item.Request)
		}
	}
}

// forge puts one text in the place of another wherever it stands in an event: also in JSON that stands in a text, and in
// what was compressed or encoded.
func forge(t *testing.T, event, was, is string) string {
	t.Helper()
	value, ok := parseJSON(event)
	if !ok {
		return strings.ReplaceAll(event, was, is)
	}
	forged := each(value, func(s string) string {
		if text, pack := unpack(s); pack != nil {
			return pack(forge(t, text, was, is))
		}
		if strings.HasPrefix(strings.TrimSpace(s), "{") {
			return forge(t, s, was, is)
		}
		return strings.ReplaceAll(s, was, is)
	})
	out, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// parseJSON reads JSON, and leaves numbers as they are written.
func parseJSON(text string) (value any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return value, d.Decode(&value) == nil && !d.More()
}

// each changes every string of a JSON value.
func each(v any, change func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = each(v[name], change)
		}
	case []any:
		for i := range v {
			v[i] = each(v[i], change)
		}
	case string:
		return change(v)
	}
	return v
}

// unpack reads what is in Base64, and perhaps in gzip, and returns how to write it again. Pack is nil for any other text.
func unpack(s string) (text string, pack func(string) string) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) < 16 {
		return "", nil // most words are Base64
	}
	if z, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
		if plain, err := io.ReadAll(z); err == nil {
			return string(plain), func(s string) string {
				var b bytes.Buffer
				w := gzip.NewWriter(&b)
				w.Write([]byte(s)) // to memory
				w.Close()
				return base64.StdEncoding.EncodeToString(b.Bytes())
			}
		}
	}
	if !utf8.Valid(raw) || !strings.ContainsAny(string(raw), "{:") {
		return "", nil
	}
	return string(raw), func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
}
