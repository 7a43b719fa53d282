package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is a directory in the cgroup2 tree. The zero value stands for a machine whose cgroups we may not use: nodes
// are then ended by killing the first process of their PID namespace, and cannot be paused.
type cgroup struct{ path string }

// cgroupRoot finds the cgroup2 tree (of its own, or beside the old ones in a hybrid layout) and our place in it.
func cgroupRoot() (string, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	place := "/"
	for line := range strings.Lines(string(own)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			place = rest
		}
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return filepath.Join(root, place), nil
		}
	}
	return "", errors.New("no cgroup2 tree is mounted")
}

// newCgroup makes the lab's cgroup below our own. Where that is not allowed it returns the zero value: only root is
// sure to have cgroups.
func newCgroup(name string) (cgroup, error) {
	root, err := cgroupRoot()
	if err != nil {
		return cgroup{}, nil
	}
	path := filepath.Join(root, name)
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		if InUserNamespace() {
			return cgroup{}, nil
		}
		return cgroup{}, fmt.Errorf("make the lab's cgroup: %w", err)
	}
	return cgroup{path}, nil
}

func (c cgroup) usable() bool { return c.path != "" }

// child makes and returns the cgroup of a node. The name was validated: an empty one would be the whole lab's.
func (c cgroup) child(name string) (cgroup, error) {
	if !c.usable() {
		return c, nil
	}
	if !nameForm.MatchString(name) {
		return cgroup{}, fmt.Errorf("cgroup of %q: bad name", name)
	}
	path := filepath.Join(c.path, name)
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return cgroup{}, fmt.Errorf("make cgroup: %w", err)
	}
	return cgroup{path}, nil
}

func (c cgroup) write(file, value string) error {
	f, err := os.OpenFile(filepath.Join(c.path, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// kill ends every process in the cgroup and below, and returns when none is left.
func (c cgroup) kill() error {
	if !c.usable() {
		return nil
	}
	if err := c.write("cgroup.kill", "1"); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return c.await("populated", "0", killWait)
}

// freeze stops or continues every process in the cgroup, and returns when all have.
func (c cgroup) freeze(on bool) error {
	v := "0"
	if on {
		v = "1"
	}
	if err := c.write("cgroup.freeze", v); err != nil {
		return fmt.Errorf("freeze cgroup: %w", err)
	}
	return c.await("frozen", v, killWait)
}

// await returns when cgroup.events says key value. The kernel wakes the poll at each change.
func (c cgroup) await(key, value string, max time.Duration) error {
	f, err := os.Open(filepath.Join(c.path, "cgroup.events"))
	if err != nil {
		return err
	}
	defer f.Close()
	deadline := time.Now().Add(max)
	buf := make([]byte, 256)
	for {
		n, err := f.ReadAt(buf, 0)
		if n == 0 && err != nil {
			return fmt.Errorf("read cgroup.events: %w", err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			if strings.TrimSpace(line) == key+" "+value {
				return nil
			}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("cgroup %s: not %s=%s after %v", filepath.Base(c.path), key, value, max)
		}
		// The wake-up could come between read and poll and be missed on old kernels: look again after 20 ms anyway.
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}
		_, _ = unix.Poll(fds, int(min(left, 20*time.Millisecond).Milliseconds())+1)
	}
}

// remove kills what is left and removes the cgroup with those below it.
func (c cgroup) remove() error {
	if !c.usable() {
		return nil
	}
	if err := c.kill(); err != nil {
		return err
	}
	return removeCgroups(c.path)
}

// removeCgroups removes a tree of empty cgroups, the deepest first.
func removeCgroups(path string) error {
	if path == "" {
		return nil
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroups(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(path); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove cgroup %s: %w", path, err)
	}
	return nil
}
