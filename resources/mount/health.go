package mount

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// local file systems answer statfs(2) from memory, whatever has become of their device.
var local = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "f2fs": true, "vfat": true, "tmpfs": true}

// broken says what is wrong with a file system that is mounted, or "": its device was pulled out from under it, or the kernel met an error
// and lets nobody write any more, or nothing at all. A process that has it open may not have noticed yet.
func (s settings) broken(v *view, e entry) (string, error) {
	if e.pulled() {
		return fmt.Sprintf("the device %s of %s is gone from this node", e.source, e.point), nil
	}
	readOnly := false
	var st unix.Statfs_t
	if !local[e.fstype] || unix.Statfs(e.point, &st) != nil || strings.HasPrefix(e.fstype, "ext") {
		now, ok, err := v.written(e)
		if err != nil {
			return "", err
		}
		if ok { // or else it was unmounted meanwhile: the next look tells
			e = now
		}
		if e.shutDown() {
			return fmt.Sprintf("%s is shut down: the kernel met an error on %s, and reads and writes nothing of it any more", e.point, e.source), nil
		}
		m, super := e.readOnly()
		readOnly = m || super
	} else {
		readOnly = st.Flags&unix.ST_RDONLY != 0
	}
	if e.fstype == "xfs" { // does not write it down, and refuses to be looked at
		fd, err := unix.Open(e.point, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EIO) {
			return fmt.Sprintf("%s is shut down: the kernel met an error on %s, and reads and writes nothing of it any more", e.point, e.source), nil
		}
		if err == nil {
			unix.Close(fd)
		}
	}
	if readOnly && s.options.flags&unix.MS_RDONLY == 0 {
		return fmt.Sprintf("%s has become read-only: the kernel met an error on %s", e.point, e.source), nil
	}
	return "", nil
}

// pulled says whether the kernel does not have the block device any more. The mount outlives it.
func (e entry) pulled() bool {
	if strings.HasPrefix(e.device, "0:") || !strings.HasPrefix(e.source, "/") { // has no block device, or one that is nobody's own
		return false
	}
	const devices = "/sys/dev/block/"
	if _, err := os.Stat(devices); err != nil {
		return false // no sysfs here
	}
	_, err := os.Stat(devices + e.device)
	return errors.Is(err, os.ErrNotExist)
}
