package sandbox

import (
	"fmt"
	"maps"
	"slices"
)

// Codes returns every error code that a service can be made to answer with, sorted.
func (s *Sandbox) Codes(service Service) []string {
	switch service {
	case VOD:
		return s.vod.codes()
	case MPS:
		return s.mps.codes()
	}
	return slices.Sorted(maps.Keys(s.store(service).traits.codes))
}

// Status returns the HTTP status that a service documents for a code. It panics if the code is not one of Codes.
func (s *Sandbox) Status(service Service, code string) int {
	switch service {
	case VOD:
		return s.vod.status(code)
	case MPS:
		return s.mps.status(code)
	}
	how, ok := s.store(service).traits.codes[code]
	if !ok {
		panic(fmt.Sprintf("sandbox: %s has no error code %q", service, code))
	}
	return how.status
}
