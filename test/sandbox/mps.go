package sandbox

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// mpsMaxIDs is how many media one call of either operation may name.
const mpsMaxIDs = 10

// States of a media record ("PublishState" of QueryMediaList).
const (
	mpsInitialed = "Initialed"
	mpsPublished = "Published"
)

// AddMedia adds a published media record, or replaces the one with the same ID.
func (s *Sandbox) AddMedia(region, id string) {
	s.mps.mu.Lock()
	defer s.mps.mu.Unlock()
	s.mps.region(region)[id] = &mediaRecord{id: id, state: mpsPublished, created: s.opt.Now()}
}

// Media returns the IDs of the media of a region that QueryMediaList still knows, sorted.
func (s *Sandbox) Media(region string) []string {
	s.mps.mu.Lock()
	defer s.mps.mu.Unlock()
	var ids []string
	for id, m := range s.mps.region(region) {
		if !m.deleted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// MPSLenient says what DeleteMedia does with a batch in which an ID is unknown, which is not documented: off, as at
// first, the whole batch is refused; on, unknown IDs are passed over in silence.
func (s *Sandbox) MPSLenient(on bool) {
	s.mps.mu.Lock()
	defer s.mps.mu.Unlock()
	s.mps.lenient = on
}

// mpsService is ApsaraVideo Media Processing, API version 2014-06-18.
type mpsService struct {
	*acsService
	opt Options

	mu      sync.Mutex
	regions map[string]map[string]*mediaRecord
	lenient bool
}

// mediaRecord stays after its deletion, which is a logical one.
type mediaRecord struct {
	id, state string
	created   time.Time
	deleted   bool
}

// mpsErrors are the codes common to MPS. The document gives none of them a status: parameters are refused with 400 here,
// permissions with 403.
var mpsErrors = map[string]acsError{
	"InvalidParameter":                      {400, "The specified parameter is not valid."},
	"InvalidParameter.NullValue":            {400, "The specified parameter must not be null."},
	"InvalidParameter.InvalidState":         {400, "The resource is in a state that does not allow the operation."},
	"InvalidParameter.EmptyValue":           {400, "The specified parameter must not be empty."},
	"InvalidParameter.NotSupported":         {400, "The specified parameter is not supported."},
	"InvalidParameter.OutOfRange":           {400, "The specified parameter is out of range."},
	"InvalidParameter.ResourceNotFound":     {400, "The specified resource is not found."},
	"InvalidParameter.ResourceContentBad":   {400, "The content of the specified resource is bad."},
	"InvalidParameter.ResourceNotSupported": {400, "The specified resource is not supported."},
	"MissingMediaIds":                       {400, "MediaIds is mandatory for this action."},
	"PermissionDenied.ResourceAccess":       {403, "The access to the resource is denied."},
	"InvalidIdentity.ServiceDisabled":       {403, "The service is not enabled."},
}

func newMPS(s *Sandbox) *mpsService {
	m := &mpsService{
		acsService: newACS("mts", "2014-06-18", mpsErrors, s.account),
		opt:        s.opt,
		regions:    map[string]map[string]*mediaRecord{},
	}
	m.actions = map[string]acsAction{
		"DeleteMedia":    {OpAbort, "MediaIds", 100, m.deleteMedia},
		"QueryMediaList": {OpMediaList, "MediaIds", 100, m.queryMediaList},
	}
	return m
}

// region returns the records of a region; the caller holds mu.
func (m *mpsService) region(name string) map[string]*mediaRecord {
	if m.regions[name] == nil {
		m.regions[name] = map[string]*mediaRecord{}
	}
	return m.regions[name]
}

// mediaIDs reads the parameter that both operations have.
func (c *acsCall) mediaIDs() ([]string, error) {
	list := c.param("MediaIds")
	switch {
	case list == "":
		return nil, acsRefuse("MissingMediaIds")
	case slices.ContainsFunc(strings.Split(list, ","), func(id string) bool { return strings.TrimSpace(id) == "" }):
		return nil, acsRefusef("InvalidParameter.EmptyValue", "The specified parameter MediaIds holds an empty ID.")
	case strings.Count(list, ",") >= mpsMaxIDs:
		return nil, acsInvalid("MediaIds")
	}
	return acsIDs(list), nil
}

// find returns a record that is not deleted; the caller holds mu.
func (m *mpsService) find(region, id string) *mediaRecord {
	if r := m.region(region)[id]; r != nil && !r.deleted {
		return r
	}
	return nil
}

// deleteMedia deletes records, all of them or none unless MPSLenient says otherwise.
func (m *mpsService) deleteMedia(c *acsCall) (any, error) {
	ids, err := c.mediaIDs()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*mediaRecord
	for _, id := range ids {
		r := m.find(c.region, id)
		if r == nil && !m.lenient {
			return nil, acsRefusef("InvalidParameter.ResourceNotFound", "The resource of MediaId %q is not found.", id)
		}
		if r != nil {
			found = append(found, r)
		}
	}
	for _, r := range found {
		r.state, r.deleted = mpsInitialed, true
	}
	return acsHead{c.requestID}, nil
}

type mpsMedia struct {
	MediaId, Title                          string
	File                                    struct{ URL, State string }
	PublishState, CensorState, CreationTime string
	Size, Duration, Format, Bitrate         string
	Width, Height                           string
}

type mpsList struct {
	acsHead
	MediaList        struct{ Media []mpsMedia }
	NonExistMediaIds struct{ MediaId []string }
}

func (m *mpsService) queryMediaList(c *acsCall) (any, error) {
	ids, err := c.mediaIDs()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	answer := mpsList{acsHead: acsHead{c.requestID}}
	answer.MediaList.Media, answer.NonExistMediaIds.MediaId = []mpsMedia{}, []string{}
	for _, id := range ids {
		if r := m.find(c.region, id); r != nil {
			answer.MediaList.Media = append(answer.MediaList.Media, r.info(c.region))
		} else {
			answer.NonExistMediaIds.MediaId = append(answer.NonExistMediaIds.MediaId, id)
		}
	}
	return answer, nil
}

func (r *mediaRecord) info(region string) mpsMedia {
	media := mpsMedia{
		MediaId: r.id, Title: r.id, PublishState: r.state, CensorState: mpsInitialed, CreationTime: acsTime(r.created),
		Size: "1048576", Duration: "10.0", Format: "mov,mp4,m4a,3gp,3g2,mj2", Bitrate: "800.0", Width: "1280", Height: "720",
	}
	media.File.URL = "http://sandbox-input.oss-" + region + ".aliyuncs.com/" + r.id + ".mp4"
	media.File.State = "Normal"
	return media
}
