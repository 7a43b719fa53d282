package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ID is one process for good: a pid comes again, a pid with its start time does not before the next boot.
type ID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of /proc/PID/stat: clock ticks since boot
}

// Process is a line of the process table.
type Process struct {
	ID
	Parent  int
	Group   int
	Session int
	State   byte   // R, S, D, T, Z ...
	Kernel  bool   // a thread of the kernel
	Name    string // the kernel's short name
}

// Ended says whether the process runs no more: zombies only wait to be reaped.
func (p Process) Ended() bool { return p.State == 'Z' || p.State == 'X' }

// Stat reads one process. The error is os.ErrNotExist if there is none.
func Stat(pid int) (Process, error) {
	b, err := readSmall("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, os.ErrNotExist) // ESRCH and ENOENT alike: it is gone
	}
	return parseStat(b)
}

// parseStat reads a stat line. The name stands in parentheses and may hold any bytes, so the last ')' ends it.
func parseStat(b []byte) (Process, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Process{}, errors.New("process table: no name in stat line")
	}
	p := Process{Name: string(b[open+1 : end])}
	var err error
	if p.PID, err = strconv.Atoi(strings.TrimSpace(string(b[:open]))); err != nil {
		return Process{}, fmt.Errorf("process table: %w", err)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return Process{}, errors.New("process table: short stat line")
	}
	p.State = f[0][0]
	p.Parent, _ = strconv.Atoi(f[1])
	p.Group, _ = strconv.Atoi(f[2])
	p.Session, _ = strconv.Atoi(f[3])
	flags, _ := strconv.ParseUint(f[6], 10, 64)
	p.Kernel = flags&kernelThread != 0
	p.Start, err = strconv.ParseUint(f[19], 10, 64)
	return p, err
}

// Alive says whether exactly this process still runs.
func (id ID) Alive() bool {
	p, err := Stat(id.PID)
	return err == nil && p.Start == id.Start && !p.Ended()
}

// List reads the process table, in the order of pids. Processes that end meanwhile are left out.
func List() ([]Process, error) {
	pids, err := PIDs()
	if err != nil {
		return nil, err
	}
	out := make([]Process, 0, len(pids))
	for _, pid := range pids {
		if p, err := Stat(pid); err == nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// PIDs lists the processes there are.
func PIDs() ([]int, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	var out []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			out = append(out, pid)
		}
	}
	return out, nil
}

// Command returns a process's command line, spaces between arguments, at most limit bytes; of a process without one (a
// kernel thread, a zombie) its name in brackets.
func (p Process) Command(limit int) string {
	b, err := readSmall("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
	if err != nil || len(b) == 0 {
		return "[" + p.Name + "]"
	}
	s := strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ")
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return s
}

// mark is a NAME=value to look for in the environments that processes were begun with. It is for one pass over the table.
type mark struct {
	entry string
	waits int // that were spent on processes that seemed to have no environment
}

// on says whether a process carries the mark.
func (m *mark) on(p Process) bool {
	if m.entry == "" || p.Kernel || p.Ended() {
		return false
	}
	for {
		b, err := environ(p.PID)
		switch {
		case err != nil:
			return false
		case len(b) > 0:
			return bytes.HasPrefix(b, []byte(m.entry+"\x00")) || bytes.Contains(b, []byte("\x00"+m.entry+"\x00"))
		case m.waits >= environWaits:
			return false
		}
		// In the middle of an exec a process has no environment for a moment. It must not slip through.
		m.waits++
		time.Sleep(environPause)
	}
}

func environ(pid int) ([]byte, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, environMax))
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, err := f.Read(b)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:n], nil
}

// Seal marks all open files of this process as not to be inherited by the commands that it runs. Go opens its own files so; what
// the process got from its parent is not, and what daemonizes would carry it along for ever.
func Seal() {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // a kernel without the call: nothing is lost but tidiness
}
