package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	vodMaxPage   = 100
	vodReachable = 5000 // of a GetVideoList result; what lies beyond cannot be paged to
	vodUploading = "Uploading"
)

// vodStatuses are the states of a video ("Status" in the data types of ApsaraVideo VOD).
var vodStatuses = []string{
	vodUploading, "UploadFail", "UploadSucc", "Transcoding", "TranscodeFail", "Checking", "Blocked", "Normal", "ProduceFail",
}

// A Video is a VOD record and the parts uploaded for it. Real parts lie in a bucket of the service's own, so that they
// can only be seeded here: with AddVideo and TouchVideo.
type Video struct {
	ID, Title, Status string
	Created, Modified time.Time
	PartBytes         int64
	Parts             int
}

// A URLJob is one pull of a video from a URL. One that failed may have no MediaID.
type URLJob struct {
	ID, MediaID, URL, UserData      string
	Status, ErrorCode, ErrorMessage string
	Created, Completed              time.Time
	FileSize                        int64
}

// AddVideo adds a record, or replaces the one with the same ID. A blank status is Uploading, a zero Created is now on
// the sandbox's clock, a zero Modified is Created, and bytes without parts are one part.
func (s *Sandbox) AddVideo(region string, v Video) {
	v.Status = cmp.Or(v.Status, vodUploading)
	if v.Created.IsZero() {
		v.Created = s.opt.Now()
	}
	if v.Modified.IsZero() {
		v.Modified = v.Created
	}
	if v.Parts == 0 && v.PartBytes > 0 {
		v.Parts = 1
	}
	s.vod.mu.Lock()
	defer s.vod.mu.Unlock()
	s.vod.region(region).videos[v.ID] = &videoRecord{Video: v}
}

// Videos returns the records of a region, oldest first.
func (s *Sandbox) Videos(region string) []Video {
	s.vod.mu.Lock()
	defer s.vod.mu.Unlock()
	var all []Video
	for _, r := range s.vod.region(region).videos {
		all = append(all, r.Video)
	}
	slices.SortFunc(all, byCreation)
	return all
}

// TouchVideo lets a part of a video land now, on the sandbox's clock. The video must exist.
func (s *Sandbox) TouchVideo(region, id string, bytes int64) {
	s.vod.mu.Lock()
	defer s.vod.mu.Unlock()
	r := s.vod.region(region).videos[id]
	if r == nil {
		panic(fmt.Sprintf("sandbox: no video %q in %s", id, region))
	}
	r.land(bytes, s.opt.Now())
}

// AddURLJob adds a job that GetURLUploadInfos knows, or replaces the one with the same ID. A zero Created is now on the
// sandbox's clock.
func (s *Sandbox) AddURLJob(region string, j URLJob) {
	if j.Created.IsZero() {
		j.Created = s.opt.Now()
	}
	s.vod.mu.Lock()
	defer s.vod.mu.Unlock()
	s.vod.region(region).jobs[j.ID] = j
}

// vodService is ApsaraVideo VOD, API version 2017-03-21.
type vodService struct {
	*acsService
	opt Options

	mu      sync.Mutex
	regions map[string]*vodRegion
	created int
}

type vodRegion struct {
	videos map[string]*videoRecord
	jobs   map[string]URLJob
}

// videoRecord is a video, and what CreateUploadVideo was told about its file.
type videoRecord struct {
	Video
	fileSize int64
}

// land adds a part.
func (r *videoRecord) land(bytes int64, now time.Time) {
	r.Parts++
	r.PartBytes += bytes
	r.Modified = now
}

// vodErrors are the codes of VOD's own: those of the DeleteMultipartUpload page, then the common ones.
var vodErrors = map[string]acsError{
	"InvalidMultipartUpload.NotFound": {400, "The multipart upload not exist."},
	"InvalidVideo.NotFound":           {400, "The video does not exist."},
	"InvalidFile.NotFound":            {400, "The file does not exist."},
	"InvalidStorage.NotFound":         {400, "can't find storage."},
	"InvalidParameter":                {400, "The specified parameter MediaType is not valid."},
	"AccessDenied":                    {400, "Access denied by authorizer's policy."},

	"MissingParameter":          {400, "The parameter MediaId is missing."},
	"OperationDenied":           {403, "Your account does not open VOD service yet."},
	"OperationDenied.Suspended": {403, "Your VOD service is suspended."},
	"Forbidden":                 {403, "User not authorized to operate on the specified resource."},
}

func newVOD(s *Sandbox) *vodService {
	v := &vodService{acsService: newACS("vod", "2017-03-21", vodErrors, s.account), opt: s.opt, regions: map[string]*vodRegion{}}
	v.actions = map[string]acsAction{
		"DeleteMultipartUpload": {OpAbort, "MediaId", 10, v.deleteMultipartUpload},
		"GetVideoList":          {OpListUploads, "", 100, v.getVideoList},
		"GetVideoInfos":         {OpVideoInfo, "VideoIds", 100, v.getVideoInfos},
		"GetUploadDetails":      {OpListParts, "MediaIds", 100, v.getUploadDetails},
		"GetURLUploadInfos":     {OpOther, "JobIds", 100, v.getURLUploadInfos},
		"CreateUploadVideo":     {OpCreate, "", 40, v.createUploadVideo}, // 80 in the four largest regions
	}
	return v
}

// region returns the records of a region; the caller holds mu.
func (v *vodService) region(name string) *vodRegion {
	r := v.regions[name]
	if r == nil {
		r = &vodRegion{videos: map[string]*videoRecord{}, jobs: map[string]URLJob{}}
		v.regions[name] = r
	}
	return r
}

// vodMissing is how VOD refuses a call without a parameter that it needs.
func vodMissing(name string) error {
	return acsRefusef("MissingParameter", "The parameter %s is missing.", name)
}

// ids reads a comma list of at most limit IDs.
func (c *acsCall) ids(name string, limit int) ([]string, error) {
	ids := acsIDs(c.param(name))
	switch {
	case len(ids) == 0:
		return nil, vodMissing(name)
	case len(ids) > limit:
		return nil, acsInvalid(name)
	}
	return ids, nil
}

// isVideo checks the parameter MediaType, which must be there though it has only one value.
func (c *acsCall) isVideo() error {
	switch c.param("MediaType") {
	case "video":
		return nil
	case "":
		return vodMissing("MediaType")
	}
	return acsInvalid("MediaType")
}

// deleteMultipartUpload removes parts. The record stays as it was and is listed again, which is how the document reads:
// only DeleteVideo takes a record away.
func (v *vodService) deleteMultipartUpload(c *acsCall) (any, error) {
	id := c.param("MediaId")
	if id == "" {
		return nil, vodMissing("MediaId")
	}
	if err := c.isVideo(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.region(c.region).videos[id]
	if r == nil {
		return nil, acsRefuse("InvalidVideo.NotFound")
	}
	if r.Parts == 0 {
		return nil, acsRefuse("InvalidMultipartUpload.NotFound")
	}
	r.Parts, r.PartBytes = 0, 0
	if f := faultOf(c.request); f != nil && f.LandPart > 0 {
		r.land(f.LandPart, v.opt.Now())
	}
	return acsHead{c.requestID}, nil
}

type vodVideo struct {
	VideoId, Title, Status         string
	CreationTime, ModificationTime string
	Size                           int64
	Duration                       float64
	StorageLocation, AppId         string
	CateId                         int64
}

func (r *videoRecord) info(region string) vodVideo {
	return vodVideo{
		VideoId: r.ID, Title: r.Title, Status: r.Status,
		CreationTime: acsTime(r.Created), ModificationTime: acsTime(r.Modified),
		Size: r.fileSize, StorageLocation: vodStorage(region), AppId: "app-1000000",
	}
}

// vodStorage is the bucket that the service keeps for an account in a region.
func vodStorage(region string) string { return "outin-sandbox.oss-" + region + ".aliyuncs.com" }

type vodList struct {
	acsHead
	Total     int
	VideoList struct{ Video []vodVideo }
}

// vodQuery is what GetVideoList is asked for.
type vodQuery struct {
	statuses     []string
	start, end   time.Time
	ascending    bool
	page, length int
}

func (v *vodService) getVideoList(c *acsCall) (any, error) {
	q, err := v.readQuery(c)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []*videoRecord
	for _, r := range v.region(c.region).videos {
		if q.match(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *videoRecord) int {
		if q.ascending {
			return byCreation(a.Video, b.Video)
		}
		return byCreation(b.Video, a.Video)
	})
	answer := vodList{acsHead: acsHead{c.requestID}, Total: len(found)}
	answer.VideoList.Video = []vodVideo{}
	for _, r := range q.cut(found) {
		answer.VideoList.Video = append(answer.VideoList.Video, r.info(c.region))
	}
	return answer, nil
}

// readQuery reads and checks the parameters of GetVideoList.
func (v *vodService) readQuery(c *acsCall) (q vodQuery, err error) {
	q.statuses = acsIDs(c.param("Status"))
	for _, s := range q.statuses {
		if !slices.Contains(vodStatuses, s) {
			return q, acsInvalid("Status")
		}
	}
	if q.start, err = c.time("StartTime"); err != nil {
		return q, err
	}
	if q.end, err = c.time("EndTime"); err != nil {
		return q, err
	}
	switch c.param("SortBy") {
	case "", "CreationTime:Desc":
	case "CreationTime:Asc":
		q.ascending = true
	default:
		return q, acsInvalid("SortBy")
	}
	if q.page, err = c.number("PageNo", 1, math.MaxInt32); err != nil {
		return q, err
	}
	if q.length, err = c.number("PageSize", 10, vodMaxPage); err != nil {
		return q, err
	}
	if v.opt.MaxPage > 0 {
		q.length = min(q.length, v.opt.MaxPage)
	}
	return q, nil
}

// time reads a parameter; the zero time stands for none.
func (c *acsCall) time(name string) (time.Time, error) {
	text := c.param(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(acsTimeFormat, text)
	if err != nil {
		return time.Time{}, acsInvalid(name)
	}
	return at, nil
}

// number reads a parameter from 1 to limit.
func (c *acsCall) number(name string, otherwise, limit int) (int, error) {
	text := c.param(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit {
		return 0, acsInvalid(name)
	}
	return n, nil
}

// match compares whole seconds, which is all that the API shows of a time. Both ends belong to the range.
func (q vodQuery) match(r *videoRecord) bool {
	created := r.Created.Truncate(time.Second)
	return (len(q.statuses) == 0 || slices.Contains(q.statuses, r.Status)) &&
		(q.start.IsZero() || !created.Before(q.start)) &&
		(q.end.IsZero() || !created.After(q.end))
}

// cut takes the page out of what was found, as far as it can be reached.
func (q vodQuery) cut(found []*videoRecord) []*videoRecord {
	found = found[:min(len(found), vodReachable)]
	if q.page-1 >= (len(found)+q.length-1)/q.length {
		return nil
	}
	from := (q.page - 1) * q.length
	return found[from:min(from+q.length, len(found))]
}

// byCreation orders videos of the same instant by ID, so that pages do not overlap.
func byCreation(a, b Video) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

type vodInfos struct {
	acsHead
	VideoList        []vodVideo
	NonExistVideoIds []string
}

func (v *vodService) getVideoInfos(c *acsCall) (any, error) {
	ids, err := c.ids("VideoIds", 20)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	answer := vodInfos{acsHead: acsHead{c.requestID}, VideoList: []vodVideo{}, NonExistVideoIds: []string{}}
	for _, id := range ids {
		if r := v.region(c.region).videos[id]; r != nil {
			answer.VideoList = append(answer.VideoList, r.info(c.region))
		} else {
			answer.NonExistVideoIds = append(answer.NonExistVideoIds, id)
		}
	}
	return answer, nil
}

type vodUploadDetail struct {
	MediaId, Title, Status, UploadStatus           string
	UploadRatio                                    float64
	UploadSize, FileSize                           int64
	UploadSource, UploadIP, DeviceModel            string
	CreationTime, ModificationTime, CompletionTime string
}

// detail shows the parts of an upload. UploadStatus has no documented vocabulary; it follows Status.
func (r *videoRecord) detail() vodUploadDetail {
	d := vodUploadDetail{
		MediaId: r.ID, Title: r.Title, Status: r.Status, UploadStatus: r.Status,
		UploadSize: r.PartBytes, FileSize: r.fileSize,
		UploadSource: "JavaSDK", UploadIP: "127.0.0.1", DeviceModel: "Server",
		CreationTime: acsTime(r.Created), ModificationTime: acsTime(r.Modified),
	}
	if r.Status != vodUploading && r.Status != "UploadFail" {
		d.UploadStatus, d.CompletionTime = "UploadSucc", d.ModificationTime
	}
	if r.fileSize > 0 {
		d.UploadRatio = float64(r.PartBytes) / float64(r.fileSize)
	}
	return d
}

type vodUploadDetails struct {
	acsHead
	UploadDetails                       []vodUploadDetail
	NonExistMediaIds, ForbiddenMediaIds []string
}

func (v *vodService) getUploadDetails(c *acsCall) (any, error) {
	ids, err := c.ids("MediaIds", 20)
	if err != nil {
		return nil, err
	}
	if err := c.isVideo(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	answer := vodUploadDetails{
		acsHead:          acsHead{c.requestID},
		UploadDetails:    []vodUploadDetail{},
		NonExistMediaIds: []string{}, ForbiddenMediaIds: []string{},
	}
	for _, id := range ids {
		if r := v.region(c.region).videos[id]; r != nil {
			answer.UploadDetails = append(answer.UploadDetails, r.detail())
		} else {
			answer.NonExistMediaIds = append(answer.NonExistMediaIds, id)
		}
	}
	return answer, nil
}

type vodURLUpload struct {
	JobId, MediaId, Status, ErrorCode, ErrorMessage string
	UploadURL, UserData, CreationTime, CompleteTime string
	FileSize                                        int64
}

type vodURLUploads struct {
	acsHead
	URLUploadInfoList []vodURLUpload
	NonExists         []string
}

// getURLUploadInfos finds jobs by ID or by URL. Two regions offer it; how the others refuse is not documented.
func (v *vodService) getURLUploadInfos(c *acsCall) (any, error) {
	if c.region != "cn-shanghai" && c.region != "ap-southeast-1" {
		return nil, acsRefuse("InvalidApi.NotFound")
	}
	name := "JobIds"
	if c.param(name) == "" && c.param("UploadURLs") != "" {
		name = "UploadURLs"
	}
	wanted, err := c.ids(name, 10)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	answer := vodURLUploads{acsHead: acsHead{c.requestID}, URLUploadInfoList: []vodURLUpload{}, NonExists: []string{}}
	for _, want := range wanted {
		jobs := v.findJobs(c.region, name, want)
		if len(jobs) == 0 {
			answer.NonExists = append(answer.NonExists, want)
		}
		for _, j := range jobs {
			answer.URLUploadInfoList = append(answer.URLUploadInfoList, vodURLUpload{
				JobId: j.ID, MediaId: j.MediaID, Status: j.Status, ErrorCode: j.ErrorCode, ErrorMessage: j.ErrorMessage,
				UploadURL: j.URL, UserData: j.UserData, FileSize: j.FileSize,
				CreationTime: acsTime(j.Created), CompleteTime: acsTime(j.Completed),
			})
		}
	}
	return answer, nil
}

// findJobs finds the jobs of the last year that have an ID, or a URL, which comes encoded; the caller holds mu.
func (v *vodService) findJobs(region, name, want string) []URLJob {
	since := v.opt.Now().AddDate(-1, 0, 0)
	plain, err := url.QueryUnescape(want)
	if err != nil {
		plain = want
	}
	var found []URLJob
	for _, id := range slices.Sorted(maps.Keys(v.region(region).jobs)) {
		j := v.region(region).jobs[id]
		same := name == "JobIds" && j.ID == want || name == "UploadURLs" && j.URL == plain
		if same && j.Created.After(since) {
			found = append(found, j)
		}
	}
	return found
}

type vodUpload struct {
	acsHead
	VideoId, UploadAddress, UploadAuth string
}

// createUploadVideo makes a record in status Uploading. Address and credential are JSON in base64, as a client needs
// them for the bucket of the service, which does not exist here.
func (v *vodService) createUploadVideo(c *acsCall) (any, error) {
	for _, name := range []string{"Title", "FileName"} {
		if c.param(name) == "" {
			return nil, vodMissing(name)
		}
	}
	size, err := c.number("FileSize", 0, math.MaxInt)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.created++
	now := v.opt.Now()
	id := acsSum(fmt.Appendf(nil, "%s/%d", c.region, v.created))[:32]
	v.region(c.region).videos[id] = &videoRecord{fileSize: int64(size), Video: Video{
		ID: id, Title: c.param("Title"), Status: vodUploading, Created: now, Modified: now,
	}}
	file := "sv/" + id[:8] + "/" + id[8:] + path.Ext(c.param("FileName"))
	return vodUpload{
		acsHead: acsHead{c.requestID},
		VideoId: id,
		UploadAddress: base64JSON(map[string]string{
			"Endpoint": "https://oss-" + c.region + ".aliyuncs.com", "Bucket": "outin-sandbox", "FileName": file,
		}),
		UploadAuth: base64JSON(map[string]string{
			"AccessKeyId": "STS.SANDBOXUPLOAD", "AccessKeySecret": "sandbox-upload-secret",
			"SecurityToken": "sandbox-upload-token", "Region": c.region, "Expiration": "3000",
			"ExpireUTCTime": acsTime(now.Add(3000 * time.Second)),
		}),
	}, nil
}

func base64JSON(v map[string]string) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sandbox: cannot render %v: %v", v, err)) // strings always can be
	}
	return base64.StdEncoding.EncodeToString(b)
}
