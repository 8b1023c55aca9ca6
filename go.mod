module github.com/partsweep/partsweep

go 1.26.0

require (
	github.com/failsafe-go/failsafe-go v0.9.8 // indirect
	golang.org/x/time v0.16.0 // indirect
)
