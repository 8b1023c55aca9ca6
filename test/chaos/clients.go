package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/partsweep/partsweep/test/sandbox"
)

// An act is something that a client or a reporter does at a moment.
type act struct {
	at     time.Duration // since the beginning of the simulation
	upload int
	what   deed
}

type deed int

const (
	begin deed = iota
	sendPart
	complete
	giveUp     // the client aborts its upload itself
	report     // the failure is reported, with the upload ID
	reportKey  // the failure is reported by key alone
	falseAlarm // a failure is reported, and the client goes on
)

// A life is an upload from its beginning to its end, planned ahead.
type life struct {
	place int // its bucket
	key   string
	kind  string
	dies  time.Duration // when it fails, as its reporter knows it
}

// A plan is what clients do.
type plan struct {
	lives []life
	acts  []act // in order
}

// kinds are how uploads go, with how many of a hundred go so.
var kinds = []struct {
	name  string
	share int
	live  func(r *rand.Rand, p *plan, id int, at time.Duration)
}{
	{"quick", 42, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 1+r.IntN(3), time.Minute)
		p.do(id, at, complete)
	}},
	{"slow", 8, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 5+r.IntN(10), 10*time.Hour)
		p.do(id, at, complete)
	}},
	{"paused", 6, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 1+r.IntN(3), time.Minute) + 12*time.Hour + rand11(r)
		at = p.parts(r, id, at, 2, time.Minute)
		p.do(id, at, complete)
	}},
	{"paused too long", 4, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		// Whoever comes back is aborted or not, as the sweep was there before or not, or comes at that very moment.
		at = p.parts(r, id, at, 1+r.IntN(3), time.Minute) + 23*time.Hour + time.Duration(r.Int64N(int64(4*time.Hour)))
		if r.IntN(2) == 0 {
			at = p.parts(r, id, at, 1, time.Minute)
		}
		p.do(id, at, complete)
	}},
	{"dies", 17, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		p.lives[id].dies = p.parts(r, id, at, r.IntN(4), time.Hour)
	}},
	{"dies and is reported", 10, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 1+r.IntN(3), 20*time.Minute) + time.Second
		p.lives[id].dies = at
		p.tell(r, id, at, report)
	}},
	{"dies, is tried again and reported by key", 4, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 1, time.Minute) + time.Second
		p.lives[id].dies = at
		p.tell(r, id, at, reportKey)
		again := p.add(life{place: p.lives[id].place, key: p.lives[id].key, kind: "second try"})
		p.do(again, at+time.Second, begin)
		p.do(again, p.parts(r, again, at+time.Second, 3, 6*time.Hour), complete)
	}},
	{"never sends a part", 3, func(*rand.Rand, *plan, int, time.Duration) {}},
	{"gives up by itself", 3, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		p.do(id, p.parts(r, id, at, 2, time.Hour)+time.Minute, giveUp)
	}},
	{"is reported dead and lives", 3, func(r *rand.Rand, p *plan, id int, at time.Duration) {
		at = p.parts(r, id, at, 2, time.Hour)
		p.lives[id].dies = at - time.Minute
		p.do(id, at+time.Minute, falseAlarm)
		p.do(id, p.parts(r, id, at+time.Hour, 2, time.Hour), complete)
	}},
}

func rand11(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(11 * time.Hour))) }

// newPlan plans what n uploads do in so many days: half of them evenly, half in bursts of one moment and one folder.
func newPlan(r *rand.Rand, n int, over time.Duration) *plan {
	p := &plan{}
	for len(p.lives) < n {
		burst, at := 1, time.Duration(r.Int64N(int64(over)))
		if r.IntN(40) == 0 {
			burst = 1 + r.IntN(80)
		}
		folder := fmt.Sprintf("raw/%04d", r.IntN(5000))
		for i := range min(burst, n-len(p.lives)) {
			p.one(r, at, fmt.Sprintf("%s/%03d.bin", folder, i%40))
		}
	}
	slices.SortStableFunc(p.acts, func(a, b act) int { return int(a.at - b.at) })
	return p
}

// one plans one upload.
func (p *plan) one(r *rand.Rand, at time.Duration, key string) {
	if r.IntN(50) == 0 {
		key = crowdedKey
	}
	dice := r.IntN(100)
	for _, k := range kinds {
		if dice -= k.share; dice >= 0 {
			continue
		}
		id := p.add(life{place: r.IntN(len(places)), key: key, kind: k.name})
		p.do(id, at, begin)
		k.live(r, p, id, at)
		return
	}
	panic("the shares are a hundred")
}

func (p *plan) add(l life) int {
	p.lives = append(p.lives, l)
	return len(p.lives) - 1
}

func (p *plan) do(id int, at time.Duration, what deed) {
	p.acts = append(p.acts, act{at, id, what})
}

// parts sends parts with up to gap between them, and returns when the last one is there.
func (p *plan) parts(r *rand.Rand, id int, at time.Duration, n int, gap time.Duration) time.Duration {
	for range n {
		at += time.Duration(r.Int64N(int64(gap)))
		p.do(id, at, sendPart)
	}
	return at
}

// tell reports a failure, late, up to three times.
func (p *plan) tell(r *rand.Rand, id int, at time.Duration, what deed) {
	for range 1 + r.IntN(3) {
		p.do(id, at+time.Duration(r.Int64N(int64(3*time.Hour))), what)
	}
}

// A place is a bucket.
type place struct {
	service        sandbox.Service
	bucket, region string
}

var places = []place{
	{sandbox.S3, "media", "eu-west-1"},
	{sandbox.COS, "media-1250000000", "ap-beijing"},
	{sandbox.OBS, "media", "cn-north-4"},
	{sandbox.OSS, "media", "cn-shanghai"},
}

// crowdedKey is where many uploads of one key are.
const crowdedKey = "playlist.m3u8"
