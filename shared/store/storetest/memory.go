package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
)

// Memory is a driver over a bucket in memory, for testing what stands above drivers. Its function fields, where set, are
// asked first and may answer in its place. It is safe for use by many goroutines.
type Memory struct {
	PageSize int // default 1000

	OnList  func(b mpu.Bucket, prefix string, after mpu.Marker) error
	OnParts func(u mpu.Upload) error
	OnAbort func(u mpu.Upload) error

	mu      sync.Mutex
	uploads map[identity]*held
	calls   map[store.Op]int
	aborted []mpu.Upload
}

type identity struct {
	bucket        mpu.Bucket
	key, uploadID string
}

type held struct {
	upload mpu.Upload
	parts  []MemoryPart
	land   []MemoryPart // lands behind the next abort
}

// A MemoryPart is one part of an upload in a Memory.
type MemoryPart struct {
	Bytes    int64
	Modified time.Time
}

// Add begins an upload.
func (m *Memory) Add(u mpu.Upload, parts ...MemoryPart) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.uploads == nil {
		m.uploads = map[identity]*held{}
	}
	m.uploads[identityOf(u)] = &held{upload: u, parts: parts}
}

// Remove ends an upload behind the driver's back.
func (m *Memory) Remove(u mpu.Upload) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.uploads, identityOf(u))
}

// Land makes a part land behind the next abort of an upload, which then lives on.
func (m *Memory) Land(u mpu.Upload, p MemoryPart) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.uploads[identityOf(u)]
	h.land = append(h.land, p)
}

// Left returns the uploads that are still open, sorted.
func (m *Memory) Left() []mpu.Upload {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sorted(func(mpu.Upload) bool { return true })
}

// Calls returns how often an operation was called.
func (m *Memory) Calls(op store.Op) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[op]
}

// Aborted returns the uploads whose abort was accepted, in that order.
func (m *Memory) Aborted() []mpu.Upload {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.aborted)
}

func identityOf(u mpu.Upload) identity { return identity{u.Bucket, u.Key, u.UploadID} }

func (m *Memory) sorted(keep func(mpu.Upload) bool) []mpu.Upload {
	var us []mpu.Upload
	for _, h := range m.uploads {
		if keep(h.upload) {
			us = append(us, h.upload)
		}
	}
	slices.SortFunc(us, func(a, b mpu.Upload) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.UploadID, b.UploadID))
	})
	return us
}

func (m *Memory) count(ctx context.Context, op store.Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = map[store.Op]int{}
	}
	m.calls[op]++
	return ctx.Err()
}

// ListUploads implements store.Driver.
func (m *Memory) ListUploads(ctx context.Context, b mpu.Bucket, prefix string, after mpu.Marker) (store.Page, error) {
	if err := m.count(ctx, store.ListUploads); err != nil {
		return store.Page{}, err
	}
	if m.OnList != nil {
		if err := m.OnList(b, prefix, after); err != nil {
			return store.Page{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	us := m.sorted(func(u mpu.Upload) bool {
		return u.Bucket == b && strings.HasPrefix(u.Key, prefix) &&
			(u.Key > after.Key || u.Key == after.Key && after.UploadID != "" && u.UploadID > after.UploadID)
	})
	size := cmp.Or(m.PageSize, 1000)
	if len(us) <= size {
		return store.Page{Uploads: us}, nil
	}
	last := us[size-1]
	return store.Page{Uploads: us[:size], More: true, Next: mpu.Marker{Key: last.Key, UploadID: last.UploadID}}, nil
}

// ListParts implements store.Driver.
func (m *Memory) ListParts(ctx context.Context, u mpu.Upload, after int) (store.Parts, error) {
	if err := m.count(ctx, store.ListParts); err != nil {
		return store.Parts{}, err
	}
	if m.OnParts != nil {
		if err := m.OnParts(u); err != nil {
			return store.Parts{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.uploads[identityOf(u)]
	if h == nil {
		return store.Parts{}, gone(store.ListParts, u)
	}
	var p store.Parts
	for _, part := range h.parts {
		p.Count++
		p.Bytes += part.Bytes
		if part.Modified.After(p.Newest) {
			p.Newest = part.Modified
		}
	}
	return p, nil
}

// AbortUpload implements store.Driver.
func (m *Memory) AbortUpload(ctx context.Context, u mpu.Upload) error {
	if err := m.count(ctx, store.AbortUpload); err != nil {
		return err
	}
	if m.OnAbort != nil {
		if err := m.OnAbort(u); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.uploads[identityOf(u)]
	if h == nil {
		return gone(store.AbortUpload, u)
	}
	m.aborted = append(m.aborted, u)
	if len(h.land) > 0 {
		h.parts, h.land = h.land[:1:1], h.land[1:]
		return nil
	}
	delete(m.uploads, identityOf(u))
	return nil
}

func gone(op store.Op, u mpu.Upload) error {
	return &mpu.Error{Kind: mpu.Gone, Op: string(op), Target: u.String(), Code: "NoSuchUpload", Status: 404,
		RequestID: fmt.Sprintf("memory-%s", op)}
}
