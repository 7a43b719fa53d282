package links

import (
	"context"
	"log"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
)

// Kernel opens gossip sockets of the kernel at a port, for Net.Gossip.
func Kernel(port int, logger *log.Logger) func(ip string) (memberlist.Transport, error) {
	return func(ip string) (memberlist.Transport, error) {
		// memberlist's error does not say whether the machine has the address; the kernel's does.
		try, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
		if err != nil {
			return nil, err
		}
		try.Close()
		t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{ip}, BindPort: port, Logger: logger})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		return &socket{t, ctx, cancel}, nil
	}
}

// socket is a transport of the kernel whose dials end with it.
type socket struct {
	*memberlist.NetTransport
	ctx    context.Context
	cancel context.CancelFunc
}

func (s *socket) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return (&net.Dialer{Timeout: timeout}).DialContext(s.ctx, "tcp", address)
}

func (s *socket) Shutdown() error {
	s.cancel()
	return s.NetTransport.Shutdown()
}
