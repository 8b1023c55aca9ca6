package sandbox

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

// vodClock is a storage clock that tests move.
type vodClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *vodClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *vodClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var vodStart = time.Date(2024, 1, 2, 3, 4, 5, 600e6, time.UTC)

// TestVODLife follows one upload from its creation to the second deletion of its parts.
func TestVODLife(t *testing.T) {
	clock := &vodClock{at: vodStart}
	s := startACS(t, Options{Now: clock.now})
	created := decodeACS[vodUpload](t, callVOD(t, s, "cn-beijing", "CreateUploadVideo", "Title", "holiday", "FileName", "a.mp4", "FileSize", "4000"))
	var address struct{ Endpoint, Bucket, FileName string }
	decodeBase64(t, created.UploadAddress, &address)
	var auth struct{ AccessKeyId, AccessKeySecret, SecurityToken, ExpireUTCTime string }
	decodeBase64(t, created.UploadAuth, &auth)
	if !strings.HasSuffix(address.FileName, ".mp4") || address.Bucket == "" || auth.SecurityToken == "" || len(created.VideoId) != 32 {
		t.Errorf("created %+v, %+v, %+v", created, address, auth)
	}
	id := created.VideoId
	abort := func() acsReply {
		return callVOD(t, s, "cn-beijing", "DeleteMultipartUpload", "MediaId", id, "MediaType", "video")
	}
	detail := func() vodUploadDetail {
		t.Helper()
		got := decodeACS[vodUploadDetails](t, callVOD(t, s, "cn-beijing", "GetUploadDetails", "MediaIds", id, "MediaType", "video"))
		if len(got.UploadDetails) != 1 {
			t.Fatalf("details %+v", got)
		}
		return got.UploadDetails[0]
	}

	abort().want(t, 400, "InvalidMultipartUpload.NotFound") // nothing was uploaded yet
	clock.pass(time.Minute)
	s.TouchVideo("cn-beijing", id, 600)
	clock.pass(time.Minute)
	s.TouchVideo("cn-beijing", id, 400)
	if d := detail(); d.UploadSize != 1000 || d.FileSize != 4000 || d.UploadRatio != 0.25 || d.Status != "Uploading" ||
		d.CreationTime != "2024-01-02T03:04:05Z" || d.ModificationTime != "2024-01-02T03:06:05Z" || d.CompletionTime != "" {
		t.Errorf("details %+v", d)
	}
	if v := s.Videos("cn-beijing"); len(v) != 1 || v[0].Parts != 2 || v[0].PartBytes != 1000 || v[0].Title != "holiday" {
		t.Errorf("videos %+v", v)
	}

	decodeACS[acsHead](t, abort())
	abort().want(t, 400, "InvalidMultipartUpload.NotFound")
	if d := detail(); d.UploadSize != 0 || d.Status != "Uploading" {
		t.Errorf("details after the deletion %+v", d)
	}
	list := decodeACS[vodList](t, callVOD(t, s, "cn-beijing", "GetVideoList", "Status", "Uploading,UploadFail"))
	if list.Total != 1 || list.VideoList.Video[0].VideoId != id {
		t.Errorf("the record is not listed: %+v", list)
	}
	infos := decodeACS[vodInfos](t, callVOD(t, s, "cn-beijing", "GetVideoInfos", "VideoIds", id+",none"))
	if len(infos.VideoList) != 1 || infos.VideoList[0].Title != "holiday" || !slices.Equal(infos.NonExistVideoIds, []string{"none"}) {
		t.Errorf("infos %+v", infos)
	}
	callVOD(t, s, "cn-shanghai", "DeleteMultipartUpload", "MediaId", id, "MediaType", "video").want(t, 400, "InvalidVideo.NotFound")
}

func decodeBase64(t *testing.T, text string, into any) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Errorf("%v in %q", err, text)
	}
}

func TestVODRefusals(t *testing.T) {
	s := startACS(t, Options{})
	s.AddVideo(DefaultRegion, Video{ID: "v", PartBytes: 5})
	s.AddVideo(DefaultRegion, Video{ID: "done", Status: "Normal"})
	ids := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint("id", i))
		}
		return strings.Join(all, ",")
	}
	for _, test := range []struct {
		name, action string
		params       []string
		code, names  string
	}{
		{"no id", "DeleteMultipartUpload", []string{"MediaType", "video"}, "MissingParameter", "MediaId"},
		{"no type", "DeleteMultipartUpload", []string{"MediaId", "v"}, "MissingParameter", "MediaType"},
		{"wrong type", "DeleteMultipartUpload", []string{"MediaId", "v", "MediaType", "audio"}, "InvalidParameter", "MediaType"},
		{"unknown video", "DeleteMultipartUpload", []string{"MediaId", "w", "MediaType", "video"}, "InvalidVideo.NotFound", ""},
		{"finished video", "DeleteMultipartUpload", []string{"MediaId", "done", "MediaType", "video"}, "InvalidMultipartUpload.NotFound", ""},
		{"two ids", "DeleteMultipartUpload", []string{"MediaId", "v,done", "MediaType", "video"}, "InvalidVideo.NotFound", ""},
		{"unknown status", "GetVideoList", []string{"Status", "Uploaded"}, "InvalidParameter", "Status"},
		{"start with an offset", "GetVideoList", []string{"StartTime", "2024-01-02T03:04:05+08:00"}, "InvalidParameter", "StartTime"},
		{"end in seconds", "GetVideoList", []string{"EndTime", "1700000000"}, "InvalidParameter", "EndTime"},
		{"unknown order", "GetVideoList", []string{"SortBy", "Size:Asc"}, "InvalidParameter", "SortBy"},
		{"page 0", "GetVideoList", []string{"PageNo", "0"}, "InvalidParameter", "PageNo"},
		{"page of 101", "GetVideoList", []string{"PageSize", "101"}, "InvalidParameter", "PageSize"},
		{"21 infos", "GetVideoInfos", []string{"VideoIds", ids(21)}, "InvalidParameter", "VideoIds"},
		{"no infos", "GetVideoInfos", nil, "MissingParameter", "VideoIds"},
		{"21 details", "GetUploadDetails", []string{"MediaIds", ids(21), "MediaType", "video"}, "InvalidParameter", "MediaIds"},
		{"details of no type", "GetUploadDetails", []string{"MediaIds", "v"}, "MissingParameter", "MediaType"},
		{"11 jobs", "GetURLUploadInfos", []string{"JobIds", ids(11)}, "InvalidParameter", "JobIds"},
		{"no jobs", "GetURLUploadInfos", nil, "MissingParameter", "JobIds"},
		{"no title", "CreateUploadVideo", []string{"FileName", "a.mp4"}, "MissingParameter", "Title"},
		{"no file name", "CreateUploadVideo", []string{"Title", "a"}, "MissingParameter", "FileName"},
		{"size in words", "CreateUploadVideo", []string{"Title", "a", "FileName", "a.mp4", "FileSize", "big"}, "InvalidParameter", "FileSize"},
		{"unknown action", "DeleteVideo", []string{"VideoIds", "v"}, "InvalidApi.NotFound", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply := callVOD(t, s, DefaultRegion, test.action, test.params...)
			reply.want(t, s.vod.status(test.code), test.code)
			if test.names != "" && !strings.Contains(string(reply.body), "parameter "+test.names+" is") {
				t.Errorf("%s does not name %s", reply.body, test.names)
			}
		})
	}
	if v := s.Videos(DefaultRegion); len(v) != 2 || v[0].Parts+v[1].Parts != 1 {
		t.Errorf("a refused call changed %+v", v)
	}
}

// TestVODReach pages through more records than can be reached.
func TestVODReach(t *testing.T) {
	const n = vodReachable + 130
	s := startACS(t, Options{})
	for i := range n {
		s.AddVideo(DefaultRegion, Video{ID: fmt.Sprintf("v%05d", i), Created: vodStart.Add(time.Duration(i) * time.Second)})
	}
	page := func(no int, more ...string) ([]string, int) {
		t.Helper()
		params := append([]string{"PageNo", fmt.Sprint(no), "PageSize", "100", "SortBy", "CreationTime:Asc"}, more...)
		list := decodeACS[vodList](t, callVOD(t, s, DefaultRegion, "GetVideoList", params...))
		var ids []string
		for _, v := range list.VideoList.Video {
			ids = append(ids, v.VideoId)
		}
		return ids, list.Total
	}
	seen := 0
	for no := 1; ; no++ {
		ids, total := page(no)
		if total != n {
			t.Fatalf("page %d: total %d, want %d", no, total, n)
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			if want := fmt.Sprintf("v%05d", seen); id != want {
				t.Fatalf("page %d: %s, want %s", no, id, want)
			}
			seen++
		}
	}
	if seen != vodReachable {
		t.Errorf("%d records were reached, want %d", seen, vodReachable)
	}
	rest, total := page(1, "StartTime", acsTime(vodStart.Add((vodReachable)*time.Second)))
	if total != 130 || len(rest) != 100 || rest[0] != "v05000" {
		t.Errorf("a later window has %d of %d, first %v", len(rest), total, rest[:min(1, len(rest))])
	}
	if ids, _ := page(1 << 30); len(ids) != 0 {
		t.Errorf("a page far out has %d", len(ids))
	}
}

func TestVODList(t *testing.T) {
	s := startACS(t, Options{})
	small := startACS(t, Options{MaxPage: 2})
	for i, status := range []string{"Uploading", "UploadFail", "Normal", "Uploading", "Uploading"} {
		v := Video{ID: string(rune('a' + i)), Status: status, Created: vodStart.Add(time.Duration(i) * time.Minute)}
		s.AddVideo(DefaultRegion, v)
		small.AddVideo(DefaultRegion, v)
	}
	s.AddVideo(DefaultRegion, Video{ID: "A", Created: vodStart})
	for _, test := range []struct {
		name   string
		s      *Sandbox
		params []string
		want   string
		total  int
	}{
		{"newest first", s, nil, "edcbaA", 6},
		{"oldest first", s, []string{"SortBy", "CreationTime:Asc"}, "Aabcde", 6},
		{"newest first, asked for", s, []string{"SortBy", "CreationTime:Desc"}, "edcbaA", 6},
		{"statuses", s, []string{"Status", "Uploading,UploadFail"}, "edbaA", 5},
		{"one status", s, []string{"Status", "Normal"}, "c", 1},
		{"from, inclusive", s, []string{"StartTime", "2024-01-02T03:07:05Z"}, "ed", 2},
		{"to, inclusive", s, []string{"EndTime", "2024-01-02T03:05:05Z"}, "baA", 3},
		{"window", s, []string{"StartTime", "2024-01-02T03:05:05Z", "EndTime", "2024-01-02T03:06:05Z"}, "cb", 2},
		{"second page", s, []string{"PageNo", "2", "PageSize", "4"}, "aA", 6},
		{"past the last page", s, []string{"PageNo", "3", "PageSize", "4"}, "", 6},
		{"pages of the sandbox's size", small, []string{"PageNo", "2", "PageSize", "100"}, "cb", 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := decodeACS[vodList](t, callVOD(t, test.s, DefaultRegion, "GetVideoList", test.params...))
			got := ""
			for _, v := range list.VideoList.Video {
				got += v.VideoId
			}
			if got != test.want || list.Total != test.total {
				t.Errorf("%q of %d, want %q of %d", got, list.Total, test.want, test.total)
			}
		})
	}
	empty := callVOD(t, s, "eu-central-1", "GetVideoList")
	if !strings.Contains(string(empty.body), `"Total":0,"VideoList":{"Video":[]}`) {
		t.Errorf("an empty list is %s", empty.body)
	}
}

// TestVODPageSize sees the default.
func TestVODPageSize(t *testing.T) {
	s := startACS(t, Options{})
	for i := range 12 {
		s.AddVideo(DefaultRegion, Video{ID: fmt.Sprint(i)})
	}
	if list := decodeACS[vodList](t, callVOD(t, s, DefaultRegion, "GetVideoList")); len(list.VideoList.Video) != 10 {
		t.Errorf("a page has %d", len(list.VideoList.Video))
	}
}

func TestVODUploadDetails(t *testing.T) {
	s := startACS(t, Options{})
	s.AddVideo(DefaultRegion, Video{ID: "live", Created: vodStart, Modified: vodStart.Add(time.Hour), PartBytes: 7, Parts: 2})
	s.AddVideo(DefaultRegion, Video{ID: "done", Created: vodStart, Status: "Normal"})
	got := decodeACS[vodUploadDetails](t, callVOD(t, s, DefaultRegion, "GetUploadDetails", "MediaIds", "live,none,done", "MediaType", "video"))
	if len(got.UploadDetails) != 2 || !slices.Equal(got.NonExistMediaIds, []string{"none"}) || len(got.ForbiddenMediaIds) != 0 {
		t.Fatalf("details %+v", got)
	}
	if live := got.UploadDetails[0]; live.UploadSize != 7 || live.ModificationTime != "2024-01-02T04:04:05Z" || live.CompletionTime != "" {
		t.Errorf("live %+v", live)
	}
	if done := got.UploadDetails[1]; done.CompletionTime == "" || done.Status != "Normal" {
		t.Errorf("done %+v", done)
	}
}

func TestVODURLJobs(t *testing.T) {
	clock := &vodClock{at: vodStart}
	s := startACS(t, Options{Now: clock.now})
	s.AddURLJob(DefaultRegion, URLJob{ID: "j1", MediaID: "v1", URL: "https://src/x y.mp4", Status: "FAIL", ErrorCode: "URLInvalidError"})
	s.AddURLJob(DefaultRegion, URLJob{ID: "old", Created: vodStart.AddDate(-2, 0, 0)})
	byID := decodeACS[vodURLUploads](t, callVOD(t, s, DefaultRegion, "GetURLUploadInfos", "JobIds", "j1,old,none"))
	if len(byID.URLUploadInfoList) != 1 || byID.URLUploadInfoList[0].MediaId != "v1" ||
		byID.URLUploadInfoList[0].ErrorCode != "URLInvalidError" || !slices.Equal(byID.NonExists, []string{"old", "none"}) {
		t.Errorf("by ID %+v", byID)
	}
	byURL := decodeACS[vodURLUploads](t, callVOD(t, s, DefaultRegion, "GetURLUploadInfos", "UploadURLs", "https%3A%2F%2Fsrc%2Fx%20y.mp4"))
	if len(byURL.URLUploadInfoList) != 1 || byURL.URLUploadInfoList[0].JobId != "j1" {
		t.Errorf("by URL %+v", byURL)
	}
	callVOD(t, s, "cn-beijing", "GetURLUploadInfos", "JobIds", "j1").want(t, 404, "InvalidApi.NotFound")
}

// TestVODLandPart deletes the parts of an upload that is still running.
func TestVODLandPart(t *testing.T) {
	clock := &vodClock{at: vodStart}
	s := startACS(t, Options{Now: clock.now})
	s.AddVideo(DefaultRegion, Video{ID: "v", PartBytes: 100, Parts: 3})
	clock.pass(time.Hour)
	s.Script(Fault{Service: VOD, LandPart: 8, Times: 1})
	abort := func() acsReply {
		return callVOD(t, s, DefaultRegion, "DeleteMultipartUpload", "MediaId", "v", "MediaType", "video")
	}
	abort().want(t, 200, "")
	if v := s.Videos(DefaultRegion)[0]; v.Parts != 1 || v.PartBytes != 8 || !v.Modified.Equal(vodStart.Add(time.Hour)) {
		t.Errorf("after the first call %+v", v)
	}
	abort().want(t, 200, "")
	abort().want(t, 400, "InvalidMultipartUpload.NotFound")
}

func TestVODTouchNeedsAVideo(t *testing.T) {
	s := startACS(t, Options{})
	defer func() {
		if recover() == nil {
			t.Error("a part of no video was taken")
		}
	}()
	s.TouchVideo(DefaultRegion, "none", 1)
}

func TestVODConcurrently(t *testing.T) {
	s := startACS(t, Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		id := fmt.Sprint("v", i)
		s.AddVideo(DefaultRegion, Video{ID: id, PartBytes: 1})
		wg.Go(func() {
			callVOD(t, s, DefaultRegion, "DeleteMultipartUpload", "MediaId", id, "MediaType", "video").want(t, 200, "")
			s.TouchVideo(DefaultRegion, id, 1)
			callVOD(t, s, DefaultRegion, "GetVideoList").want(t, 200, "")
			s.Videos(DefaultRegion)
		})
	}
	wg.Wait()
	if n := s.Count(VOD, OpAbort); n != 8 {
		t.Errorf("%d calls in the ledger", n)
	}
}

// darabonba is the vendor's generic client on one service of the sandbox.
func darabonba(t *testing.T, s *Sandbox, service Service, token, algorithm string) *openapi.Client {
	t.Helper()
	config := &openapi.Config{
		AccessKeyId: tea.String(AccessKeyID), AccessKeySecret: tea.String(SecretAccessKey),
		Endpoint: tea.String(strings.TrimPrefix(s.URL(service), "http://")), Protocol: tea.String("HTTP"),
		ConnectTimeout: tea.Int(10000), ReadTimeout: tea.Int(10000),
	}
	if token != "" {
		config.SecurityToken = tea.String(token)
	}
	if algorithm != "" {
		config.SignatureAlgorithm = tea.String(algorithm)
	}
	client, err := openapi.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func darabonbaCall(c *openapi.Client, action, version string, query, body map[string]string) (map[string]any, error) {
	params := &openapi.Params{
		Action: tea.String(action), Version: tea.String(version), Protocol: tea.String("HTTP"), Pathname: tea.String("/"),
		Method: tea.String("POST"), AuthType: tea.String("AK"), Style: tea.String("RPC"),
		ReqBodyType: tea.String("formData"), BodyType: tea.String("json"),
	}
	request := &openapi.OpenApiRequest{Query: map[string]*string{}}
	for name, value := range query {
		request.Query[name] = tea.String(value)
	}
	if body != nil {
		request.Body = body
	}
	answer, err := c.CallApiWithCtx(context.Background(), params, request, &dara.RuntimeOptions{})
	if err != nil {
		return nil, err
	}
	return answer["body"].(map[string]any), nil
}

// TestVODVendorClient lets the vendor's own client sign, both ways and with and without a token.
func TestVODVendorClient(t *testing.T) {
	for _, algorithm := range []string{"", "v2"} {
		for _, token := range []string{"", SessionToken} {
			t.Run(fmt.Sprintf("algorithm %q, token %v", algorithm, token != ""), func(t *testing.T) {
				s := startACS(t, Options{})
				s.AddVideo(DefaultRegion, Video{ID: "odd id*~/é+", PartBytes: 10})
				s.AddVideo(DefaultRegion, Video{ID: "by form", PartBytes: 10})
				c := darabonba(t, s, VOD, token, algorithm)
				media := map[string]string{"MediaId": "odd id*~/é+", "MediaType": "video"}
				if got, err := darabonbaCall(c, "DeleteMultipartUpload", "2017-03-21", media, nil); err != nil || got["RequestId"] == "" {
					t.Errorf("%v, %v", got, err)
				}
				_, err := darabonbaCall(c, "DeleteMultipartUpload", "2017-03-21", media, nil)
				var sdk *tea.SDKError
				if !errors.As(err, &sdk) || tea.StringValue(sdk.Code) != "InvalidMultipartUpload.NotFound" || tea.IntValue(sdk.StatusCode) != 400 {
					t.Errorf("the second call: %v", err)
				}
				media["MediaId"] = "by form"
				if _, err := darabonbaCall(c, "DeleteMultipartUpload", "2017-03-21", nil, media); err != nil {
					t.Error(err)
				}
				list, err := darabonbaCall(c, "GetVideoList", "2017-03-21", map[string]string{
					"Status": "Uploading,UploadFail", "EndTime": time.Now().UTC().Format(acsTimeFormat), "SortBy": "CreationTime:Asc",
				}, nil)
				if err != nil || fmt.Sprint(list["Total"]) != "2" {
					t.Errorf("%v, %v", list, err)
				}
			})
		}
	}
}

// TestVODVendorClientThrottled reads the hint of a throttle with the vendor's client.
func TestVODVendorClientThrottled(t *testing.T) {
	s := startACS(t, Options{})
	s.Script(Fault{Service: VOD, Code: "Throttling.User"})
	c := darabonba(t, s, VOD, "", "")
	c.DisableSDKError = tea.Bool(true)
	_, err := darabonbaCall(c, "GetVideoList", "2017-03-21", nil, nil)
	var throttled *openapi.ThrottlingError
	if !errors.As(err, &throttled) || tea.Int64Value(throttled.RetryAfter) <= 0 {
		t.Errorf("%T %v", err, err)
	}
}

func TestVODVendorClientWrongSecret(t *testing.T) {
	s := startACS(t, Options{})
	for _, algorithm := range []string{"", "v2"} {
		c, err := openapi.NewClient(&openapi.Config{
			AccessKeyId: tea.String(AccessKeyID), AccessKeySecret: tea.String("wrong"), Protocol: tea.String("HTTP"),
			Endpoint: tea.String(strings.TrimPrefix(s.URL(VOD), "http://")), SignatureAlgorithm: stringOrNil(algorithm),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = darabonbaCall(c, "GetVideoList", "2017-03-21", nil, nil)
		var sdk *tea.SDKError
		if !errors.As(err, &sdk) || tea.StringValue(sdk.Code) != "SignatureDoesNotMatch" {
			t.Errorf("algorithm %q: %v", algorithm, err)
		}
	}
}

func stringOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
