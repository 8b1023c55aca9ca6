package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMPSDelete(t *testing.T) {
	ten := "m0,m1,m2,m3,m4,m5,m6,m7,m8,m9"
	for _, test := range []struct {
		name, ids string
		lenient   bool
		code      string
		left      int // of twelve
	}{
		{"one", "m3", false, "", 11},
		{"ten", ten, false, "", 2},
		{"eleven", ten + ",m10", false, "InvalidParameter", 12},
		{"eleven, lenient", ten + ",m10", true, "InvalidParameter", 12},
		{"one twice", "m1,m1", false, "", 11},
		{"none", "", false, "MissingMediaIds", 12},
		{"an empty ID", "m1,,m2", false, "InvalidParameter.EmptyValue", 12},
		{"one unknown among three", "m1,x,m2", false, "InvalidParameter.ResourceNotFound", 12},
		{"one unknown among three, lenient", "m1,x,m2", true, "", 10},
		{"all unknown, lenient", "x,y", true, "", 12},
		{"one of another region", "beijing", false, "InvalidParameter.ResourceNotFound", 12},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startACS(t, Options{})
			s.MPSLenient(test.lenient)
			s.AddMedia("cn-beijing", "beijing")
			for i := range 12 {
				s.AddMedia(DefaultRegion, fmt.Sprint("m", i))
			}
			reply := callMPS(t, s, DefaultRegion, "DeleteMedia", "MediaIds", test.ids)
			reply.want(t, wantStatus(s.mps, test.code), test.code)
			if test.code == "" {
				decodeACS[acsHead](t, reply)
			}
			if left := s.Media(DefaultRegion); len(left) != test.left {
				t.Errorf("%d left, want %d: %v", len(left), test.left, left)
			}
			if !slices.Equal(s.Media("cn-beijing"), []string{"beijing"}) {
				t.Error("another region was touched")
			}
		})
	}
}

// TestMPSLogicalDelete sees that a record is kept, as Initialed, and no longer shown.
func TestMPSLogicalDelete(t *testing.T) {
	s := startACS(t, Options{})
	s.AddMedia(DefaultRegion, "a")
	s.AddMedia(DefaultRegion, "b")
	query := func() mpsList {
		return decodeACS[mpsList](t, callMPS(t, s, DefaultRegion, "QueryMediaList", "MediaIds", "a,b,none"))
	}
	before := query()
	if len(before.MediaList.Media) != 2 || before.MediaList.Media[0].PublishState != "Published" ||
		before.MediaList.Media[0].File.State != "Normal" || !slices.Equal(before.NonExistMediaIds.MediaId, []string{"none"}) {
		t.Errorf("before %+v", before)
	}
	callMPS(t, s, DefaultRegion, "DeleteMedia", "MediaIds", "a").want(t, 200, "")
	after := query()
	if len(after.MediaList.Media) != 1 || !slices.Equal(after.NonExistMediaIds.MediaId, []string{"a", "none"}) {
		t.Errorf("after %+v", after)
	}
	if r := s.mps.regions[DefaultRegion]["a"]; !r.deleted || r.state != "Initialed" {
		t.Errorf("the record is %+v", r)
	}
	callMPS(t, s, DefaultRegion, "DeleteMedia", "MediaIds", "a").want(t, 400, "InvalidParameter.ResourceNotFound")
}

func TestMPSQuery(t *testing.T) {
	s := startACS(t, Options{})
	callMPS(t, s, DefaultRegion, "QueryMediaList").want(t, 400, "MissingMediaIds")
	callMPS(t, s, DefaultRegion, "QueryMediaList", "MediaIds", strings.Repeat("a,", 10)+"b").want(t, 400, "InvalidParameter")
	callMPS(t, s, DefaultRegion, "ListMedia").want(t, 404, "InvalidApi.NotFound")
	reply := callMPS(t, s, DefaultRegion, "QueryMediaList", "MediaIds", "a")
	if !strings.Contains(string(reply.body), `"MediaList":{"Media":[]},"NonExistMediaIds":{"MediaId":["a"]}`) {
		t.Errorf("the answer is %s", reply.body)
	}
}

// TestMPSVendorClient lets the vendor's own client sign.
func TestMPSVendorClient(t *testing.T) {
	for _, algorithm := range []string{"", "v2"} {
		for _, token := range []string{"", SessionToken} {
			t.Run(fmt.Sprintf("algorithm %q, token %v", algorithm, token != ""), func(t *testing.T) {
				s := startACS(t, Options{})
				s.AddMedia(DefaultRegion, "a b*")
				s.AddMedia(DefaultRegion, "c~")
				c := darabonba(t, s, MPS, token, algorithm)
				ids := map[string]string{"MediaIds": "a b*,c~"}
				if got, err := darabonbaCall(c, "DeleteMedia", "2014-06-18", ids, nil); err != nil || got["RequestId"] == "" {
					t.Errorf("%v, %v", got, err)
				}
				if left := s.Media(DefaultRegion); len(left) != 0 {
					t.Errorf("%v left", left)
				}
				if _, err := darabonbaCall(c, "DeleteMedia", "2014-06-18", ids, nil); err == nil {
					t.Error("unknown media were deleted")
				}
			})
		}
	}
}
