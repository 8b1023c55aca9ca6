package acs

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestList(t *testing.T) {
	for _, test := range []struct {
		name, json string
		want       []string
		present    bool
		fails      bool
	}{
		{"bare", `{"L":["a","b"]}`, []string{"a", "b"}, true, false},
		{"wrapped", `{"L":{"Item":["a","b"]}}`, []string{"a", "b"}, true, false},
		{"bare and empty", `{"L":[]}`, nil, true, false},
		{"wrapped and empty", `{"L":{"Item":[]}}`, nil, true, false},
		{"an empty wrapper", `{"L":{}}`, nil, true, false},
		{"missing", `{}`, nil, false, false},
		{"null", `{"L":null}`, nil, false, false},
		{"two arrays", `{"L":{"A":["a"],"B":["b"]}}`, nil, false, true},
		{"an object of something else", `{"L":{"A":"a"}}`, nil, false, true},
		{"a string", `{"L":"a"}`, nil, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got struct{ L List[string] }
			err := json.Unmarshal([]byte(test.json), &got)
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if !test.fails && (!slices.Equal(got.L.Items, test.want) || got.L.Present != test.present) {
				t.Errorf("%q, present %v", got.L.Items, got.L.Present)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		name, json string
		want       Number
		fails      bool
	}{
		{"number", `{"N":42}`, Number{42, true}, false},
		{"string", `{"N":"42"}`, Number{42, true}, false},
		{"beyond 53 bits", `{"N":9007199254740993}`, Number{9007199254740993, true}, false},
		{"float", `{"N":12.0}`, Number{12, true}, false},
		{"exponent", `{"N":1e3}`, Number{1000, true}, false},
		{"missing", `{}`, Number{}, false},
		{"null", `{"N":null}`, Number{}, false},
		{"empty string", `{"N":""}`, Number{}, false},
		{"fraction", `{"N":1.5}`, Number{}, true},
		{"words", `{"N":"many"}`, Number{}, true},
		{"too large", `{"N":1e300}`, Number{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got struct{ N Number }
			err := json.Unmarshal([]byte(test.json), &got)
			if (err != nil) != test.fails || !test.fails && got.N != test.want {
				t.Errorf("%+v, error %v; want %+v", got.N, err, test.want)
			}
		})
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name, json string
		want       time.Time
	}{
		{"as documented", `"2024-01-02T03:04:05Z"`, want},
		{"with a fraction", `"2024-01-02T03:04:05.25Z"`, want.Add(250 * time.Millisecond)},
		{"with a zone", `"2024-01-02T11:04:05+08:00"`, want},
		{"without seconds", `"2024-01-02T03:04Z"`, want.Truncate(time.Minute)},
		{"without a zone", `"2024-01-02T03:04:05"`, want},
		{"with a blank", `"2024-01-02 03:04:05"`, want},
		{"words", `"yesterday"`, time.Time{}},
		{"empty", `""`, time.Time{}},
		{"number", `1704164645`, time.Time{}},
		{"null", `null`, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got struct{ T Time }
			if err := json.Unmarshal([]byte(`{"T":`+test.json+`}`), &got); err != nil {
				t.Fatal(err)
			}
			if !got.T.Equal(test.want) || got.T.Location() != time.UTC {
				t.Errorf("%v, want %v", got.T, test.want)
			}
		})
	}
}
