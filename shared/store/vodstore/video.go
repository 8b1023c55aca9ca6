package vodstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/partsweep/partsweep/shared/mpu"
	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/wire/acs"
)

// unfinished are the statuses in which a record may hold parts. In every other one the upload has succeeded.
const unfinished = "Uploading,UploadFail"

func isUnfinished(status string) bool { return status == "Uploading" || status == "UploadFail" }

// A video is a record as GetVideoList and GetVideoInfos show it.
type video struct {
	VideoId      string
	Status       string
	CreationTime acs.Time
	// ModificationTime is the only sign of life where GetUploadDetails knows nothing of an upload. That a part moves it is
	// not documented.
	ModificationTime acs.Time
}

func (v video) upload(b mpu.Bucket) mpu.Upload {
	b.Region = b.Name
	return mpu.Upload{Bucket: b, Key: v.VideoId, UploadID: v.VideoId, Initiated: v.CreationTime.Time, Active: v.ModificationTime.Time}
}

// lookUp lists the one video with an ID (GetVideoInfos): an upload if it is unfinished, none if it is finished or does
// not exist.
func (d *Driver) lookUp(ctx context.Context, b mpu.Bucket, id string) (store.Page, error) {
	if err := acs.CheckID(store.ListUploads, b, id); err != nil {
		return store.Page{}, err
	}
	call := acs.Call{
		Op: store.ListUploads, Target: mpu.Upload{Bucket: b, Key: id, UploadID: id}, Region: b.Name,
		Action: "GetVideoInfos",
		Params: map[string]string{"VideoIds": id},
	}
	var answer struct {
		VideoList        acs.List[video]
		NonExistVideoIds acs.List[string]
	}
	err := d.client.Do(ctx, call, &answer)
	if errors.Is(err, mpu.Gone) {
		return store.Page{}, nil
	}
	if err != nil {
		return store.Page{}, err
	}
	for _, v := range answer.VideoList.Items {
		switch {
		case v.VideoId != id:
		case isUnfinished(v.Status):
			return store.Page{Uploads: []mpu.Upload{v.upload(b)}}, nil
		default:
			return store.Page{}, nil
		}
	}
	if slices.Contains(answer.NonExistVideoIds.Items, id) {
		return store.Page{}, nil
	}
	return store.Page{}, call.Fail(0, fmt.Errorf("the answer says nothing of video %q", id))
}

// ListParts sums what is known of the parts of an upload (GetUploadDetails): their bytes, and the time of the record's
// last modification in place of the newest part's. VOD does not say how many parts there are, so Count is 1 for some and
// 0 for none. There is one page, whatever after says.
//
// VOD keeps these details for uploads from its console and its server SDKs only. For any other upload all is zero, and
// only the listing says how old it is and when it was last active. An upload that has finished is mpu.Gone: it has no parts left.
func (d *Driver) ListParts(ctx context.Context, u mpu.Upload, _ int) (store.Parts, error) {
	if err := acs.CheckUpload(store.ListParts, u); err != nil {
		return store.Parts{}, err
	}
	call := acs.Call{
		Op: store.ListParts, Target: u, Region: u.Bucket.Name,
		Action: "GetUploadDetails",
		Params: map[string]string{"MediaIds": u.UploadID, "MediaType": mediaType},
	}
	var answer uploadDetails
	if err := d.client.Do(ctx, call, &answer); err != nil {
		return store.Parts{}, err
	}
	return answer.parts(call, u.UploadID)
}

type uploadDetails struct {
	UploadDetails     acs.List[uploadDetail]
	NonExistMediaIds  acs.List[string]
	ForbiddenMediaIds acs.List[string]
}

type uploadDetail struct {
	MediaId          string
	Status           string
	UploadSize       acs.Number
	CreationTime     acs.Time
	ModificationTime acs.Time
}

// parts reads what the answer says of one video.
func (a uploadDetails) parts(call acs.Call, id string) (store.Parts, error) {
	switch {
	case slices.Contains(a.NonExistMediaIds.Items, id):
		return store.Parts{}, call.Fail(mpu.Gone, errors.New("the video does not exist"))
	case slices.Contains(a.ForbiddenMediaIds.Items, id):
		return store.Parts{}, &mpu.Error{Kind: mpu.Denied, Op: string(call.Op), Target: call.Target.String(),
			Message: "the video is in ForbiddenMediaIds", Hint: "grant the RAM action vod:GetUploadDetails"}
	}
	for _, d := range a.UploadDetails.Items {
		switch {
		case d.MediaId != id:
		case d.Status != "" && !isUnfinished(d.Status):
			return store.Parts{}, call.Fail(mpu.Gone, fmt.Errorf("the upload has finished: the status is %q", d.Status))
		default:
			p := store.Parts{Bytes: d.UploadSize.N, Newest: d.ModificationTime.Time, Initiated: d.CreationTime.Time}
			if p.Bytes > 0 {
				p.Count = 1
			}
			return p, nil
		}
	}
	return store.Parts{}, nil
}
