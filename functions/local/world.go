package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/all"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
	"github.com/partsweep/partsweep/test/sandbox"
)

// The demonstration's days. The files in events/ speak of them.
var (
	abandonedAt = time.Date(2026, 10, 30, 9, 0, 0, 0, time.UTC) // an upload begins, and nobody ever reports its failure
	slowAt      = time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC) // a slow upload begins
	begunAt     = time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC)  // an upload begins that fails at 08:59:58 and is reported
	retriedAt   = time.Date(2026, 11, 3, 9, 5, 0, 0, time.UTC)  // a client tries again
	activeAt    = time.Date(2026, 11, 3, 9, 59, 0, 0, time.UTC) // the slow upload's newest part
	tickAt      = time.Date(2026, 11, 3, 10, 0, 5, 0, time.UTC) // the timer has just ticked
)

// A place is a bucket of the demonstration, with the upload that the events report as failed.
type place struct {
	service              sandbox.Service
	bucket, region       string
	reported, reportedID string
}

var places = []place{
	{sandbox.S3, "media-in", "eu-west-1", "raw/2026/11/a b+c.mxf", "VXBsb2FkSWRFeGFtcGxlLjAwMQ--"},
	{sandbox.COS, "media-1250000000", "ap-guangzhou", "raw/2026/11/成片 01.mp4", "1793692800f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{sandbox.OBS, "media-obs", "cn-north-4", "raw/2026/11/cam-a.mov", "0000019A48C1D2E35F6071829ABCDEF0"},
	{sandbox.OSS, "media-oss", "cn-shanghai", "raw/2026/11/cam-b.mov", "7A2C5E90B1D34F688E0A13C5D7F92B46"},
}

const (
	mediaRegion   = "cn-shanghai"
	reportedVideo = "61ccbdb06fa3012be4d8083f6990b3c1"
	slowVideo     = "00000000slow000000000000000000a1"
	finishedVideo = "00000000done000000000000000000a1"
	mib           = int64(1 << 20)
)

var reportedMedia = []string{"3e1cd21131a94525be55acf65888bf46", "88c6ca184c0e47098a5b665e2a126797"}

// A world is a sandbox with leftovers and live uploads in it. Its storage clock stands where it is put; signatures are
// checked against the real one.
type world struct {
	*sandbox.Sandbox
	clock atomic.Pointer[time.Time]
	alive map[string]bool // uploads that must never be aborted, by "service upload-ID"
}

func (w *world) now() time.Time      { return *w.clock.Load() }
func (w *world) setTime(t time.Time) { w.clock.Store(&t) }

// newWorld starts the sandbox and fills it through real requests.
func newWorld(ctx context.Context) (*world, error) {
	w := &world{alive: map[string]bool{}}
	w.setTime(abandonedAt)
	sb, err := sandbox.Start(sandbox.Options{Now: w.now})
	if err != nil {
		return nil, err
	}
	w.Sandbox = sb
	clients := uploaders(sb)
	for _, p := range places {
		sb.CreateBucket(p.service, p.bucket, p.region)
		if err := w.fill(ctx, p, clients[p.service]); err != nil {
			return nil, fmt.Errorf("fill %s: %w", p.bucket, err)
		}
	}
	if err := w.fillMedia(ctx); err != nil {
		return nil, fmt.Errorf("fill vod: %w", err)
	}
	w.setTime(tickAt)
	return w, nil
}

// fill leaves in one bucket what clients leave: abandoned uploads, a reported failure with a retry behind it, and a slow
// upload that is old and alive.
func (w *world) fill(ctx context.Context, p place, c uploader) error {
	w.PinUploadID(p.service, p.bucket, p.reported, p.reportedID)
	type step struct {
		at    time.Time
		key   string
		parts int
		alive bool
	}
	steps := []step{
		{abandonedAt, "raw/2026/10/abandoned.mxf", 2, false},
		{abandonedAt, "raw/2026/10/never-sent.mxf", 0, false},
		{abandonedAt, "raw/2026/11/again.mxf", 1, false},
		{slowAt, "raw/2026/10/slow-line.mxf", 2, true},
		{begunAt, p.reported, 1, false},
		{retriedAt, p.reported, 1, true},
		{retriedAt, "raw/2026/11/again.mxf", 1, true},
	}
	if p.service == sandbox.S3 {
		// Its failure is reported by key alone, so what began in the last 24 hours is left to the timer.
		steps = append(steps, step{begunAt, "raw/2026/11/retried.mxf", 1, true}, step{retriedAt, "raw/2026/11/retried.mxf", 1, true})
	}
	var slow string
	for _, step := range steps {
		w.setTime(step.at)
		id, err := c.create(ctx, p.bucket, step.key)
		if err != nil {
			return err
		}
		for n := range step.parts {
			if err := c.part(ctx, p.bucket, step.key, id, n+1, mib); err != nil {
				return err
			}
		}
		if step.alive {
			w.alive[string(p.service)+" "+id] = true
		}
		if step.at.Equal(slowAt) {
			slow = id
		}
	}
	w.setTime(activeAt)
	return c.part(ctx, p.bucket, "raw/2026/10/slow-line.mxf", slow, 3, mib)
}

// fillMedia leaves videos in VOD and media in MPS. Records are begun through the API; their parts go to a bucket of the
// service's own, which the sandbox does not have, so they are put there directly.
func (w *world) fillMedia(ctx context.Context) error {
	client, err := acs.New(w.config(sandbox.VOD), acs.Service{Product: "vod", Version: "2017-03-21"})
	if err != nil {
		return err
	}
	w.setTime(abandonedAt)
	for i := range 3 {
		var answer struct{ VideoId string }
		err := client.Do(ctx, acs.Call{
			Op: "create upload video", Target: mpu.Bucket{Store: "vod", Region: mediaRegion, Name: mediaRegion}, Region: mediaRegion,
			Action: "CreateUploadVideo", Params: map[string]string{"Title": fmt.Sprint("abandoned ", i), "FileName": "abandoned.mp4"},
		}, &answer)
		if err != nil {
			return err
		}
		w.TouchVideo(mediaRegion, answer.VideoId, 8*mib)
	}
	w.AddVideo(mediaRegion, sandbox.Video{ID: reportedVideo, Created: begunAt, PartBytes: 6 * mib})
	w.AddVideo(mediaRegion, sandbox.Video{ID: slowVideo, Created: slowAt, Modified: activeAt, PartBytes: 9 * mib})
	w.AddVideo(mediaRegion, sandbox.Video{ID: finishedVideo, Created: abandonedAt, Status: "Normal"})
	w.alive["vod "+slowVideo] = true
	for _, id := range reportedMedia {
		w.AddMedia(mediaRegion, id)
	}
	return nil
}

func (w *world) config(service sandbox.Service) store.Config {
	return store.Config{Endpoint: w.URL(service), Credentials: func(context.Context) (store.Credentials, error) {
		return store.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey}, nil
	}}
}

// platform is a function's view of the world: settings, clock and credentials.
func (w *world) platform(logs io.Writer, plan bool) handler.Platform {
	environ := []string{handler.Prefix + "MPS_DELETE_MEDIA=allow", handler.Prefix + "MODE=apply",
		handler.Prefix + "VOD_LOOKBACK=36500d"} // its days are long past
	if plan {
		environ = append(environ, handler.Prefix+"MODE=plan")
	}
	environ = append(environ, handler.Prefix+"BUCKETS="+strings.Join(w.buckets(), " "))
	for _, s := range sandbox.Services {
		name := handler.Prefix + strings.ToUpper(string(s))
		environ = append(environ, name+"_ENDPOINT="+w.URL(s),
			name+"_ACCESS_KEY_ID="+sandbox.AccessKeyID, name+"_SECRET_ACCESS_KEY="+sandbox.SecretAccessKey)
		if s == sandbox.S3 || s == sandbox.OBS || s == sandbox.OSS {
			environ = append(environ, name+"_PATH_STYLE=true")
		}
	}
	return handler.Platform{Name: "local", Environ: environ, Open: all.Open, Log: logs, Now: w.now}
}

// buckets are all that there are, in the notation.
func (w *world) buckets() []string {
	all := []string{"vod://" + mediaRegion, "mps://" + mediaRegion}
	for _, p := range places {
		all = append(all, mpu.Bucket{Store: string(p.service), Region: p.region, Name: p.bucket}.String())
	}
	return all
}

// has reports whether there is such a bucket.
func (w *world) has(b mpu.Bucket) bool {
	return b.Name == mpu.AnyBucket || mpu.ByMediaID(b.Store) && b.Name == mediaRegion ||
		slices.ContainsFunc(places, func(p place) bool { return string(p.service) == b.Store && p.bucket == b.Name })
}

// held counts the uploads that hold parts or wait for them, and the bytes in them, as the sandbox sees it.
func (w *world) held() (uploads int, bytes int64) {
	for _, p := range places {
		uploads += len(w.Uploads(p.service, p.bucket))
		bytes += w.PartBytes(p.service, p.bucket)
	}
	for _, v := range w.Videos(mediaRegion) {
		if v.Parts > 0 {
			uploads++
		}
		bytes += v.PartBytes
	}
	return uploads + len(w.Media(mediaRegion)), bytes
}

// killed returns the live uploads that are gone.
func (w *world) killed() (dead []string) {
	left := map[string]bool{}
	for _, p := range places {
		for _, u := range w.Uploads(p.service, p.bucket) {
			left[string(p.service)+" "+u.UploadID] = true
		}
	}
	for _, v := range w.Videos(mediaRegion) {
		left["vod "+v.ID] = v.Parts > 0
	}
	for name := range w.alive {
		if !left[name] {
			dead = append(dead, name)
		}
	}
	return dead
}
