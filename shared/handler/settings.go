package handler

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/janitor"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Prefix begins the name of every setting.
const Prefix = "PARTSWEEP_"

// Settings are what the environment says. An empty variable counts as not set, and what is not set is the safe value.
type Settings struct {
	Apply       bool          // abort; without it, every run is a plan
	Buckets     []mpu.Request // what may be touched: buckets, each perhaps with a prefix
	MinAge      time.Duration
	MaxAborts   int
	Concurrency int  // requests in flight, at most; 0: as many as suit the platform
	Uninspected bool // sweeps leave the parts of uploads alone, and go by their age
	DeleteMedia bool
	SQSPartial  bool
	Metrics     bool   // metrics go into the log, in CloudWatch's embedded format
	Queue       string // what takes what is handed on; empty: nothing is handed on
	HTTPAddr    string // where functions/http listens; empty: where the platform wants it
	HTTPToken   Secret // what a web request must bring; empty: none is good enough
	HTTPTrusted bool   // the platform lets nobody in that it has not authenticated
	CallbackURL Secret // the callback of ApsaraVideo VOD as it is configured there, perhaps with a password, and its key
	CallbackKey Secret
	LogLevel    slog.Level
	Stores      map[string]StoreSettings
}

// A Secret does not print.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides it from JSON, and so from logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// StoreSettings are those of one service.
type StoreSettings struct {
	Region, Endpoint, Signature string
	PathStyle                   bool
	Lookback                    time.Duration
	Credentials                 store.Credentials // empty: the platform's own
	Price                       float64           // USD a GB and month; 0: the built-in figure
}

// A Setting is one variable of the environment, as it is documented.
type Setting struct {
	Name    string // without the prefix; STORE stands for S3, COS, OBS, OSS, VOD or MPS
	Default string
	Meaning string
	stores  []string // for a STORE setting: the stores that have it
	set     func(s *Settings, value string) error
	setFor  func(s *StoreSettings, value string) error
}

var (
	allStores = mpu.Stores()
	pathStyle = []string{"s3", "obs", "oss"}
)

// Catalogue lists every setting. There are no others: an unknown PARTSWEEP_ variable stops the start.
var Catalogue = []Setting{
	{Name: "BUCKETS", Default: "none", Meaning: "what may be touched, in the notation, separated by blanks or commas: `s3://videos cos://media-1250000000?region=ap-beijing s3://logs?prefix=tmp/`; `s3://*` allows every bucket that a request names, and `s3://*` in a request is then every bucket of the account", set: setBuckets},
	{Name: "MODE", Default: "plan", Meaning: "`plan` reports and aborts nothing; `apply` aborts", set: func(s *Settings, v string) error {
		return choose(v, map[string]func(){"plan": func() { s.Apply = false }, "apply": func() { s.Apply = true }})
	}},
	{Name: "MIN_AGE", Default: "24h", Meaning: "how long nothing must have happened to an upload; no request can undercut it but one that names the upload ID and says since when (`90m`, `48h`, `7d`, `2w`)", set: func(s *Settings, v string) error {
		return parseInto(&s.MinAge, v, mpu.ParseAge, func(d time.Duration) bool { return d >= time.Minute }, "an age of at least 1m")
	}},
	{Name: "MAX_ABORTS", Default: "1000000", Meaning: "the most that one run aborts; the rest is deferred, not lost; a plan shows everything", set: func(s *Settings, v string) error {
		return parseInto(&s.MaxAborts, v, strconv.Atoi, func(n int) bool { return n > 0 }, "a whole number above 0")
	}},
	{Name: "CONCURRENCY", Default: "384", Meaning: "the most requests in flight, shared by the buckets; how many one bears is found out; on Lambda below 615 MB the default is five for every 8 MB, as many as its share of a CPU has use for", set: func(s *Settings, v string) error {
		return parseInto(&s.Concurrency, v, strconv.Atoi, func(n int) bool { return n > 0 && n <= 1024 }, "a whole number from 1 to 1024")
	}},
	{Name: "INSPECT", Default: "true", Meaning: "`false` leaves out the look at the parts of what a sweep finds, which halves the requests: age then counts from the beginning of an upload, so that a slow live one is aborted as a lifecycle rule would, and the bytes are not known", set: func(s *Settings, v string) error {
		return parseInto(&s.Uninspected, v, func(v string) (bool, error) { inspect, err := strconv.ParseBool(v); return !inspect, err }, func(bool) bool { return true }, "true or false")
	}},
	{Name: "MPS_DELETE_MEDIA", Default: "no", Meaning: "`allow` lets a request that names media IDs call MPS DeleteMedia, which removes records and frees no storage", set: func(s *Settings, v string) error {
		return choose(v, map[string]func(){"no": func() {}, "allow": func() { s.DeleteMedia = true }})
	}},
	{Name: "SQS_PARTIAL", Default: "false", Meaning: "`true` answers an SQS batch with the messages that are not done; only for an event source mapping with `ReportBatchItemFailures`, without which SQS would delete them", set: func(s *Settings, v string) error {
		return parseInto(&s.SQSPartial, v, strconv.ParseBool, func(bool) bool { return true }, "true or false")
	}},
	{Name: "QUEUE", Default: "none", Meaning: "what takes the rest of a run whose time is up, and each bucket of a sweep of every bucket: on Lambda the URL of an SQS queue that invokes this function; `self` on Function Compute and SCF, where the function then invokes itself asynchronously, and at a terminal, where one run follows the other", set: func(s *Settings, v string) error { s.Queue = v; return nil }},
	{Name: "METRICS", Default: "none", Meaning: "`emf` writes counts and bytes into the log as CloudWatch reads them, in the namespace partsweep, in all and by store", set: func(s *Settings, v string) error {
		return choose(v, map[string]func(){"none": func() {}, "emf": func() { s.Metrics = true }})
	}},
	{Name: "HTTP_ADDR", Default: "the platform's port", Meaning: "where the HTTP function listens, as `127.0.0.1:8000` or `:8000`", set: func(s *Settings, v string) error {
		return parseInto(&s.HTTPAddr, v, func(v string) (string, error) { _, _, err := net.SplitHostPort(v); return v, err }, func(string) bool { return true }, "host:port or :port")
	}},
	{Name: "HTTP_TOKEN", Default: "none", Meaning: "the bearer token that a web request must bring, at least 16 characters", set: func(s *Settings, v string) error {
		return parseInto(&s.HTTPToken, v, func(v string) (Secret, error) { return Secret(v), nil }, func(v Secret) bool { return len(v) >= 16 }, "at least 16 characters")
	}},
	{Name: "HTTP_AUTH", Default: "token", Meaning: "`platform` believes every web request: only where the platform lets nobody in that it has not authenticated itself", set: func(s *Settings, v string) error {
		return choose(v, map[string]func(){"token": func() {}, "platform": func() { s.HTTPTrusted = true }})
	}},
	{Name: "VOD_CALLBACK_URL", Default: "none", Meaning: "the HTTP callback as it is configured in ApsaraVideo VOD, to the letter", set: func(s *Settings, v string) error { s.CallbackURL = Secret(v); return nil }},
	{Name: "VOD_CALLBACK_KEY", Default: "none", Meaning: "the authentication key of that callback; without it no callback is believed", set: func(s *Settings, v string) error { s.CallbackKey = Secret(v); return nil }},
	{Name: "LOG_LEVEL", Default: "info", Meaning: "`debug`, `info`, `warn` or `error`", set: func(s *Settings, v string) error {
		return choose(v, map[string]func(){"debug": func() { s.LogLevel = slog.LevelDebug }, "info": func() {},
			"warn": func() { s.LogLevel = slog.LevelWarn }, "error": func() { s.LogLevel = slog.LevelError }})
	}},
	{Name: "STORE_REGION", Default: "none", Meaning: "region of buckets that do not name theirs; for VOD the one that callbacks are about", stores: []string{"s3", "cos", "obs", "oss", "vod"}, setFor: func(s *StoreSettings, v string) error { s.Region = v; return nil }},
	{Name: "STORE_ENDPOINT", Default: "the vendor's", Meaning: "`https://host` or `http://host`, perhaps with `{bucket}` and `{region}`; for S3 anything that speaks it", stores: allStores, setFor: setEndpoint},
	{Name: "STORE_PATH_STYLE", Default: "false", Meaning: "`true` puts the bucket into the path", stores: pathStyle, setFor: func(s *StoreSettings, v string) error {
		return parseInto(&s.PathStyle, v, strconv.ParseBool, func(bool) bool { return true }, "true or false")
	}},
	{Name: "STORE_SIGNATURE", Default: "v4", Meaning: "`v4`, or `v2` for operators that know only that", stores: []string{"obs"}, setFor: func(s *StoreSettings, v string) error {
		return choose(v, map[string]func(){"v2": func() { s.Signature = v }, "v4": func() { s.Signature = v }})
	}},
	{Name: "STORE_LOOKBACK", Default: "8d", Meaning: "how far back a sweep looks for records; VOD removes parts by itself after 7 days, but not from buckets of your own", stores: []string{"vod"}, setFor: func(s *StoreSettings, v string) error {
		return parseInto(&s.Lookback, v, mpu.ParseAge, func(d time.Duration) bool { return d >= 48*time.Hour }, "an age of at least 2d")
	}},
	{Name: "STORE_ACCESS_KEY_ID", Default: "the platform's", Meaning: "credentials for another vendor's cloud", stores: allStores, setFor: func(s *StoreSettings, v string) error { s.Credentials.AccessKeyID = v; return nil }},
	{Name: "STORE_SECRET_ACCESS_KEY", Default: "the platform's", Meaning: "and their secret", stores: allStores, setFor: func(s *StoreSettings, v string) error { s.Credentials.SecretAccessKey = v; return nil }},
	{Name: "STORE_SESSION_TOKEN", Default: "none", Meaning: "for temporary credentials", stores: allStores, setFor: func(s *StoreSettings, v string) error { s.Credentials.SessionToken = v; return nil }},
	{Name: "STORE_PRICE", Default: "see the report", Meaning: "USD a GB and month, for the estimate in the report", stores: allStores, setFor: func(s *StoreSettings, v string) error {
		return parseInto(&s.Price, v, func(v string) (float64, error) { return strconv.ParseFloat(v, 64) }, func(f float64) bool { return f > 0 && f < 1e6 }, "a number above 0")
	}},
}

// ParseSettings reads the environment, as os.Environ returns it. An unknown, malformed or contradictory variable is an
// error that names it. Values of secrets are never part of an error.
func ParseSettings(environ []string) (Settings, error) {
	s := Settings{MinAge: janitor.DefaultMinAge, MaxAborts: janitor.DefaultMaxAborts,
		Stores: map[string]StoreSettings{}}
	values := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, Prefix) {
			values[name] = strings.TrimSpace(value) // of two, the later one counts, as for a process
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] == "" {
			continue
		}
		if err := s.set(strings.TrimPrefix(name, Prefix), values[name]); err != nil {
			return Settings{}, &mpu.Error{Kind: mpu.Invalid, Op: "setting", Target: name, Err: err}
		}
	}
	for i, b := range s.Buckets {
		if of := s.Stores[b.Bucket.Store]; b.Bucket.Region == "" && b.Bucket.Name != mpu.AnyBucket { // every bucket is in every region
			s.Buckets[i].Bucket.Region = of.Region
		}
	}
	return s, s.contradiction()
}

// lookback is how far back a sweep of a store's records looks, 0 for no limit.
func (s *Settings) lookback(store string) time.Duration {
	if back := s.Stores[store].Lookback; back > 0 || store != "vod" {
		return back
	}
	return 8 * 24 * time.Hour
}

func (s *Settings) set(name, value string) error {
	for _, c := range Catalogue {
		if c.set != nil && c.Name == name {
			return quoteValue(c, value, c.set(s, value))
		}
		for _, st := range c.stores {
			if strings.ToUpper(st)+strings.TrimPrefix(c.Name, "STORE") == name {
				of := s.Stores[st]
				err := c.setFor(&of, value)
				s.Stores[st] = of
				return quoteValue(c, value, err)
			}
		}
	}
	if near := nearest(name); near != "" {
		return fmt.Errorf("no such setting; the nearest is %s%s", Prefix, near)
	}
	return fmt.Errorf("no such setting")
}

// quoteValue adds the value to an error, unless it may be a secret.
func quoteValue(c Setting, value string, err error) error {
	for _, part := range []string{"KEY", "TOKEN", "URL", "ENDPOINT", "BUCKETS"} { // secrets, and what people paste secrets into
		if err == nil || strings.Contains(c.Name, part) {
			return err
		}
	}
	return fmt.Errorf("value %q: %w", value, err)
}

// contradiction finds settings that cannot be meant together.
func (s *Settings) contradiction() error {
	complain := func(name, format string, args ...any) error {
		return &mpu.Error{Kind: mpu.Invalid, Op: "setting", Target: Prefix + name, Err: fmt.Errorf(format, args...)}
	}
	if len(s.Buckets) == 0 {
		return complain("BUCKETS", "not set, so nothing may be touched; name the buckets")
	}
	switch {
	case s.HTTPTrusted && s.HTTPToken != "":
		return complain("HTTP_TOKEN", "set, but %sHTTP_AUTH=platform asks for none", Prefix)
	case s.CallbackURL == "" && s.CallbackKey != "":
		return complain("VOD_CALLBACK_URL", "not set, but %sVOD_CALLBACK_KEY is", Prefix)
	case s.CallbackURL != "" && s.CallbackKey == "":
		return complain("VOD_CALLBACK_KEY", "not set, but %sVOD_CALLBACK_URL is", Prefix)
	}
	mps := slices.ContainsFunc(s.Buckets, func(r mpu.Request) bool { return r.Bucket.Store == "mps" })
	if s.DeleteMedia && !mps {
		return complain("MPS_DELETE_MEDIA", "allows DeleteMedia, but %sBUCKETS names no mps:// region; leave it out, or name one", Prefix)
	}
	if mps && !s.DeleteMedia {
		return complain("BUCKETS", "names an mps:// region, but %sMPS_DELETE_MEDIA does not allow anything there", Prefix)
	}
	for _, name := range mpu.Stores() {
		st, upper := s.Stores[name], strings.ToUpper(name)
		switch c := st.Credentials; {
		case c.AccessKeyID != "" && c.SecretAccessKey == "":
			return complain(upper+"_SECRET_ACCESS_KEY", "not set, but %s%s_ACCESS_KEY_ID is", Prefix, upper)
		case c.AccessKeyID == "" && c.SecretAccessKey != "":
			return complain(upper+"_ACCESS_KEY_ID", "not set, but %s%s_SECRET_ACCESS_KEY is", Prefix, upper)
		case c.AccessKeyID == "" && c.SessionToken != "":
			return complain(upper+"_SESSION_TOKEN", "set without %s%s_ACCESS_KEY_ID", Prefix, upper)
		case st.PathStyle && strings.Contains(st.Endpoint, "{bucket}"):
			return complain(upper+"_PATH_STYLE", "contradicts {bucket} in %s%s_ENDPOINT", Prefix, upper)
		case st.PathStyle && st.Endpoint == "" && name != "s3":
			return complain(upper+"_PATH_STYLE", "the vendor's own endpoints refuse path style; set %s%s_ENDPOINT", Prefix, upper)
		}
		for _, b := range s.Buckets {
			if b.Bucket.Store == name && b.Bucket.Name == mpu.AnyBucket && endsInName(st.Endpoint) {
				return complain(upper+"_ENDPOINT", "has no domain behind {bucket} or {region}, and %sBUCKETS allows every bucket: whoever sends an event would name the host", Prefix)
			}
			if b.Bucket.Store == name && b.Bucket.Name != mpu.AnyBucket && (name == "cos" || name == "oss" || name == "obs") && b.Bucket.Region == "" {
				return complain("BUCKETS", "%s names no region, and %s%s_REGION is not set; %s cannot be asked for it", b, Prefix, upper, name)
			}
		}
	}
	return nil
}

// endsInName reports whether an endpoint's host ends in what is filled in, but for a port.
func endsInName(endpoint string) bool {
	i := strings.LastIndexByte(endpoint, '}')
	return i >= 0 && !strings.Contains(endpoint[i:], ".")
}

func setBuckets(s *Settings, value string) error {
	for _, field := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' || r == '\r' }) {
		r, err := mpu.Parse(field)
		if err != nil {
			return err
		}
		if r != (mpu.Request{Bucket: r.Bucket, Prefix: r.Prefix}) {
			return fmt.Errorf("%s: only a bucket, its region and a prefix can stand here", r)
		}
		if r.Bucket.Name == mpu.AnyBucket && r.Prefix != "" {
			return fmt.Errorf("%s: a prefix needs a bucket of its own", field)
		}
		s.Buckets = append(s.Buckets, r)
	}
	return nil
}

func setEndpoint(s *StoreSettings, value string) error {
	u, err := url.Parse(strings.NewReplacer("{bucket}", "bucket", "{region}", "region").Replace(value))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("write https://host or https://{bucket}.host, with no path, user or query")
	}
	s.Endpoint = strings.TrimRight(value, "/")
	return nil
}

// choose runs the action of a word.
func choose(value string, words map[string]func()) error {
	act := words[value]
	if act == nil {
		names := make([]string, 0, len(words))
		for w := range words {
			names = append(names, w)
		}
		slices.Sort(names)
		return fmt.Errorf("use %s", strings.Join(names, " or "))
	}
	act()
	return nil
}

// parseInto sets a field if the value can be read and is in range.
func parseInto[T any](field *T, value string, parse func(string) (T, error), ok func(T) bool, want string) error {
	v, err := parse(value)
	if err != nil || !ok(v) {
		return fmt.Errorf("use %s", want)
	}
	*field = v
	return nil
}

// nearest returns the name of the setting that shares most with a mistyped one.
func nearest(name string) string {
	best, score := "", 0
	for _, c := range Catalogue {
		names := []string{c.Name}
		if c.setFor != nil {
			names = names[:0]
			for _, st := range c.stores {
				names = append(names, strings.ToUpper(st)+strings.TrimPrefix(c.Name, "STORE"))
			}
		}
		for _, n := range names {
			if s := shared(n, name); s > score {
				best, score = n, s
			}
		}
	}
	return best
}

// shared counts the two-letter pieces that both words have, less those that only the candidate has.
func shared(candidate, name string) int {
	n := 0
	for i := range len(candidate) - 1 {
		if strings.Contains(name, candidate[i:i+2]) {
			n += 2
		} else {
			n--
		}
	}
	return n
}
