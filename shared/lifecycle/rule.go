// Package lifecycle reads the lifecycle rules of a bucket, says which of them aborts its multipart uploads, and adds one that
// does to the others.
//
// No service can add a rule: all are written at once, and what is not written back is lost. So a document is never decoded
// and encoded again. The new rule is put in front of its end, and all other bytes stay as the service wrote them.
package lifecycle

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Rule is one rule of a bucket's lifecycle, as far as multipart uploads go.
type Rule struct {
	ID      string
	Prefix  string
	Enabled bool
	Aborts  bool      // it aborts multipart uploads
	Days    int       // after an upload was initiated; 0 if it goes by a date
	Date    time.Time // OSS: uploads initiated before then
	Narrow  bool      // something besides the prefix narrows it: a tag, a size, an exception
	Old     bool      // its prefix stands outside of a filter, the older of two ways

	all string // every element of it but the ID, with its text and attributes, in one form
}

// document is as much of the four services' LifecycleConfiguration as there is to read.
type document struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Rules   []struct {
		ID     string
		Status string
		Prefix *string
		Tag    *struct{} // OSS has it here
		Filter *struct {
			Prefix string
			And    *struct{ Prefix string }
			Others []struct{} `xml:",any"` // tags, sizes, what is not meant (OSS), and what there may be one day
		}
		S3 *struct {
			Days int `xml:"DaysAfterInitiation"`
		} `xml:"AbortIncompleteMultipartUpload"`
		OSS *struct {
			Days int
			Date string `xml:"CreatedBeforeDate"`
		} `xml:"AbortMultipartUpload"`
	} `xml:"Rule"`
}

// Parse reads a LifecycleConfiguration of S3, COS, OBS or OSS. An empty one has no rules.
func Parse(text []byte) ([]Rule, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var d document
	dec := xml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&d)
	if err == io.EOF {
		err = errors.New("it has no elements")
	}
	for err == nil {
		var token xml.Token
		switch token, err = dec.Token(); token := token.(type) {
		case xml.StartElement:
			err = errors.New("something stands behind its end")
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				err = errors.New("something stands behind its end")
			}
		}
	}
	if err != io.EOF {
		return nil, fmt.Errorf("the lifecycle cannot be read: %w", err)
	}
	all, err := elements(text)
	if err != nil {
		return nil, fmt.Errorf("the lifecycle cannot be read: %w", err)
	}
	rules := make([]Rule, len(d.Rules))
	for i, x := range d.Rules {
		r := Rule{ID: x.ID, all: all[i], Enabled: x.Status == "Enabled", Narrow: x.Tag != nil}
		if x.Prefix != nil {
			r.Prefix, r.Old = *x.Prefix, x.Filter == nil
		}
		if f := x.Filter; f != nil {
			r.Prefix += f.Prefix
			r.Narrow = r.Narrow || len(f.Others) > 0 || f.And != nil
			if f.And != nil {
				r.Prefix += f.And.Prefix
			}
		}
		switch {
		case x.S3 != nil:
			r.Aborts, r.Days = true, x.S3.Days
		case x.OSS != nil:
			r.Aborts, r.Days = true, x.OSS.Days
			r.Date, _ = time.Parse(time.RFC3339, x.OSS.Date) // zero for none
		}
		rules[i] = r
	}
	return rules, nil
}

// An element is one of a rule's, with what stands in it.
type element struct {
	said   string // its name, attributes and text
	within []element
}

// String writes an element in a form that does not depend on blanks and on the order of what stands in it.
func (e element) String() string {
	var within []string
	for _, x := range e.within {
		within = append(within, x.String())
	}
	slices.Sort(within)
	return e.said + "{" + strings.Join(within, "") + "}"
}

// elements returns each rule of a document without its ID, in one form.
func elements(text []byte) (rules []string, err error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	var open []element // the document, a rule, …
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return rules, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			said := token.Name.Local
			for _, a := range token.Attr {
				said += fmt.Sprintf(" %s=%q", a.Name.Local, a.Value)
			}
			open = append(open, element{said: said})
		case xml.CharData:
			if said := strings.TrimSpace(string(token)); said != "" && len(open) > 2 {
				open[len(open)-1].said += ":" + said
			}
		case xml.EndElement:
			e := open[len(open)-1]
			open = open[:len(open)-1]
			switch {
			case len(open) == 1 && token.Name.Local == "Rule":
				rules = append(rules, e.String())
			case len(open) > 1 && (len(open) != 2 || token.Name.Local != "ID"):
				open[len(open)-1].within = append(open[len(open)-1].within, e)
			}
		}
	}
}

// Covers reports whether every upload below a prefix, old or new, is aborted by the rule some day.
func (r Rule) Covers(prefix string) bool {
	return r.Enabled && r.Aborts && r.Days > 0 && !r.Narrow && strings.HasPrefix(prefix, r.Prefix)
}

// Covering returns the rule that aborts all uploads below a prefix the soonest.
func Covering(rules []Rule, prefix string) (best Rule, ok bool) {
	for _, r := range rules {
		if r.Covers(prefix) && (!ok || r.Days < best.Days) {
			best, ok = r, true
		}
	}
	return best, ok
}

// AbortsAt returns when the rule is met for an upload: the midnight, UTC, after so many days. A service may take its time
// after that, but does not bill it.
func (r Rule) AbortsAt(initiated time.Time) time.Time {
	due := initiated.UTC().AddDate(0, 0, r.Days)
	midnight := due.Truncate(24 * time.Hour)
	if midnight.Before(due) {
		midnight = midnight.Add(24 * time.Hour)
	}
	return midnight
}

// WhyNot says why a rule that aborts uploads does not abort all below a prefix, empty if it does or is about something else.
func (r Rule) WhyNot(prefix string) string {
	switch {
	case !r.Aborts || r.Covers(prefix):
		return ""
	case !r.Enabled:
		return "it is disabled"
	case r.Narrow:
		return "more than a prefix narrows it: a tag, a size or an exception"
	case r.Days <= 0:
		return "it goes by a date, so that later uploads stay"
	}
	return fmt.Sprintf("it is about %q only", r.Prefix)
}
