package handler

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/trigger"
)

// Callbacks of ApsaraVideo VOD ("HTTP callbacks"). The signature covers the configured URL, a timestamp and the key, and not
// the body, so a callback is believed to come from VOD and nothing more: its IDs are looked up before anything is done.

const (
	callbackTimestamp = "X-Vod-Timestamp" // Unix seconds
	callbackSignature = "X-Vod-Signature" // lower-case hex MD5 of URL|timestamp|key

	callbackAge = 5 * time.Minute // how far a timestamp may be off
)

var errCallback = errors.New("callback not believed")

func isCallback(r *trigger.HTTPRequest) bool { return r.Header.Get(callbackSignature) != "" }

func (h *Handler) checkCallback(r *trigger.HTTPRequest, now time.Time) error {
	deny := func(why string) error {
		return &mpu.Error{Kind: mpu.Denied, Op: "web request", Err: fmt.Errorf("%w: %s", errCallback, why)}
	}
	if h.settings.CallbackKey == "" {
		return deny(Prefix + "VOD_CALLBACK_KEY is not set")
	}
	timestamp := r.Header.Get(callbackTimestamp)
	sum := md5.Sum([]byte(string(h.settings.CallbackURL) + "|" + timestamp + "|" + string(h.settings.CallbackKey)))
	if !same(r.Header.Get(callbackSignature), hex.EncodeToString(sum[:])) {
		return deny("the signature is wrong")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return deny("the timestamp is no number of seconds")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > callbackAge || off < -callbackAge {
		return deny("the timestamp is stale")
	}
	return nil
}

// lookUp finds the video that a failed pull from a URL was to make, because the callback does not name it.
func (h *Handler) lookUp(ctx context.Context, item trigger.Item) (mpu.Request, error) {
	r := item.Request
	region := cmp.Or(r.Bucket.Region, h.settings.Stores["vod"].Region, h.onlyVODRegion())
	if region == "" {
		return r, &mpu.Error{Kind: mpu.Invalid, Op: "look up pull", Target: fmt.Sprintf("job %q", item.URLJob),
			Hint: "set " + Prefix + "VOD_REGION, since a callback does not name its region"}
	}
	r.Bucket.Store, r.Bucket.Region, r.Bucket.Name = "vod", region, region
	// The region must be allowed before anything is asked there.
	if _, err := h.settings.allowed(mpu.Request{Bucket: r.Bucket}, nil); err != nil {
		return r, err
	}
	st, err := h.open(r.Bucket)
	if err != nil {
		return r, err
	}
	id, err := st.MediaOfPull(ctx, r.Bucket, item.URLJob)
	if errors.Is(err, mpu.Gone) {
		return r, &mpu.Error{Kind: mpu.Ignored, Err: err}
	}
	r.Key, r.UploadID = id, id
	return r, err
}

// onlyVODRegion is the region of VOD in the allow-list, if there is exactly one.
func (h *Handler) onlyVODRegion() (region string) {
	for _, b := range h.settings.Buckets {
		if b.Bucket.Store == "vod" {
			if region != "" && region != b.Bucket.Name {
				return ""
			}
			region = b.Bucket.Name
		}
	}
	return region
}
