package mount

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// snapshot is the mount table at one moment.
type snapshot struct {
	all []entry
	at  map[string][]entry // by folder, the uppermost last
}

// view is this node's mount table as it is now. The kernel says at every look whether it has changed since the one before, so that it is
// read only then: a thousand monitors of a table of a thousand lines would read nothing else.
type view struct {
	mu   sync.Mutex
	file *os.File // that is asked for changes
	last *snapshot

	keep  time.Duration // how long a reading serves written
	read  time.Time
	lines map[int]entry // by mount
}

// now returns the table; it is not older than the call.
func (v *view) now() (*snapshot, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.file == nil {
		// Not by os.Open: the runtime's poller would take part in the file, and every look takes the change from the others.
		fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("read mount table: %w", err)
		}
		v.file = os.NewFile(uintptr(fd), "mountinfo")
	}
	for range readRetries {
		changed, err := v.changed()
		if err != nil {
			return nil, err
		}
		if v.last != nil && !changed {
			break
		}
		// What changes while it is read may show a table that never was: it is asked once more.
		all, err := table("self")
		if err != nil {
			return nil, err
		}
		v.last = &snapshot{all: all, at: map[string][]entry{}}
		for _, e := range all {
			v.last.at[e.point] = append(v.last.at[e.point], e)
		}
	}
	return v.last, nil
}

// changed asks the kernel whether anything was mounted, unmounted or given other options since it was asked last. v.mu is held.
func (v *view) changed() (bool, error) {
	fds := []unix.PollFd{{Fd: int32(v.file.Fd()), Events: unix.POLLPRI}}
	for {
		switch _, err := unix.Poll(fds, 0); err {
		case nil:
			return fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0, nil
		case unix.EINTR:
		default:
			return false, fmt.Errorf("ask for changes of the mount table: %w", err)
		}
	}
}

// written returns a mount's line as the kernel writes it now, or wrote it shortly before: what an error made of a file system is no change
// of the table, so that only reading it anew tells.
func (v *view) written(e entry) (entry, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lines == nil || time.Since(v.read) >= v.keep {
		all, err := table("self")
		if err != nil {
			return entry{}, false, err
		}
		v.lines, v.read = make(map[int]entry, len(all)), time.Now()
		for _, x := range all {
			v.lines[x.id] = x
		}
	}
	x, ok := v.lines[e.id]
	return x, ok && x.point == e.point && x.device == e.device, nil
}
