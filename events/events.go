// Package events carries the payloads of this folder into a binary, so that the demo runs from anywhere.
package events

import "embed"

// Files holds every payload, as VENDOR/NAME.json.
//
//go:embed */*.json
var Files embed.FS
