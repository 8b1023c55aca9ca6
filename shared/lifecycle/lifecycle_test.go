package lifecycle

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// five are rules of other kinds, written in ways that a decoder would not write back.
const five = `<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <!-- kept by the archive team -->
  <Rule><ID>logs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>
  <Rule><ID>cold</ID><Filter><And><Prefix>raw/</Prefix><Tag><Key>tier</Key><Value>cold</Value></Tag></And></Filter><Status>Enabled</Status>
    <Transition><Days>90</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition></Rule>
  <Rule><ID>versions</ID><Filter/><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>
  <Rule><ID>off</ID><Filter></Filter><Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
  <Rule><ID>new-kind</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><SomethingNobodyKnows Yet="true"/></Rule>
</LifecycleConfiguration>
`

const oldStyle = `<LifecycleConfiguration><Rule><ID>a</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name, store, old, prefix string
		days                     int
		rule                     string
	}{
		{"none yet", "s3", "", "", 7, `<Rule><ID>abort-incomplete-uploads</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"an empty one", "cos", "<LifecycleConfiguration/>", "", 7, `<Rule><ID>abort-incomplete-uploads</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"five others", "s3", five, "", 3, `<Rule><ID>abort-incomplete-uploads</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"a prefix", "s3", five, "a&b/<c>", 1, `<Rule><ID>abort-incomplete-uploads</ID><Filter><Prefix>a&amp;b/&lt;c&gt;</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"the old way to write a prefix", "s3", oldStyle, "", 7, `<Rule><ID>abort-incomplete-uploads</ID><Prefix></Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"obs", "obs", oldStyle, "raw/", 7, `<Rule><ID>abort-incomplete-uploads</ID><Prefix>raw/</Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
		{"oss", "oss", oldStyle, "", 7, `<Rule><ID>abort-incomplete-uploads</ID><Prefix></Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>7</Days></AbortMultipartUpload></Rule>`},
		{"the name is taken", "obs", strings.Replace(oldStyle, "<ID>a<", "<ID>abort-incomplete-uploads<", 1), "raw/", 7, `<Rule><ID>abort-incomplete-uploads-2</ID><Prefix>raw/</Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			merged, rule, err := Merge(tt.store, []byte(tt.old), tt.prefix, tt.days)
			if err != nil {
				t.Fatal(err)
			}
			if rule != tt.rule {
				t.Errorf("rule\n%s\nwant\n%s", rule, tt.rule)
			}
			// Taken out again, it leaves the old document, byte for byte.
			if before, _ := Parse([]byte(tt.old)); len(before) > 0 {
				if left := bytes.Replace(merged, []byte(rule), nil, 1); string(left) != tt.old {
					t.Error(cmp.Diff(tt.old, string(left)))
				}
			}
			rules, err := Parse(merged)
			if got, ok := Covering(rules, tt.prefix+"more"); err != nil || !ok || got.Days != tt.days {
				t.Errorf("%v, %+v", err, got)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	many := "<LifecycleConfiguration>" + strings.Repeat("<Rule><Prefix/><Status>Enabled</Status></Rule>", mostRules) + "</LifecycleConfiguration>"
	for name, tt := range map[string]struct {
		old  string
		days int
	}{
		"no days":             {"", 0},
		"no XML":              {"rules: none", 7},
		"another document":    {"<Error><Code>AccessDenied</Code></Error>", 7},
		"one that is cut":     {five[:len(five)-40], 7},
		"a prefixed one":      {`<x:LifecycleConfiguration xmlns:x="y"><x:Rule><x:ID>a</x:ID><x:Prefix/><x:Status>Enabled</x:Status></x:Rule></x:LifecycleConfiguration>`, 7},
		"as many as can be":   {many, 7},
		"text behind its end": {oldStyle + "<Rule/>", 7},
	} {
		t.Run(name, func(t *testing.T) {
			if merged, _, err := Merge("s3", []byte(tt.old), "", tt.days); err == nil {
				t.Errorf("made %s", merged)
			}
		})
	}
}

// Some services have no two rules that overlap. That is said before anything is written.
func TestMergeConflicts(t *testing.T) {
	aborting := strings.Replace(oldStyle, "<Expiration><Days>1</Days></Expiration>", "<AbortMultipartUpload><Days>30</Days></AbortMultipartUpload>", 1)
	for _, tt := range []struct {
		store, old, prefix string
		want               string
	}{
		{"obs", oldStyle, "", "overlap"},
		{"obs", oldStyle, "tmp/x/", "overlap"},
		{"obs", oldStyle, "raw/", ""},
		{"oss", oldStyle, "", ""},
		{"oss", aborting, "", "overlap"},
		{"oss", aborting, "raw/", ""},
		{"s3", oldStyle, "", ""},
		{"cos", oldStyle, "tmp/", ""},
	} {
		_, _, err := Merge(tt.store, []byte(tt.old), tt.prefix, 7)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q: %v, want %q", tt.store, tt.prefix, err, tt.want)
		}
	}
}

func TestCovering(t *testing.T) {
	day := func(n int) Rule { return Rule{Enabled: true, Aborts: true, Days: n} }
	of := func(r Rule, change func(*Rule)) Rule { change(&r); return r }
	for _, tt := range []struct {
		name   string
		rules  []Rule
		prefix string
		days   int // 0: none
		why    string
	}{
		{"none", nil, "", 0, ""},
		{"one", []Rule{day(7)}, "", 7, ""},
		{"the sooner", []Rule{day(7), day(3), day(5)}, "raw/", 3, ""},
		{"disabled", []Rule{of(day(1), func(r *Rule) { r.Enabled = false })}, "", 0, "disabled"},
		{"about objects", []Rule{of(day(1), func(r *Rule) { r.Aborts = false })}, "", 0, ""},
		{"narrowed", []Rule{of(day(1), func(r *Rule) { r.Narrow = true })}, "", 0, "narrows it"},
		{"by date", []Rule{of(day(0), func(r *Rule) { r.Date = time.Unix(0, 0) })}, "", 0, "date"},
		{"elsewhere", []Rule{of(day(1), func(r *Rule) { r.Prefix = "tmp/" })}, "raw/", 0, "tmp/"},
		{"of a part", []Rule{of(day(1), func(r *Rule) { r.Prefix = "raw/" })}, "", 0, "raw/"},
		{"around it", []Rule{of(day(1), func(r *Rule) { r.Prefix = "raw/" })}, "raw/2026/", 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := Covering(tt.rules, tt.prefix)
			if ok != (tt.days > 0) || r.Days != tt.days {
				t.Errorf("%v %+v, want %d days", ok, r, tt.days)
			}
			if len(tt.rules) == 1 && !strings.Contains(tt.rules[0].WhyNot(tt.prefix), tt.why) || tt.why == "" && len(tt.rules) == 1 && tt.rules[0].WhyNot(tt.prefix) != "" {
				t.Errorf("why not: %q", tt.rules[0].WhyNot(tt.prefix))
			}
		})
	}
}

func TestParse(t *testing.T) {
	rule := func(s string) string {
		return "<LifecycleConfiguration><Rule>" + s + "</Rule></LifecycleConfiguration>"
	}
	const abort = "<Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	const oss = "<Prefix>a/</Prefix><Status>Enabled</Status><AbortMultipartUpload>"
	for _, tt := range []struct {
		name, text string
		want       Rule
	}{
		{"a filter", rule("<ID>x</ID><Filter><Prefix>a/</Prefix></Filter>" + abort), Rule{ID: "x", Prefix: "a/", Enabled: true, Aborts: true, Days: 3}},
		{"an empty filter", rule("<Filter/>" + abort), Rule{Enabled: true, Aborts: true, Days: 3}},
		{"a prefix of old", rule("<Prefix>a/</Prefix>" + abort), Rule{Prefix: "a/", Enabled: true, Aborts: true, Days: 3, Old: true}},
		{"a tag", rule("<Filter><Tag><Key>k</Key></Tag></Filter>" + abort), Rule{Enabled: true, Aborts: true, Days: 3, Narrow: true}},
		{"a size", rule("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>" + abort), Rule{Enabled: true, Aborts: true, Days: 3, Narrow: true}},
		{"both", rule("<Filter><And><Prefix>a/</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>" + abort), Rule{Prefix: "a/", Enabled: true, Aborts: true, Days: 3, Narrow: true}},
		{"an exception, OSS", rule("<Prefix></Prefix><Filter><Not><Prefix>keep/</Prefix></Not></Filter><Status>Enabled</Status><AbortMultipartUpload><Days>3</Days></AbortMultipartUpload>"), Rule{Enabled: true, Aborts: true, Days: 3, Narrow: true}},
		{"days, OSS", rule(oss + "<Days>9</Days></AbortMultipartUpload>"), Rule{Prefix: "a/", Enabled: true, Aborts: true, Days: 9, Old: true}},
		{"a date, OSS", rule(oss + "<CreatedBeforeDate>2026-01-02T00:00:00.000Z</CreatedBeforeDate></AbortMultipartUpload>"), Rule{Prefix: "a/", Enabled: true, Aborts: true, Old: true, Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}},
	} {
		got, err := Parse([]byte(tt.text))
		if len(got) == 1 && got[0].all == "" {
			t.Errorf("%s: nothing is kept of the rest", tt.name)
		}
		for i := range got {
			got[i].all = "" // see TestMissing
		}
		if err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v %+v, want %+v", tt.name, err, got, tt.want)
		}
	}
}

// What a service says after a rule was added is held against what it said before: nothing may be lost, nor be another.
func TestMissing(t *testing.T) {
	const added = `<Rule><ID>new</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`
	const one = `<Rule><ID>one</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>`
	const two = `<Rule><Filter/><Status>Enabled</Status><Transition><Days>30</Days><StorageClass>IA</StorageClass></Transition><Transition><Days>60</Days><StorageClass>COLD</StorageClass></Transition></Rule>`
	parse := func(rules string) []Rule {
		all, err := Parse([]byte("<LifecycleConfiguration>" + rules + "</LifecycleConfiguration>"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, tt := range []struct {
		name, old, now string
		want           string // the IDs of what is missing
	}{
		{"all there", one + two, one + two + added, `[]`},
		{"in another order", one + two, added + two + one, `[]`},
		{"with other blanks", one, strings.NewReplacer("><Status", ">\n  <Status", "Status><", "Status>\n<").Replace(one + added), `[]`},
		{"an ID given to a rule that had none", two, strings.Replace(two, "<Rule>", "<Rule><ID>x</ID>", 1) + added, `[]`},
		{"the new one in the older way (Ceph)", one, one + strings.NewReplacer("<Filter>", "", "</Filter>", "").Replace(added), `[]`},
		{"the new one is not there", one, one, `["new"]`},
		{"the new one for fewer uploads", one, one + strings.Replace(added, "<Prefix>", "<Prefix>a/", 1), `["new"]`},
		{"the new one is off", one, one + strings.Replace(added, "Enabled", "Disabled", 1), `["new"]`},
		{"an old one is lost", one + two, two + added, `["one"]`},
		{"one without an ID is lost", one + two, one + added, `[""]`},
		{"one of two alike is lost", two + two, two + added, `[""]`},
		{"an old one is another", one, strings.Replace(one, ">30<", ">1<", 1) + added, `["one"]`},
		{"an old one has another name", one, strings.Replace(one, ">one<", ">uno<", 1) + added, `["one"]`},
		{"two values have changed places", two, strings.NewReplacer(">30<", ">60<", ">60<", ">30<").Replace(two) + added, `[""]`},
	} {
		if got := fmt.Sprintf("%q", missing(parse(tt.old), parse(added)[0], parse(tt.now))); got != tt.want {
			t.Errorf("%s: missing %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A document without rules may hold something else all the same, which stays.
func TestMergeKeepsWhatIsNoRule(t *testing.T) {
	for old, kept := range map[string]bool{
		"": false, "<LifecycleConfiguration/>": false, "<?xml version='1.0'?>\n<LifecycleConfiguration>\n</LifecycleConfiguration>": false,
		"<LifecycleConfiguration><Unknown/></LifecycleConfiguration>":             true,
		"<LifecycleConfiguration><!-- keep --></LifecycleConfiguration>":          true,
		"<LifecycleConfiguration><Rules><Rule/></Rules></LifecycleConfiguration>": true,
	} {
		merged, rule, err := Merge("s3", []byte(old), "", 7)
		if err != nil {
			t.Errorf("%s: %v", old, err)
			continue
		}
		if left := strings.Replace(string(merged), rule, "", 1); kept && left != old {
			t.Errorf("%s: of it is left %s", old, left)
		}
	}
}

func TestAbortsAt(t *testing.T) {
	for initiated, want := range map[string]string{
		"2026-11-03T08:00:00Z":      "2026-11-11T00:00:00Z",
		"2026-11-03T00:00:00Z":      "2026-11-10T00:00:00Z",
		"2026-11-03T23:30:00-02:00": "2026-11-12T00:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, initiated)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Rule{Days: 7}).AbortsAt(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", initiated, got, want)
		}
	}
}

func FuzzMerge(f *testing.F) {
	for _, s := range []string{five, oldStyle, "", "<LifecycleConfiguration/>"} {
		f.Add(s, "raw/", 7)
	}
	f.Fuzz(func(t *testing.T, old, prefix string, days int) {
		merged, rule, err := Merge("s3", []byte(old), prefix, days)
		if err != nil {
			return
		}
		before, err := Parse([]byte(old))
		if err != nil {
			t.Fatal(err)
		}
		if len(before) > 0 && string(bytes.Replace(merged, []byte(rule), nil, 1)) != old {
			t.Errorf("%q became %q", old, merged)
		}
		if after, err := Parse(merged); err != nil || len(after) != len(before)+1 {
			t.Errorf("%v, %d rules and then %d", err, len(before), len(after))
		}
	})
}
