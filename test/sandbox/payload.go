package sandbox

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// payload is what became of an uploaded body.
type payload struct {
	size int64
	etag string // hex MD5
	crc  uint64 // CRC-64 of ECMA-182
	body []byte // only if it was to be kept
}

// drain reads an uploaded body to its end and checks it against everything that the request says about it.
func (c *call) drain(keep bool) (payload, *refusal) {
	var src io.Reader = c.r.Body
	framed := strings.HasPrefix(c.r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
	if framed {
		src = &awsChunks{src: bufio.NewReader(c.r.Body)}
	}
	var kept bytes.Buffer
	sum, sha, crc := md5.New(), sha256.New(), crc64.New(ecma)
	to := []io.Writer{sum, crc}
	if keep {
		to = append(to, &kept)
	}
	if c.payloadHash != "" {
		to = append(to, sha)
	}
	n, err := io.Copy(io.MultiWriter(to...), src)
	if err != nil {
		return payload{}, deny("IncompleteBody")
	}
	if want := c.r.Header.Get("X-Amz-Decoded-Content-Length"); framed && want != strconv.FormatInt(n, 10) {
		return payload{}, deny("IncompleteBody")
	}
	if c.payloadHash != "" && c.payloadHash != hex.EncodeToString(sha.Sum(nil)) {
		return payload{}, deny("XAmzContentSHA256Mismatch")
	}
	digest := sum.Sum(nil)
	if want := c.r.Header.Get("Content-Md5"); want != "" && want != base64.StdEncoding.EncodeToString(digest) {
		return payload{}, deny("BadDigest")
	}
	return payload{size: n, etag: hex.EncodeToString(digest), crc: crc.Sum64(), body: kept.Bytes()}, nil
}

var ecma = crc64.MakeTable(crc64.ECMA)

// announce sets the headers that say what arrived.
func (o *objectStore) announce(h http.Header, p payload) {
	h.Set("Etag", `"`+p.etag+`"`)
	if o.traits.crcHeader != "" {
		h.Set(o.traits.crcHeader, strconv.FormatUint(p.crc, 10))
	}
}

// awsChunks reads the framing that AWS clients put around a streamed body ("aws-chunked": a hexadecimal size and
// extensions, the data, an empty last chunk, trailers). Chunk signatures are not verified: they protect bytes that the
// sandbox does not keep.
type awsChunks struct {
	src  *bufio.Reader
	left int64 // of the chunk being read
	done bool
}

var errChunk = errors.New("malformed aws-chunked body")

// Read implements io.Reader.
func (a *awsChunks) Read(b []byte) (int, error) {
	for a.left == 0 {
		if a.done {
			return 0, io.EOF
		}
		if err := a.header(); err != nil {
			return 0, err
		}
	}
	n, err := a.src.Read(b[:min(int64(len(b)), a.left)])
	a.left -= int64(n)
	if a.left == 0 && err == nil {
		err = a.lineEnd()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // the last chunk was still to come
	}
	return n, err
}

// header reads a chunk's size; after the last chunk it reads the trailers too.
func (a *awsChunks) header() error {
	line, err := a.src.ReadString('\n')
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	size, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
	if a.left, err = strconv.ParseInt(size, 16, 63); err != nil || a.left < 0 {
		return errChunk
	}
	if a.left == 0 {
		a.done = true
		_, err = io.Copy(io.Discard, a.src)
	}
	return err
}

func (a *awsChunks) lineEnd() error {
	line, err := a.src.ReadString('\n')
	if err == nil && strings.TrimRight(line, "\r\n") != "" {
		err = errChunk
	}
	return err
}
