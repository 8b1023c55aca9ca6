//go:build darwin || (linux && (race || 386 || s390x))

package wire

import (
	"errors"
	"syscall"
)

// The calls that net makes too: on Darwin, and where one system call stands for all of a socket's, there are no others, and the
// race detector learns from them who waited for whom.

// canSee is whether silent can tell.
const canSee = true

func receive(fd uintptr, b []byte) (int, syscall.Errno) { return returned(syscall.Read(int(fd), b)) }

func transmit(fd uintptr, b []byte) (int, syscall.Errno) { return returned(syscall.Write(int(fd), b)) }

// silent reports whether nothing has come on a socket, not even its end. It takes nothing off it and does not wait.
func silent(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN
}

func returned(n int, err error) (int, syscall.Errno) {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return 0, errno
	}
	return n, 0
}
