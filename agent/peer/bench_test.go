package peer

import (
	"sync"
	"testing"
)

// BenchmarkDial is the cost of a stream between two nodes, both certificates verified, over loopback.
func BenchmarkDial(b *testing.B) {
	key := NewKey()
	mk := func(node string) *Peer {
		p, err := New(Config{Keys: []Key{key}, Identity: Identity{Cluster: "c1", Node: node, ID: "id-" + node}, Listen: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		var served sync.WaitGroup
		served.Go(func() { p.Serve() })
		b.Cleanup(func() { p.Close(); served.Wait() })
		return p
	}
	from, to := mk("a"), mk("b")
	l := to.Listener(ALPNRaft)
	for b.Loop() {
		c, err := from.Dial(b.Context(), to.Addr().String(), ALPNRaft)
		if err != nil {
			b.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
		s.Close()
	}
}
