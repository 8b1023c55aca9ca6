//go:build linux || darwin

package wire

import "syscall"

// canSee is whether silent can tell.
const canSee = true

// silent reports whether nothing has come on a socket, not even its end. It takes nothing off it and does not wait.
func silent(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN
}
