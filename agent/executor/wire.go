package executor

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"
)

// wire reads and writes messages, each with a deadline. Reading and writing may go on at once, but each by one goroutine.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

func newWire(c net.Conn) *wire { return &wire{conn: c, r: bufio.NewReaderSize(c, 64<<10)} }

func (w *wire) write(m any, limit time.Duration) error {
	line, err := Encode(m)
	if err != nil {
		return err
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return fmt.Errorf("send %s: %w", messageType(m), err)
	}
	if _, err := w.conn.Write(line); err != nil {
		return fmt.Errorf("send %s: %w", messageType(m), err)
	}
	return nil
}

func (w *wire) read(limit time.Duration) (any, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	line, err := readLine(w.r, LineMax)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return Decode(line)
}

var errLineTooLong = errors.New("a line is longer than allowed")

// readLine reads up to and including the next newline, at most limit bytes. The result is valid until the next read.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	part, err := r.ReadSlice('\n')
	if err == nil {
		return part, nil
	}
	var line []byte
	for errors.Is(err, bufio.ErrBufferFull) {
		line = append(line, part...)
		if len(line) > limit {
			return nil, fmt.Errorf("%w (%d bytes)", errLineTooLong, limit)
		}
		part, err = r.ReadSlice('\n')
	}
	return append(line, part...), err
}
