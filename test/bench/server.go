package main

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A workload is what the load server has and how it behaves.
type workload struct {
	Uploads int           // stale ones in the bucket "bench"
	Small   int           // further buckets, small-000 and so on,
	Each    int           // with so many uploads each
	Latency time.Duration // of every request
	Cap     int           // aborts a second that a bucket takes before it answers 503; 0: any number
}

// stats is what the load server saw.
type stats struct {
	List, Parts, Abort int64 // requests, the refused ones too
	Slow               int64 // refused with 503
	Left               int64 // uploads in all buckets
	Half               int64 // uploads left in the small buckets when half of bench's were gone, -1 before
}

// A loadServer is S3 to a client that lists, inspects and aborts, and as little else as can be: an upload is one bit, keys
// and upload IDs follow from its number, and no signature is checked. It runs in a process of its own.
type loadServer struct {
	workload
	buckets            map[string]*pool
	list, parts, abort atomic.Int64
	slow, half         atomic.Int64
}

type pool struct {
	n    int
	left atomic.Int64
	gone []atomic.Uint64
	tat  atomic.Int64 // when the bucket takes an abort again, as in the generic cell rate algorithm; ns
}

func newLoadServer(w workload) *loadServer {
	s := &loadServer{workload: w, buckets: map[string]*pool{"bench": newPool(w.Uploads)}}
	for i := range w.Small {
		s.buckets[fmt.Sprintf("small-%03d", i)] = newPool(w.Each)
	}
	s.half.Store(-1)
	return s
}

func newPool(n int) *pool {
	b := &pool{n: n, gone: make([]atomic.Uint64, n/64+1)}
	b.left.Store(int64(n))
	return b
}

// serve runs the load server until its standard input ends, which it does when the bench does.
func serve(ready func(addr string)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var now atomic.Pointer[loadServer]
	now.Store(newLoadServer(workload{}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /-/reset", func(w http.ResponseWriter, r *http.Request) {
		var load workload
		if err := json.NewDecoder(r.Body).Decode(&load); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		now.Store(newLoadServer(load))
	})
	mux.HandleFunc("GET /-/stats", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(now.Load().stats()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) })
	ready(l.Addr().String())
	return http.Serve(l, mux)
}

func (s *loadServer) stats() (t stats) {
	t = stats{s.list.Load(), s.parts.Load(), s.abort.Load(), s.slow.Load(), 0, s.half.Load()}
	for _, b := range s.buckets {
		t.Left += b.left.Load()
	}
	return t
}

// ServeHTTP implements http.Handler, in path style.
func (s *loadServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.Latency)
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	b := s.buckets[name]
	switch {
	case b == nil:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodGet && q.Has("location"): // mc asks first
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case r.Method == http.MethodGet && q.Has("uploads"):
		s.list.Add(1)
		b.writePage(w, q.Get("prefix"), q.Get("key-marker"))
	case r.Method == http.MethodGet && q.Has("uploadId"):
		s.parts.Add(1)
		if i, ok := b.open(key); ok {
			writeParts(w, i)
		} else {
			refuse(w, http.StatusNotFound, "NoSuchUpload")
		}
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		s.abort.Add(1)
		s.abortOne(w, b, key)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (s *loadServer) abortOne(w http.ResponseWriter, b *pool, key string) {
	if s.Cap > 0 && !b.take(s.Cap) {
		s.slow.Add(1)
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
		return
	}
	i, ok := b.open(key)
	if !ok || b.gone[i/64].Or(1<<(i%64))>>(i%64)&1 == 1 {
		refuse(w, http.StatusNotFound, "NoSuchUpload")
		return
	}
	if left := b.left.Add(-1); b == s.buckets["bench"] && left == int64(b.n/2) {
		s.half.Store(s.stats().Left - left)
	}
	w.WriteHeader(http.StatusNoContent)
}

// take lets so many aborts a second through, and a tenth of that at once.
func (b *pool) take(perSecond int) bool {
	step, burst := int64(time.Second)/int64(perSecond), int64(time.Second)/10
	for {
		now, tat := time.Now().UnixNano(), b.tat.Load()
		if tat > now+burst {
			return false
		}
		if b.tat.CompareAndSwap(tat, max(tat, now)+step) {
			return true
		}
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>the load server says no</Message></Error>", code)
}

const keyStart, keyEnd = "media/2026/11/part-", ".bin"

const idEnd = ".Zk3mVQ7tTqkYv9b0n4xXr2Lw8PcGdHsJ6uFaEoKi5MyN1zRBhWCeDSpAOlUIjg"

func keyOf(i int) string      { return string(appendKey(nil, i)) }
func uploadIDOf(i int) string { return string(appendID(nil, i)) }

func appendKey(b []byte, i int) []byte {
	return append(appendNumber(append(b, keyStart...), i), keyEnd...)
}
func appendID(b []byte, i int) []byte { return append(appendNumber(b, i), idEnd...) }

// appendNumber writes nine digits.
func appendNumber(b []byte, i int) []byte {
	for unit := 100_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+i/unit%10))
	}
	return b
}

// numberOf is the number of a key that some upload has, or a listing's marker.
func numberOf(key string) (int, bool) {
	digits, ok := strings.CutPrefix(strings.TrimSuffix(key, keyEnd), keyStart)
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i >= 0
}

func (b *pool) open(key string) (int, bool) {
	i, ok := numberOf(key)
	return i, ok && i < b.n && b.gone[i/64].Load()>>(i%64)&1 == 0
}

// next returns the first open upload from i on, or n.
func (b *pool) next(i int) int {
	for i < b.n {
		if word := ^b.gone[i/64].Load() >> (i % 64); word != 0 {
			return min(i+bits.TrailingZeros64(word), b.n)
		}
		i = i/64*64 + 64
	}
	return b.n
}

const pageSize = 1000

var initiated = time.Now().Add(-30 * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")

// writePage writes a page as S3 does, 470 KB of it, after a marker. A prefix is a key, or stands before all of them.
func (b *pool) writePage(w http.ResponseWriter, prefix, marker string) {
	from, to := 0, b.n
	if i, ok := numberOf(prefix); ok {
		from, to = min(i, b.n), min(i+1, b.n)
	}
	if i, ok := numberOf(marker); ok {
		from = max(from, i+1)
	}
	out := make([]byte, 0, 512<<10) // without fmt: what writing a page takes is not what is measured
	out = append(out, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`...)
	count, last := 0, 0
	i := b.next(from)
	for ; i < to && count < pageSize; i = b.next(i + 1) {
		out = appendID(append(appendKey(append(out, "<Upload><Key>"...), i), "</Key><UploadId>"...), i)
		out = append(out, "</UploadId>"+
			"<Initiator><ID>arn:aws:iam::123456789012:user/writer</ID><DisplayName>writer</DisplayName></Initiator>"+
			"<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID><DisplayName>owner</DisplayName></Owner>"+
			"<StorageClass>STANDARD</StorageClass><Initiated>"...)
		out = append(append(out, initiated...), "</Initiated></Upload>"...)
		count, last = count+1, i
	}
	if more := i < to; more {
		out = fmt.Appendf(out, "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>", keyOf(last), uploadIDOf(last))
	}
	out = fmt.Appendf(out, "<IsTruncated>%v</IsTruncated></ListMultipartUploadsResult>", i < to)
	w.Header().Set("Content-Type", "application/xml")
	w.Write(out)
}

func writeParts(w http.ResponseWriter, i int) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<ListPartsResult><Key>%s</Key><UploadId>%s</UploadId><IsTruncated>false</IsTruncated>"+
		"<Part><PartNumber>1</PartNumber><LastModified>%s</LastModified><ETag>&quot;0123456789abcdef&quot;</ETag><Size>5242880</Size></Part>"+
		"</ListPartsResult>", keyOf(i), uploadIDOf(i), initiated)
}
