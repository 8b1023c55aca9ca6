package vodstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

const (
	maxPageSize = 100
	reach       = 5000 // matches of one query that can be paged to
)

// A window is one page of the records created since a time.
//
// GetVideoList shows the first 5,000 matches of a query and no more, so a listing is a row of windows, each beginning
// where the reach of the one before ended. Aborting changes neither status nor creation time, so pages stay where they
// are. A record that finishes meanwhile moves those behind it up by one, and the one at the edge of a page may then be
// left to the next run.
type window struct {
	since time.Time // zero for all records
	page  int       // from 1
	size  int
}

// parseWindow reads a marker: the time as Key, page and page size as UploadID, as in 3x100. Without a size it is the
// given one, without a page the first.
func parseWindow(m mpu.Marker, size int) (w window, err error) {
	w = window{page: 1, size: size}
	if m.Key != "" {
		if w.since, err = time.Parse(time.RFC3339, m.Key); err != nil {
			return w, err
		}
	}
	if m.UploadID != "" {
		page, length, sized := strings.Cut(m.UploadID, "x")
		if w.page, err = strconv.Atoi(page); err != nil {
			return w, err
		}
		if sized {
			if w.size, err = strconv.Atoi(length); err != nil {
				return w, err
			}
		}
	}
	if w.page < 1 || w.page > reach || w.size < 1 || w.size > maxPageSize {
		return w, fmt.Errorf("page %d of %d records is out of reach", w.page, w.size)
	}
	return w, nil
}

func (w window) marker() mpu.Marker {
	return mpu.Marker{Key: w.startTime(), UploadID: fmt.Sprintf("%dx%d", w.page, w.size)}
}

func (w window) startTime() string {
	if w.since.IsZero() {
		return ""
	}
	return w.since.UTC().Format(time.RFC3339)
}

func (w window) params() map[string]string {
	p := map[string]string{
		"Status":   unfinished,
		"SortBy":   "CreationTime:Asc",
		"PageNo":   strconv.Itoa(w.page),
		"PageSize": strconv.Itoa(w.size),
	}
	if start := w.startTime(); start != "" {
		p["StartTime"] = start
	}
	return p
}

// A videoList is the answer to GetVideoList.
type videoList struct {
	Total     acs.Number
	VideoList acs.List[video]
}

// check tells an answer that shows nothing from one that cannot be read as showing nothing.
func (a videoList) check(w window) error {
	switch {
	case !a.VideoList.Present:
		return errors.New("the answer has no VideoList")
	case !a.Total.Present || a.Total.N < 0:
		return errors.New("the answer has no Total")
	case w.page == 1 && a.Total.N > 0 && len(a.VideoList.Items) == 0:
		return fmt.Errorf("the answer counts %d videos and shows none", a.Total.N)
	}
	return nil
}

// read turns an answer into a page.
func (w window) read(b mpu.Bucket, a videoList) store.Page {
	var p store.Page
	for _, v := range a.VideoList.Items {
		switch {
		case !isUnfinished(v.Status): // finished since it was asked for, or never asked for
		case v.VideoId == "":
			p.Incomplete = "a record of the listing has no video ID"
		default:
			p.Uploads = append(p.Uploads, v.upload(b))
		}
	}
	next, incomplete := w.next(a)
	if p.More = next != nil; p.More {
		p.Next = next.marker()
	}
	if incomplete != "" {
		p.Incomplete = incomplete
	}
	return p
}

// next returns the window that goes on where w ends, nil at the end of the listing, and why that end leaves records out.
func (w window) next(a videoList) (next *window, incomplete string) {
	got, before := len(a.VideoList.Items), (w.page-1)*w.size
	left := int(a.Total.N) - before
	switch {
	case got == 0 && left > 0:
		return nil, fmt.Sprintf("the service counts %d videos and shows only %d", a.Total.N, before)
	case got == 0 || got == left && a.Total.N != reach: // a Total of just the reach may be all that is counted
		return nil, ""
	case w.page == 1 && got < w.size && got < left:
		w.size = got // the service has shorter pages than it was asked for, and counts by those
	}
	if w.page++; w.page*w.size <= reach {
		return &w, ""
	}
	return w.beyond(a.VideoList.Items[got-1].CreationTime.Time)
}

// beyond returns the window that begins where the reach of w ends, at a record created at last. Whether the ends of a
// query's range belong to it is not documented, so the two overlap by a second.
func (w window) beyond(last time.Time) (next *window, incomplete string) {
	since := last.Truncate(time.Second).Add(-time.Second)
	switch {
	case last.IsZero():
		return nil, fmt.Sprintf("the service shows %d videos of one query, and the last has no creation time to go on from", reach)
	case !since.After(w.since):
		return nil, fmt.Sprintf("the service shows %d videos of one query, and so many were created at %s", reach, last.Format(time.RFC3339))
	}
	return &window{since: since, page: 1, size: w.size}, ""
}
