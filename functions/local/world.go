package main

import (
	"context"
	"fmt"
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

// tickAt is the demonstration's day: the timer has just ticked. The files in events/ speak of it.
var tickAt = time.Date(2026, 11, 3, 10, 0, 5, 0, time.UTC)

// A calendar says when what happened.
type calendar struct {
	abandoned time.Time // an upload begins, and nobody ever reports its failure
	slow      time.Time // a slow upload begins
	begun     time.Time // an upload begins that fails two hours later and is reported
	retried   time.Time // a client tries again
	active    time.Time // the slow upload's newest part
	tick      time.Time // now
}

func calendarOf(tick time.Time) calendar {
	ago := func(d time.Duration) time.Time { return tick.Add(-d - 5*time.Second) }
	return calendar{ago(97 * time.Hour), ago(73 * time.Hour), ago(2 * time.Hour), ago(55 * time.Minute), ago(time.Minute), tick}
}

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
	days  calendar
	alive map[string]bool // uploads that must never be aborted, by "service upload-ID"
}

func (w *world) now() time.Time {
	if t := w.clock.Load(); t != nil {
		return *t
	}
	return time.Now()
}
func (w *world) setTime(t time.Time) { w.clock.Store(&t) }

// newWorld starts the sandbox and fills it through real requests. Its clock stands at the tick of the demonstration; at any
// other it goes on.
func newWorld(ctx context.Context, tick time.Time) (*world, error) {
	w := &world{days: calendarOf(tick), alive: map[string]bool{}}
	w.setTime(w.days.abandoned)
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
	w.addRules()
	if tick.Equal(tickAt) {
		w.setTime(tick)
	} else {
		w.clock.Store(nil)
	}
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
		{w.days.abandoned, "raw/2026/10/abandoned.mxf", 2, false},
		{w.days.abandoned, "raw/2026/10/never-sent.mxf", 0, false},
		{w.days.abandoned, "raw/2026/11/again.mxf", 1, false},
		{w.days.slow, "raw/2026/10/slow-line.mxf", 2, true},
		{w.days.begun, p.reported, 1, false},
		{w.days.retried, p.reported, 1, true},
		{w.days.retried, "raw/2026/11/again.mxf", 1, true},
	}
	if p.service == sandbox.S3 {
		// Its failure is reported by key alone, so what began in the last 24 hours is left to the timer.
		steps = append(steps, step{w.days.begun, "raw/2026/11/retried.mxf", 1, true}, step{w.days.retried, "raw/2026/11/retried.mxf", 1, true})
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
		if step.at.Equal(w.days.slow) {
			slow = id
		}
	}
	w.setTime(w.days.active)
	return c.part(ctx, p.bucket, "raw/2026/10/slow-line.mxf", slow, 3, mib)
}

// fillMedia leaves videos in VOD and media in MPS. Records are begun through the API; their parts go to a bucket of the
// service's own, which the sandbox does not have, so they are put there directly.
func (w *world) fillMedia(ctx context.Context) error {
	client, err := acs.New(w.config(sandbox.VOD), acs.Service{Product: "vod", Version: "2017-03-21"})
	if err != nil {
		return err
	}
	w.setTime(w.days.abandoned)
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
	w.AddVideo(mediaRegion, sandbox.Video{ID: reportedVideo, Created: w.days.begun, PartBytes: 6 * mib})
	w.AddVideo(mediaRegion, sandbox.Video{ID: slowVideo, Created: w.days.slow, Modified: w.days.active, PartBytes: 9 * mib})
	w.AddVideo(mediaRegion, sandbox.Video{ID: finishedVideo, Created: w.days.abandoned, Status: "Normal"})
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

// settings are a function's view of the world.
func (w *world) settings() []string {
	environ := []string{handler.Prefix + "MPS_DELETE_MEDIA=allow", handler.Prefix + "VOD_LOOKBACK=36500d"} // the demonstration's days are long past
	environ = append(environ, handler.Prefix+"BUCKETS="+strings.Join(w.buckets(), " "))
	for _, s := range sandbox.Services {
		name := handler.Prefix + strings.ToUpper(string(s))
		environ = append(environ, name+"_ENDPOINT="+w.URL(s),
			name+"_ACCESS_KEY_ID="+sandbox.AccessKeyID, name+"_SECRET_ACCESS_KEY="+sandbox.SecretAccessKey)
		if s == sandbox.S3 || s == sandbox.OBS || s == sandbox.OSS {
			environ = append(environ, name+"_PATH_STYLE=true")
		}
	}
	return environ
}

// platform is a function that acts on the world.
func (w *world) platform(c *console) handler.Platform {
	return handler.Platform{Name: "local", Environ: append(w.settings(), handler.Prefix+"MODE=apply"), Open: all.Open, Log: c.log(), Now: w.now, Stop: c.stop}
}

// failure is what a client sends that gave up an upload to S3 an hour ago, and has begun it anew since.
func (w *world) failure() string {
	p := places[0]
	u := mpu.Upload{Bucket: mpu.Bucket{Store: string(p.service), Name: p.bucket}, Key: p.reported, UploadID: p.reportedID}
	return fmt.Sprintf(`{"type":"upload-failed","request":%q,"failedAt":%q}`, u.String(), w.days.tick.Add(-time.Hour).UTC().Format(time.RFC3339))
}

// buckets are all that there are, in the notation.
func (w *world) buckets() []string {
	all := []string{"vod://" + mediaRegion, "mps://" + mediaRegion}
	for _, p := range places {
		all = append(all, mpu.Bucket{Store: string(p.service), Region: p.region, Name: p.bucket}.String())
	}
	return all
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

// emptyRecords counts what VOD still lists although its parts are gone: it keeps the record of every upload.
func (w *world) emptyRecords() (n int) {
	for _, v := range w.Videos(mediaRegion) {
		if v.Parts == 0 && v.Status == "Uploading" {
			n++
		}
	}
	return n
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
