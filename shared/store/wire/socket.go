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

// A transfer reads or writes, one call at a time.
type transfer struct {
	op    string
	wait  func(step func(fd uintptr) bool) error
	call  func(fd uintptr, b []byte) (int, syscall.Errno)
	whole bool  // it goes on until nothing is left
	end   error // what it is if nothing goes through
	step  func(fd uintptr) bool

	// Of the call that is under way.
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
	s.raw = raw
	s.read = transfer{op: "read", wait: raw.Read, call: receive, end: io.EOF}
	s.write = transfer{op: "write", wait: raw.Write, call: transmit, end: io.ErrUnexpectedEOF, whole: true}
	s.read.step, s.write.step = s.read.advance, s.write.advance
}

// advance reads what there is, or writes as much as there is room for. It reports false if it has to go on when there is more.
func (t *transfer) advance(fd uintptr) (done bool) {
	for {
		n, err := t.call(fd, t.rest[t.n:])
		switch t.n += n; {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != 0:
			t.err = os.NewSyscallError(t.op, err)
		case n == 0 && len(t.rest) > 0:
			t.err = t.end
		case t.whole && t.n < len(t.rest):
			continue
		}
		return true
	}
}

// do reads or writes, by waiting until it is done. Errors are as net's own.
func (t *transfer) do(conn net.Conn, b []byte) (int, error) {
	t.rest, t.n, t.err = b, 0, nil
	err := plainWords(t.wait(t.step), t.op)
	t.rest = nil
	switch {
	case t.err == io.EOF:
		return 0, io.EOF
	case t.err != nil:
		err = &net.OpError{Op: t.op, Net: conn.RemoteAddr().Network(), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: t.err}
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
