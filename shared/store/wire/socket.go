package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// A socket reads and writes a connection's socket by itself, where it has one that can be seen; net waits for it, and says when
// the time is up. Such a call never waits, and so need not be announced to Go's scheduler, which net does: the scheduler wakes
// a thread up that watches over it, each time that there was nothing to do before. With some hundred requests under way on the
// share of a CPU that a small function has, that is a tenth of all that it does.
//
// Its zero value has no socket. One goroutine may read while another writes.
type socket struct {
	raw         syscall.RawConn
	read, write transfer
}

// A transfer is one call of Read or Write, while it is under way.
type transfer struct {
	step func(fd uintptr) bool
	rest []byte
	n    int
	err  error
}

// open looks for the socket of a connection. What merely has a TCP connection in it may read and write in a way of its own.
func (s *socket) open(conn net.Conn) {
	c, ok := conn.(*net.TCPConn)
	if !ok || !canSee {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	s.raw, s.read.step, s.write.step = raw, s.pull, s.push
}

// pull reads what there is, and reports false if that is nothing.
func (s *socket) pull(fd uintptr) (done bool) {
	for {
		n, err := readSocket(fd, s.read.rest)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != 0:
			s.read.err = os.NewSyscallError("read", err)
		case n == 0 && len(s.read.rest) > 0:
			s.read.err = io.EOF
		}
		s.read.n = n
		return true
	}
}

// push writes as much as there is room for, and reports false if something is left.
func (s *socket) push(fd uintptr) (done bool) {
	for w := &s.write; w.n < len(w.rest); {
		n, err := writeSocket(fd, w.rest[w.n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != 0:
			w.err = os.NewSyscallError("write", err)
			return true
		case n == 0:
			w.err = io.ErrUnexpectedEOF
			return true
		}
		w.n += n
	}
	return true
}

// do reads or writes, by waiting until step is done. Errors are as net's own.
func (t *transfer) do(wait func(func(uintptr) bool) error, op string, conn net.Conn, b []byte) (int, error) {
	t.rest, t.n, t.err = b, 0, nil
	err := plainWords(wait(t.step), op)
	t.rest = nil
	switch {
	case t.err == io.EOF:
		return 0, io.EOF
	case t.err != nil:
		err = &net.OpError{Op: op, Net: conn.RemoteAddr().Network(), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: t.err}
	}
	return t.n, err
}

// plainWords has net say "read" in place of "raw-read".
func plainWords(err error, op string) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		e.Op = op
	}
	return err
}
