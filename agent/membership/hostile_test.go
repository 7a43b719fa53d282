package membership

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"paceline/agent/membership/memnet"
)

// sealed packs a message as a member packs it that has the key: the label of the cluster, then a version, a nonce and what is
// encrypted under both.
func sealed(t testing.TB, key []byte, label string, message []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	const withLabel, version = 244, 1
	nonce := make([]byte, gcm.NonceSize()) // the same every time: nobody has to be kept from reading it
	out := append([]byte{withLabel, byte(len(label))}, label...)
	out = append(append(out, version), nonce...)
	return gcm.Seal(out, nonce, message, []byte(label))
}

// ping asks a member by name for an answer.
func ping(name string) []byte {
	out := append([]byte{0, 0x82, 0xa5}, "SeqNo"...)
	out = append(out, 7, 0xa4)
	out = append(out, "Node"...)
	return append(append(out, 0xa0|byte(len(name))), name...)
}

// pings is the number of answers that a member gives to a ping from a transport.
func pings(t testing.TB, from memberlist.Transport, to, name string, key []byte, wait time.Duration) int {
	t.Helper()
	if _, err := from.WriteTo(sealed(t, key, "c1", ping(name)), to); err != nil {
		t.Fatal(err)
	}
	select {
	case <-from.PacketCh():
		return 1
	case <-time.After(wait):
		return 0
	}
}

// A ping that is sealed with the cluster's key is answered, one with another key is not: so what FuzzGossip seals is read.
func TestOnlySealedPacketsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.config(1, LAN)
		w.start(c)
		stranger, err := w.net.Transport("10.0.0.99", 7946)
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Shutdown()
		if pings(t, stranger, ipOf(1)+":7946", "n1", c.Keys[0], time.Second) != 1 {
			t.Error("a ping with the right key is not answered")
		}
		if pings(t, stranger, ipOf(1)+":7946", "n1", bytes.Repeat([]byte{8}, 32), time.Second) != 0 {
			t.Error("a ping with another key is answered")
		}
		if _, err := stranger.WriteTo(ping("n1"), ipOf(1)+":7946"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-stranger.PacketCh():
			t.Error("a ping in the clear is answered")
		case <-time.After(time.Second):
		}
	})
}

// tap keeps all packets that a transport sends.
type tap struct {
	memberlist.Transport
	mu   sync.Mutex
	sent [][2]string // to, packet
}

func (t *tap) WriteTo(b []byte, to string) (time.Time, error) {
	t.mu.Lock()
	t.sent = append(t.sent, [2]string{to, string(b)})
	t.mu.Unlock()
	return t.Transport.WriteTo(b, to)
}

// Somebody recorded what a member sent, and sends it again, all of it and many times, after that member died: nobody takes
// it for alive, and nobody else is doubted.
func TestReplayedPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(2, LAN)
		c := w.config(3, LAN)
		under, err := w.net.Transport(c.Address, c.Port)
		if err != nil {
			t.Fatal(err)
		}
		recorder := &tap{Transport: under}
		c.Transport = recorder
		dying := w.start(c)
		if _, err := dying.Join(t.Context(), []string{ipOf(1) + ":7946"}); err != nil {
			t.Fatal(err)
		}
		await(t, ms[0], 10*time.Second, "the third is alive", status("n3", Alive))
		time.Sleep(30 * time.Second)
		w.kill(dying)
		for _, m := range ms {
			await(t, m, 30*time.Second, "the third has failed", status("n3", Failed))
		}
		recorder.mu.Lock()
		old := slices.Clone(recorder.sent)
		recorder.mu.Unlock()
		if len(old) < 50 {
			t.Fatalf("only %d packets were recorded", len(old))
		}
		w.net.Share(c.Address, c.Port) // the dead one's address is the replayer's now
		replay, err := w.net.Transport("10.0.0.99", 7946)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			for _, p := range old {
				if _, err := replay.WriteTo([]byte(p[1]), p[0]); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(500 * time.Millisecond)
			for _, m := range ms {
				if alive := m.View().Alive(); !slices.Equal(alive, []string{"n1", "n2"}) {
					t.Fatalf("%s takes %v for alive after a replay", m.config.Name, alive)
				}
			}
		}
	})
}

// claimsHugeTime tells whether a message holds the head of a time (MessagePack: extension type -1 of 32-bit length) that claims more
// than a mebibyte. The library sets as much aside before it looks at what is there, which takes seconds for gibibytes.
func claimsHugeTime(message []byte) bool {
	for at := 0; at+6 <= len(message); at++ {
		if message[at] == 0xc9 && message[at+5] == 0xff && binary.BigEndian.Uint32(message[at+1:]) > 1<<20 {
			return true
		}
	}
	return false
}

// Whatever comes in by gossip, in the clear or sealed with the key, as a packet or on a stream, the member lives, and answers.
func FuzzGossip(f *testing.F) {
	w := &world{t: f, net: memnet.New(), nodes: map[string]*Membership{}}
	c := w.config(1, LAN)
	m := w.start(c)
	f.Cleanup(func() { m.Close() })
	stranger, err := w.net.Transport("10.0.0.99", 7946)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(1), ping("n1"))
	f.Add(byte(0), ping("n1"))
	f.Add(byte(3), []byte{6, 0})
	for kind := range byte(16) { // the kinds of messages, and nonsense behind each
		f.Add(byte(1), append([]byte{kind}, 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa2, 'n', '1'))
		f.Add(byte(1), append([]byte{8, kind}, 0x80))
		f.Add(byte(3), append([]byte{kind}, 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa2, 'n', '1'))
	}
	f.Add(byte(1), []byte{7, 3, 0, 1, 0, 1, 0, 200, 0, 0, 0})
	f.Fuzz(func(t *testing.T, how byte, message []byte) {
		packet := message
		if how&1 != 0 {
			if claimsHugeTime(message) {
				t.Skip("a flaw of the library that only a holder of the key can use: docs/security.md")
			}
			packet = sealed(t, c.Keys[0], "c1", message)
		}
		to := ipOf(1) + ":7946"
		if how&2 == 0 {
			if _, err := stranger.WriteTo(packet, to); err != nil {
				t.Fatal(err)
			}
		} else if conn, err := stranger.DialTimeout(to, time.Second); err == nil {
			_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
			go drain(conn)
			_, _ = conn.Write(packet)
			_ = conn.Close()
		}
		for len(stranger.PacketCh()) > 0 {
			<-stranger.PacketCh()
		}
		for turn := 0; pings(t, stranger, to, "n1", c.Keys[0], time.Second) == 0; turn++ {
			if turn == 5 {
				t.Fatal("the member does not answer any more")
			}
		}
	})
}

func drain(conn net.Conn) {
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}
