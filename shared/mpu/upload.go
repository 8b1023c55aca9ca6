// Package mpu is the vocabulary of partsweep: buckets, multipart uploads, requests about them, and what became of them.
//
// There is one idea to keep: a [Request] is an [Upload] with blanks. It says where (a bucket), which (a key, an upload ID,
// or neither) and since when (Before). A failure event that carries an upload ID fills every blank; a timer leaves the key
// and the upload ID blank; a person types one. [Parse] and [Request.String] are its one notation, used in configuration,
// timer payloads, queue messages, logs and reports.
//
// The package imports the standard library only, and knows no network, no clock and no environment.
package mpu

import "time"

// A Bucket is a place that holds multipart uploads.
//
// Store is the scheme of the service: s3, cos, obs, oss, vod or mps. Region may be empty where the service can be asked
// for it. For vod and mps, which have no buckets, Region and Name are both the region's ID.
type Bucket struct{ Store, Region, Name string }

// String returns the bucket in the notation.
func (b Bucket) String() string { return Request{Bucket: b}.String() }

// An Upload is one multipart upload that was begun and neither completed nor aborted: a (bucket, key, upload ID) triple.
//
// For vod and mps the media ID is both Key and UploadID. Times are in UTC, and zero where the service does not say.
type Upload struct {
	Bucket       Bucket
	Key          string
	UploadID     string
	Initiated    time.Time // when it was begun
	Active       time.Time // when something last happened to it, where the listing itself says so (vod)
	StorageClass string
}

// String returns the upload in the notation.
func (u Upload) String() string { return u.Request().String() }

// Request returns the request that names exactly this upload, with no cutoff.
func (u Upload) Request() Request {
	return Request{Bucket: u.Bucket, Key: u.Key, UploadID: u.UploadID}
}

// A Marker is a position in a listing: what comes after it has not been seen yet. Both halves travel together, and both
// are opaque: some services put things into them that are no key and no upload ID. The zero Marker is the start.
type Marker struct{ Key, UploadID string }

// IsZero reports whether the marker is the start of the listing.
func (m Marker) IsZero() bool { return m == Marker{} }
