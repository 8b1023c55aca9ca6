package sandbox

import (
	"net"
	"net/http"
	"sync/atomic"
)

// Connections counts the connections that were opened to a service since the start, so that a test can see whether they
// are used again.
func (s *Sandbox) Connections(service Service) int { return int(s.connections[service].Load()) }

// count counts a server's new connections.
func count(n *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
}
