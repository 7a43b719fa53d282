package sbd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

var testHeader = Header{
	Device: UUID{1, 2, 3}, Set: UUID{9}, Count: 1, Watchdog: 5 * time.Second, Wait: 30 * time.Second, Created: time.Unix(1700000000, 0),
}

func sealed(t *testing.T, m Message, to, from int) []byte {
	t.Helper()
	b, err := m.block(testHeader.Device, to, from)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsComeBack(t *testing.T) {
	h, err := parseHeader(1, testHeader.block(1))
	if err != nil || h != testHeader {
		t.Errorf("header: %+v, %v", h, err)
	}
	o := Owner{Seq: 7, State: Armed, Node: "node1", Boot: "b1"}
	o.Answered[0], o.Answered[31] = 5, 1<<40
	raw, err := o.block(testHeader.Device, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseOwner(testHeader.Device, 3, raw); err != nil || got != o {
		t.Errorf("owner: %+v, %v", got, err)
	}
	m := Message{Seq: 4, ID: 77, Kind: Reset, From: "node1", To: "node2", Boot: "b2"}
	if got, err := parseMessage(testHeader.Device, 2, 1, sealed(t, m, 2, 1)); err != nil || got != m {
		t.Errorf("message: %+v, %v", got, err)
	}
	if got, err := parseMessage(testHeader.Device, 2, 1, make([]byte, BlockSize)); err != nil || got != (Message{}) {
		t.Errorf("a message that was never written: %+v, %v", got, err)
	}
	for _, long := range []Message{{To: string(make([]byte, 64))}, {Boot: string(make([]byte, 41))}} {
		if _, err := long.block(testHeader.Device, 2, 1); err == nil {
			t.Errorf("a text that has no room was taken: %+v", long)
		}
	}
}

// Whatever bit flips, the record is refused.
func TestBitFlips(t *testing.T) {
	good := sealed(t, Message{Seq: 4, Kind: Off, From: "node1", To: "node2", Boot: "b2"}, 2, 1)
	for bit := range recordSize * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if m, err := parseMessage(testHeader.Device, 2, 1, bad); err == nil {
			t.Fatalf("bit %d flipped, and the message is taken: %+v", bit, m)
		}
	}
	empty := make([]byte, BlockSize)
	for bit := range recordSize * 8 {
		bad := bytes.Clone(empty)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := parseMessage(testHeader.Device, 2, 1, bad); err == nil {
			t.Fatalf("bit %d of an empty block flipped, and nobody sees it", bit)
		}
	}
}

// A write that was torn anywhere, even within a sector, leaves the old message, the new one, or one that is refused.
func TestTornWrites(t *testing.T) {
	before := Message{Seq: 4, Kind: None, From: "node1", To: "node2", Boot: "b1"}
	after := Message{Seq: 5, Kind: Reset, ID: 9, From: "node1", To: "node2", Boot: "b2"}
	old, fresh := sealed(t, before, 2, 1), sealed(t, after, 2, 1)
	for _, under := range [][]byte{old, make([]byte, BlockSize)} {
		want, err := parseMessage(testHeader.Device, 2, 1, under)
		if err != nil {
			t.Fatal(err)
		}
		for at := range BlockSize {
			for _, torn := range [][]byte{append(bytes.Clone(fresh[:at]), under[at:]...), append(bytes.Clone(under[:at]), fresh[at:]...)} {
				m, err := parseMessage(testHeader.Device, 2, 1, torn)
				if err == nil && m != want && m != after {
					t.Fatalf("torn at byte %d: %+v", at, m)
				}
				if sector := at%recordSize == 0; sector && err != nil {
					t.Fatalf("torn between sectors at byte %d: %v", at, err)
				}
			}
		}
	}
}

func TestMisplacedBlocks(t *testing.T) {
	m := sealed(t, Message{Seq: 1, Kind: Off, To: "node2"}, 2, 1)
	for name, err := range map[string]error{
		"another target": second(parseMessage(testHeader.Device, 3, 1, m)), "another writer": second(parseMessage(testHeader.Device, 2, 2, m)),
		"another device": second(parseMessage(UUID{5}, 2, 1, m)), "another kind": second(parseOwner(testHeader.Device, 2, m)),
	} {
		if err == nil || errors.Is(err, errDamaged) {
			t.Errorf("a message at the place of %s: %v", name, err)
		}
	}
	newer := bytes.Clone(m)
	newer[5] = version + 1
	copy(newer[recordSize-sumSize:], sumOf(newer))
	if _, err := parseMessage(testHeader.Device, 2, 1, newer); err == nil || errors.Is(err, errDamaged) {
		t.Errorf("a record of a later version: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Whatever lies on a device, reading it ends with a record or an error.
func FuzzRecords(f *testing.F) {
	f.Add(testHeader.block(0))
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, BlockSize)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	f.Add(noise)
	f.Fuzz(func(t *testing.T, raw []byte) {
		// With a checksum that fits, so that the fields are reached.
		if len(raw) >= recordSize {
			raw = bytes.Clone(raw)
			copy(raw[recordSize-sumSize:recordSize], sumOf(raw))
		}
		if h, err := parseHeader(0, raw); err == nil && (h.Count < 1 || h.Count > DevicesMax || h.Index >= h.Count) {
			t.Errorf("a set of %d devices, this one at %d", h.Count, h.Index)
		}
		if o, err := parseOwner(testHeader.Device, 1, raw); err == nil && o.State > Closed {
			t.Errorf("state %d", o.State)
		}
		if m, err := parseMessage(testHeader.Device, 1, 1, raw); err == nil && m.Kind > Off {
			t.Errorf("kind %d", m.Kind)
		}
	})
}
