package mount

import (
	"fmt"
	"os"
	"sync"

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

// local file systems answer statfs(2) from memory, whatever has become of their device.
var local = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "f2fs": true, "vfat": true, "tmpfs": true}

// nowReadOnly says whether writing to a mount is refused. That an error has turned the file system so is no change of the table, so it is
// not asked: the file system itself is, or, where it might not answer, the table read anew.
func (e entry) nowReadOnly() (bool, error) {
	var st unix.Statfs_t
	if local[e.fstype] && unix.Statfs(e.point, &st) == nil {
		return st.Flags&unix.ST_RDONLY != 0, nil
	}
	all, err := table("self")
	if err != nil {
		return false, err
	}
	for _, x := range at(all, e.point) {
		if x.id == e.id {
			m, super := x.readOnly()
			return m || super, nil
		}
	}
	return false, nil // unmounted meanwhile: the next look tells
}
