package lifecycle

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ruleID is what a new rule is called.
const ruleID = "abort-incomplete-uploads"

// mostRules is how many a bucket may have, on every one of the services.
const mostRules = 1000

// Merge adds a rule to a lifecycle that aborts the uploads below a prefix so many days after they were initiated. It returns
// the whole new document, in which every byte of the old one is there as it was, and the text of the rule.
func Merge(store string, old []byte, prefix string, days int) (merged []byte, rule string, err error) {
	if days < 1 {
		return nil, "", fmt.Errorf("a rule counts whole days, at least 1, not %d", days)
	}
	rules, err := Parse(old)
	if err != nil {
		return nil, "", err
	}
	if len(rules) >= mostRules {
		return nil, "", fmt.Errorf("the bucket has %d rules already, and no room for another", len(rules))
	}
	if other := conflict(store, rules, prefix); other != "" {
		return nil, "", errors.New(other)
	}
	rule = write(store, rules, prefix, days)
	if hollow(old) {
		merged = []byte("<LifecycleConfiguration>" + rule + "</LifecycleConfiguration>")
	} else {
		end, err := endOf(old)
		if err != nil {
			return nil, "", err
		}
		merged = slices.Concat(old[:end], []byte(rule), old[end:])
	}
	// What is about to replace all of a bucket's rules is read once more.
	now, err := Parse(merged)
	if err != nil || !slices.Equal(now[:len(now)-1], rules) || !now[len(now)-1].Covers(prefix) {
		return nil, "", errors.Join(errors.New("the rule cannot be added to this lifecycle safely; add it by hand"), err)
	}
	return merged, rule, nil
}

// hollow reports whether nothing stands in a document, not even a comment.
func hollow(text []byte) bool {
	dec := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		token, err := dec.Token()
		switch token := token.(type) {
		case nil:
			return err == io.EOF
		case xml.StartElement:
			if depth++; depth > 1 {
				return false
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return false
			}
		case xml.ProcInst:
		default:
			return false
		}
	}
}

// conflict says which rule does not let another stand beside it, empty for none. OBS refuses rules whose prefixes overlap,
// whatever they do (support.huaweicloud.com/intl/en-us/api-obs_go_sdk_api_en/obs_33_0213.html); OSS has one rule for fragments
// where prefixes overlap.
func conflict(store string, rules []Rule, prefix string) string {
	for _, r := range rules {
		overlaps := strings.HasPrefix(prefix, r.Prefix) || strings.HasPrefix(r.Prefix, prefix)
		switch {
		case !overlaps:
		case store == "obs":
			return fmt.Sprintf("rule %q is about prefix %q, and OBS has no two rules whose prefixes overlap; name a prefix of its own, or let partsweep sweep the bucket", r.ID, r.Prefix)
		case store == "oss" && r.Aborts:
			return fmt.Sprintf("rule %q aborts uploads below prefix %q, and OSS has one such rule where prefixes overlap; change that one, or name a prefix of its own", r.ID, r.Prefix)
		}
	}
	return ""
}

// write writes the rule in the service's own form.
func write(store string, rules []Rule, prefix string, days int) string {
	id := ruleID
	for n := 2; slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == id }); n++ {
		id = fmt.Sprintf("%s-%d", ruleID, n)
	}
	var escaped strings.Builder
	xml.EscapeText(&escaped, []byte(prefix))
	where := "<Prefix>" + escaped.String() + "</Prefix>"
	// S3 is reported to refuse a lifecycle that has both ways to write a prefix.
	if old := slices.ContainsFunc(rules, func(r Rule) bool { return r.Old }); (store == "s3" || store == "cos") && !old {
		where = "<Filter>" + where + "</Filter>"
	}
	action := fmt.Sprintf("<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d</DaysAfterInitiation></AbortIncompleteMultipartUpload>", days)
	if store == "oss" {
		action = fmt.Sprintf("<AbortMultipartUpload><Days>%d</Days></AbortMultipartUpload>", days)
	}
	return "<Rule><ID>" + id + "</ID>" + where + "<Status>Enabled</Status>" + action + "</Rule>"
}

// endOf returns where the end tag of a document begins.
func endOf(text []byte) (int, error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		at := dec.InputOffset()
		token, err := dec.Token()
		if err == io.EOF {
			return 0, errors.New("the lifecycle has no end")
		}
		if err != nil {
			return 0, err
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth > 0 {
				continue
			}
			// An element of another name space would need a rule of that name space.
			if !bytes.HasPrefix(text[at:], []byte("</LifecycleConfiguration")) {
				return 0, errors.New("the lifecycle is written in a way that no rule can be added to safely; add it by hand")
			}
			return int(at), nil
		}
	}
}
