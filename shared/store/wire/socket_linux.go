//go:build linux && !race && !386 && !s390x

package wire

import (
	"syscall"
	"unsafe"
)

// canSee is whether silent can tell.
const canSee = true

func receive(fd uintptr, b []byte) (int, syscall.Errno) {
	return unannounced(syscall.SYS_RECVFROM, fd, b, 0)
}

func transmit(fd uintptr, b []byte) (int, syscall.Errno) {
	return unannounced(syscall.SYS_SENDTO, fd, b, syscall.MSG_NOSIGNAL)
}

// silent reports whether nothing has come on a socket, not even its end. It takes nothing off it and does not wait.
func silent(fd uintptr) bool {
	var b [1]byte
	_, err := unannounced(syscall.SYS_RECVFROM, fd, b[:], syscall.MSG_PEEK)
	return err == syscall.EAGAIN
}

// unannounced makes a system call that does not wait, whatever the socket was told, and of which Go's scheduler hears nothing.
func unannounced(call, fd uintptr, b []byte, flags uintptr) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_DONTWAIT|flags, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}
