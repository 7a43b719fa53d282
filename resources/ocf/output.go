package ocf

import (
	"bytes"
	"os"
	"sync"
	"time"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

// exitReason is what the OCF shell functions of every distribution put before a reason on standard error.
const exitReason = "ocf-exit-reason:"

// output collects what an agent prints, in bounded memory: the tail of all, the whole of standard output up to a limit if
// wanted, the last exit reason, the last line of standard error.
type output struct {
	mu     sync.Mutex
	tail   []byte // of both streams, in the order of arrival
	whole  []byte // standard output, up to keep bytes
	keep   int
	cut    bool // standard output was longer than keep
	reason string
	last   []byte // last line of standard error that is not empty
	line   []byte // unfinished line of standard error
	long   bool   // that line is already past lineMax

	traced   bool // all that is printed is kept in trace, up to traceMax bytes
	trace    []byte
	traceCut bool
}

func (o *output) add(b []byte, stderr bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, b...)
	if n := len(o.tail) - resources.OutputMax; n > 0 {
		o.tail = append(o.tail[:0], o.tail[n:]...)
	}
	if o.traced {
		n := min(len(b), traceMax-len(o.trace))
		o.trace = append(o.trace, b[:n]...)
		o.traceCut = o.traceCut || n < len(b)
	}
	if !stderr {
		n := min(len(b), o.keep-len(o.whole))
		o.whole = append(o.whole, b[:n]...)
		o.cut = o.cut || n < len(b)
		return
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		if n := lineMax - len(o.line); n < len(part) {
			part, o.long = part[:max(n, 0)], true
		}
		o.line = append(o.line, part...)
		if i < 0 {
			return
		}
		o.endLine()
		b = b[i+1:]
	}
}

func (o *output) endLine() {
	s := bytes.TrimSpace(o.line)
	if r, ok := bytes.CutPrefix(s, []byte(exitReason)); ok {
		o.reason = string(bytes.TrimSpace(r))
	} else if len(s) > 0 && !o.long && !o.traced { // the last line of a trace is no reason
		o.last = append(o.last[:0], s...)
	}
	o.line, o.long = o.line[:0], false
}

// finish returns what there is. Nothing may be added afterwards.
func (o *output) finish() (reason, last, tail string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLine()
	return o.reason, string(o.last), string(o.tail)
}

// stream is one pipe from an agent: the end that it writes, and a reader that feeds an output.
type stream struct {
	read, write *os.File
	done        chan struct{}
}

func newStream() (*stream, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{read: r, write: w, done: make(chan struct{})}, nil
}

// pump reads until the last writer is gone or stop is called.
func (s *stream) pump(o *output, stderr bool) {
	defer close(s.done)
	b := make([]byte, 16<<10)
	for {
		n, err := s.read.Read(b)
		if n > 0 {
			o.add(b[:n], stderr)
		}
		if err != nil {
			return
		}
	}
}

// stop ends the reading at what is in the pipe now: the agent's own process has ended, so all that it wrote is there, and a
// background process that inherited the pipe must not keep the operation from ending.
func (s *stream) stop(o *output, stderr bool) {
	_ = s.read.SetReadDeadline(time.Unix(1, 0))
	<-s.done
	if raw, err := s.read.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			b := make([]byte, 16<<10)
			for total := 0; total < drainMax; {
				n, err := unix.Read(int(fd), b)
				if err == unix.EINTR {
					continue
				}
				if n <= 0 {
					return // nothing more now, or no writer left
				}
				o.add(b[:n], stderr)
				total += n
			}
		})
	}
	_ = s.read.Close()
}
