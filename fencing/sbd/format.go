package sbd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Sizes of what lies on a device.
const (
	BlockSize  = 4096 // what is read and written at once: no device has larger sectors
	recordSize = 512  // of a record, at the head of its block: one sector of any device
	sumSize    = sha256.Size
	bodyAt     = 36 // where a record's own fields begin

	ownersAt   = 2
	messagesAt = ownersAt + SlotsMax
	// Blocks is the number of blocks of a device, Size the number of bytes.
	Blocks = messagesAt + SlotsMax*SlotsMax
	Size   = Blocks * BlockSize
)

// Person is the slot from which people write: no node has it.
const Person = 0

const version = 1

var magic = [4]byte{'P', 'L', 'S', 'B'}

// Kinds of records.
const (
	headerRecord byte = iota + 1
	ownerRecord
	messageRecord
)

// UUID names a device, or a set of devices.
type UUID [16]byte

func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Header says what a device is. It lies in blocks 0 and 1, and is written once.
type Header struct {
	Device   UUID
	Set      UUID // the same on all devices of a set
	Index    int  // of the device in its set, from 0
	Count    int  // devices of the set
	Watchdog time.Duration
	Wait     time.Duration // message wait
	Created  time.Time     // to the second
}

// States of an owner.
const (
	Free   byte = iota // nobody has the slot
	Armed              // its node reads its messages, and is reset by its watchdog if it cannot
	Dying              // its node has taken a poison pill: it feeds its watchdog no more
	Closed             // its daemon ended in good order, and nothing ran
)

var states = map[byte]string{Free: "free", Armed: "armed", Dying: "dying", Closed: "closed"}

// StateName returns what people call a state of an owner.
func StateName(state byte) string { return states[state] }

// Owner says whose a slot is and what its node has read. Only that node writes it.
type Owner struct {
	Seq   uint64
	State byte
	Node  string
	Boot  string // of the machine's run in which it was written
	// Answered has, by slot of the writer, the highest sequence number that the node has dealt with: the answer to a test, and
	// the mark of a pill that is void.
	Answered [SlotsMax]uint64
}

// Kinds of messages.
const (
	None  byte = iota // nothing is asked: what lay there before is taken back
	Test              // the node says that it has read it
	Reset             // the node restarts itself at once
	Off               // the node powers itself off at once
)

var kinds = map[byte]string{None: "none", Test: "test", Reset: "reset", Off: "off"}

// KindName returns what people call a kind of message.
func KindName(kind byte) string { return kinds[kind] }

// Deadly says whether a kind of message is a poison pill.
func Deadly(kind byte) bool { return kind == Reset || kind == Off }

// Message is what lies for one slot from another. Only the writer's node writes it.
type Message struct {
	Seq  uint64 // grows with every message of this writer to this slot
	ID   uint64 // the same on all devices of a set
	Kind byte
	From string // name of the writer's node, or of a person
	To   string // name of the node that it is for
	Boot string // the run of the machine that it is for: it is void in any other
}

// Errors of a record. A block of zeros is errEmpty.
var (
	errEmpty   = errors.New("nothing was written there")
	errDamaged = errors.New("it is damaged: its checksum does not fit")
)

// ownerBlock and messageBlock are the blocks of a slot, and of the messages to one slot from another.
func ownerBlock(slot int) int          { return ownersAt + slot }
func messageBlock(to, from int) int    { return messagesAt + to*SlotsMax + from }
func blockOf(all []byte, n int) []byte { return all[n*BlockSize : (n+1)*BlockSize] }

// seal makes the block of a record. Its own number and the device's name are in it: a block that was written to a wrong place, or
// belongs to another device, does not pass.
func seal(kind byte, device UUID, block int, seq uint64, body []byte) []byte {
	out := make([]byte, BlockSize)
	copy(out, magic[:])
	out[4], out[5] = kind, version
	copy(out[8:], device[:])
	binary.BigEndian.PutUint32(out[24:], uint32(block))
	binary.BigEndian.PutUint64(out[28:], seq)
	if bodyAt+len(body) > recordSize-sumSize {
		panic("sbd: a record is larger than a sector")
	}
	copy(out[bodyAt:], body)
	copy(out[recordSize-sumSize:], sumOf(out))
	return out
}

// sumOf returns the checksum of a record.
func sumOf(record []byte) []byte {
	sum := sha256.Sum256(record[:recordSize-sumSize])
	return sum[:]
}

// unseal checks a block and returns its record. A zero device stands for any.
func unseal(kind byte, device UUID, block int, raw []byte) (seq uint64, body []byte, err error) {
	if len(raw) < recordSize {
		return 0, nil, errors.New("the block is cut short")
	}
	record := raw[:recordSize]
	if bytes.Count(record, []byte{0}) == recordSize {
		return 0, nil, errEmpty
	}
	if !bytes.Equal(record[:4], magic[:]) {
		return 0, nil, errors.New("it was not written by paceline")
	}
	if !bytes.Equal(sumOf(record), record[recordSize-sumSize:]) {
		return 0, nil, errDamaged
	}
	switch {
	case record[5] != version:
		return 0, nil, fmt.Errorf("it is of version %d of the format, and this program knows version %d", record[5], version)
	case record[4] != kind:
		return 0, nil, errors.New("another kind of record lies there")
	case device != UUID{} && !bytes.Equal(record[8:24], device[:]):
		return 0, nil, errors.New("it belongs to another device")
	case int(binary.BigEndian.Uint32(record[24:])) != block:
		return 0, nil, errors.New("it belongs to another place")
	}
	return binary.BigEndian.Uint64(record[28:]), record[bodyAt : recordSize-sumSize], nil
}

// fields writes and reads a record's own fields, in order.
type fields struct {
	b   []byte
	err error
}

func (f *fields) putText(s string, most int) {
	if len(s) > most {
		f.err = fmt.Errorf("%q is longer than %d bytes", s, most)
		s = ""
	}
	f.b = append(append(f.b, byte(len(s))), append([]byte(s), make([]byte, most-len(s))...)...)
}

func (f *fields) putTime(d time.Duration) {
	f.b = binary.BigEndian.AppendUint32(f.b, uint32(d.Milliseconds()))
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.err, f.b = errDamaged, make([]byte, n)
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) byte() byte { return f.take(1)[0] }

func (f *fields) text(most int) string {
	n := int(f.byte())
	all := f.take(most)
	if n > most {
		f.err = errDamaged
		return ""
	}
	return string(all[:n])
}

func (f *fields) time() time.Duration {
	return time.Duration(binary.BigEndian.Uint32(f.take(4))) * time.Millisecond
}

func (h Header) block(n int) []byte {
	f := &fields{b: append([]byte(nil), h.Set[:]...)}
	f.b = append(f.b, byte(h.Index), byte(h.Count))
	f.putTime(h.Watchdog)
	f.putTime(h.Wait)
	f.b = binary.BigEndian.AppendUint64(f.b, uint64(h.Created.Unix()))
	return seal(headerRecord, h.Device, n, 1, f.b)
}

func parseHeader(block int, raw []byte) (Header, error) {
	_, body, err := unseal(headerRecord, UUID{}, block, raw)
	if err != nil {
		return Header{}, err
	}
	var h Header
	copy(h.Device[:], raw[8:24])
	f := &fields{b: body}
	copy(h.Set[:], f.take(16))
	h.Index, h.Count = int(f.byte()), int(f.byte())
	h.Watchdog, h.Wait = f.time(), f.time()
	h.Created = time.Unix(int64(binary.BigEndian.Uint64(f.take(8))), 0)
	if f.err == nil && (h.Count < 1 || h.Count > DevicesMax || h.Index >= h.Count) {
		return Header{}, errDamaged
	}
	return h, f.err
}

func (o Owner) block(device UUID, slot int) ([]byte, error) {
	f := &fields{b: []byte{o.State}}
	f.putText(o.Node, nameMax)
	f.putText(o.Boot, bootMax)
	for _, a := range o.Answered {
		f.b = binary.BigEndian.AppendUint64(f.b, a)
	}
	if f.err != nil {
		return nil, f.err
	}
	return seal(ownerRecord, device, ownerBlock(slot), o.Seq, f.b), nil
}

// parseOwner reads the owner of a slot. A slot that was never taken is Free.
func parseOwner(device UUID, slot int, raw []byte) (Owner, error) {
	seq, body, err := unseal(ownerRecord, device, ownerBlock(slot), raw)
	if errors.Is(err, errEmpty) {
		return Owner{}, nil
	}
	if err != nil {
		return Owner{}, err
	}
	f := &fields{b: body}
	o := Owner{Seq: seq, State: f.byte(), Node: f.text(nameMax), Boot: f.text(bootMax)}
	for i := range o.Answered {
		o.Answered[i] = binary.BigEndian.Uint64(f.take(8))
	}
	if o.State > Closed {
		f.err = errDamaged
	}
	return o, f.err
}

func (m Message) block(device UUID, to, from int) ([]byte, error) {
	f := &fields{b: binary.BigEndian.AppendUint64([]byte{m.Kind}, m.ID)}
	f.putText(m.From, nameMax)
	f.putText(m.To, nameMax)
	f.putText(m.Boot, bootMax)
	if f.err != nil {
		return nil, f.err
	}
	return seal(messageRecord, device, messageBlock(to, from), m.Seq, f.b), nil
}

// parseMessage reads a message. Where none was written it is of kind None and number 0.
func parseMessage(device UUID, to, from int, raw []byte) (Message, error) {
	seq, body, err := unseal(messageRecord, device, messageBlock(to, from), raw)
	if errors.Is(err, errEmpty) {
		return Message{}, nil
	}
	if err != nil {
		return Message{}, err
	}
	f := &fields{b: body}
	m := Message{Seq: seq, Kind: f.byte(), ID: binary.BigEndian.Uint64(f.take(8)), From: f.text(nameMax), To: f.text(nameMax), Boot: f.text(bootMax)}
	if m.Kind > Off {
		f.err = errDamaged
	}
	return m, f.err
}

// Row is what a node reads of a device in a round: its own slot, and what lies for it.
type Row struct {
	Owner    Owner
	OwnerErr error
	Messages [SlotsMax]Message
	Damaged  []int // slots whose message cannot be read
}

// parseRow reads the two pieces of a slot: its owner's block, and the blocks of its messages.
func parseRow(device UUID, slot int, owner, messages []byte) Row {
	var r Row
	r.Owner, r.OwnerErr = parseOwner(device, slot, owner)
	for from := range r.Messages {
		m, err := parseMessage(device, slot, from, blockOf(messages, from))
		if err != nil {
			r.Damaged = append(r.Damaged, from)
			continue
		}
		r.Messages[from] = m
	}
	return r
}
