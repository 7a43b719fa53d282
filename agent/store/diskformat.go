package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errChecksum = errors.New("checksum does not match")

// seal puts a checksum of key and value before the value, so that a value that is found under another key is damage too.
func seal(key, value []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(value)), sum), value...)
}

// unseal returns the value; it aliases the sealed bytes.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, errChecksum
	}
	value := sealed[4:]
	if crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value) != binary.BigEndian.Uint32(sealed) {
		return nil, errChecksum
	}
	return value, nil
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// encodeLog gives the stored form of an entry: term, type, time, extensions with their length, data. The index is the key.
func encodeLog(l *raft.Log) []byte {
	b := make([]byte, 0, 8+1+8+4+len(l.Extensions)+len(l.Data))
	b = binary.BigEndian.AppendUint64(b, l.Term)
	b = append(b, byte(l.Type))
	var nanos int64
	if !l.AppendedAt.IsZero() {
		nanos = l.AppendedAt.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(nanos))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Extensions)))
	b = append(b, l.Extensions...)
	return append(b, l.Data...)
}

// decodeLog copies what it keeps: the bytes belong to a database transaction.
func decodeLog(index uint64, b []byte, l *raft.Log) error {
	const head = 8 + 1 + 8 + 4
	if len(b) < head {
		return fmt.Errorf("log entry of %d bytes: at least %d", len(b), head)
	}
	extensions := binary.BigEndian.Uint32(b[17:])
	if uint64(extensions) > uint64(len(b)-head) {
		return fmt.Errorf("log entry with extensions of %d bytes in %d", extensions, len(b)-head)
	}
	*l = raft.Log{Index: index, Term: binary.BigEndian.Uint64(b), Type: raft.LogType(b[8])}
	if nanos := int64(binary.BigEndian.Uint64(b[9:])); nanos != 0 {
		l.AppendedAt = time.Unix(0, nanos)
	}
	rest := b[head:]
	if extensions > 0 {
		l.Extensions = append([]byte(nil), rest[:extensions]...)
	}
	if data := rest[extensions:]; len(data) > 0 {
		l.Data = append([]byte(nil), data...)
	}
	return nil
}

// position is a place in the log, ordered as raft orders logs: by term, then by index.
type position struct{ Term, Index uint64 }

func (p position) before(q position) bool {
	return p.Term < q.Term || p.Term == q.Term && p.Index < q.Index
}

// tail is written with every change of the log: what must be there, even if the entries are not.
type tail struct {
	first, last uint64 // 0, 0 when the log is empty
	lastTerm    uint64
	commit      uint64 // known to be committed when it was written; a lower bound
}

func (t tail) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, t.first)
	b = binary.BigEndian.AppendUint64(b, t.last)
	b = binary.BigEndian.AppendUint64(b, t.lastTerm)
	return binary.BigEndian.AppendUint64(b, t.commit)
}

func decodeTail(b []byte) (tail, error) {
	if len(b) != 32 {
		return tail{}, fmt.Errorf("tail of %d bytes: 32", len(b))
	}
	return tail{
		first: binary.BigEndian.Uint64(b), last: binary.BigEndian.Uint64(b[8:]),
		lastTerm: binary.BigEndian.Uint64(b[16:]), commit: binary.BigEndian.Uint64(b[24:]),
	}, nil
}

func encodePosition(p position) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, p.Term), p.Index)
}

func decodePosition(b []byte) (position, error) {
	if len(b) != 16 {
		return position{}, fmt.Errorf("position of %d bytes: 16", len(b))
	}
	return position{Term: binary.BigEndian.Uint64(b), Index: binary.BigEndian.Uint64(b[8:])}, nil
}
