//go:build linux && !race && !386 && !s390x

package wire

import (
	"syscall"
	"unsafe"
)

// canSee is whether silent can tell.
const canSee = true

// readSocket reads a socket that does not block.
func readSocket(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return returned(n, err)
}

// writeSocket writes a socket that does not block.
func writeSocket(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return returned(n, err)
}

// silent reports whether nothing has come on a socket, not even its end. It takes nothing off it and does not wait.
func silent(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return err == syscall.EAGAIN
}

func returned(n uintptr, err syscall.Errno) (int, syscall.Errno) {
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}
