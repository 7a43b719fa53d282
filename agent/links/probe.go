package links

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// A probe is a packet of its own kind on the gossip's sockets: mark, version, kind, link number, probe number (8 bytes, big endian) and a
// MAC. The gossip's own packets begin with its label (244).
const (
	probeMark    = 0xA7
	probeVersion = 1
	probeCall    = 0
	probeAnswer  = 1
	probeBody    = 4 + 8
	probeSize    = probeBody + probeMAC
	probeMAC     = 16
)

// probeLabel separates this use of the gossip key from all others.
const probeLabel = "paceline link probe v1"

func encodeProbe(kind byte, link int, number uint64, key []byte) []byte {
	b := make([]byte, probeBody, probeSize)
	b[0], b[1], b[2], b[3] = probeMark, probeVersion, kind, byte(link)
	binary.BigEndian.PutUint64(b[4:], number)
	return append(b, probeSum(b, key)...)
}

func probeSum(body, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(probeLabel))
	h.Write(body)
	return h.Sum(nil)[:probeMAC]
}

// decodeProbe opens a probe with any of the keys.
func decodeProbe(b []byte, keys [][]byte) (kind byte, link int, number uint64, ok bool) {
	if len(b) != probeSize || b[0] != probeMark || b[1] != probeVersion || b[2] > probeAnswer {
		return 0, 0, 0, false
	}
	for _, k := range keys {
		if hmac.Equal(b[probeBody:], probeSum(b[:probeBody], k)) {
			return b[2], int(b[3]), binary.BigEndian.Uint64(b[4:probeBody]), true
		}
	}
	return 0, 0, 0, false
}
