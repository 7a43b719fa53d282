package ocf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups gives each operation a cgroup (version 2) of its own below a folder that we may use. What an operation begins cannot leave
// it, whatever it does to its session, parent and environment. A cgroup in which the agent left its server stays until that
// has ended; later operations remove it then.
type cgroups struct {
	base    string // empty: none
	life    int64  // tells cgroups of this daemon from those that an earlier one left behind
	counter atomic.Uint64
}

// OwnCgroup returns the folder for the cgroups of operations: one below the cgroup of this process, so that what limits the daemon limits
// its agents, and who ends the daemon's cgroup ends them. It is empty where there is no cgroup of version 2 that we may divide.
func OwnCgroup() string {
	if os.Geteuid() != 0 {
		return ""
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	place := ""
	for line := range strings.Lines(string(own)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			place = rest
		}
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		if dir := filepath.Join(root, place); place != "" && unix.Access(dir, unix.W_OK) == nil {
			return filepath.Join(dir, "paceline-operations")
		}
	}
	return ""
}

func newCgroups(base string) (*cgroups, error) {
	if base == "" {
		return &cgroups{}, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return &cgroups{}, fmt.Errorf("make cgroup for operations: %w", err)
	}
	if _, err := os.Stat(filepath.Join(base, "cgroup.procs")); err != nil {
		return &cgroups{}, fmt.Errorf("make cgroup for operations: %s is no cgroup of version 2", base)
	}
	return &cgroups{base: base, life: time.Now().UnixNano()}, nil
}

// cgroup is that of one operation. The zero value does nothing.
type cgroup struct {
	path string
	fd   int
}

// make makes a cgroup for one operation; without one the operation runs all the same.
func (c *cgroups) make() cgroup {
	if c.base == "" {
		return cgroup{}
	}
	path := filepath.Join(c.base, fmt.Sprintf("op-%d-%d", c.life, c.counter.Add(1)))
	if os.Mkdir(path, 0o755) != nil {
		return cgroup{}
	}
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = os.Remove(path)
		return cgroup{}
	}
	return cgroup{path, fd}
}

// kill ends all that is in it.
func (g cgroup) kill() {
	if g.path != "" {
		_ = os.WriteFile(filepath.Join(g.path, "cgroup.kill"), []byte("1"), 0) // a kernel before 5.14: the process table must do
	}
}

// release gives it up. It goes away as soon as nothing is in it.
func (c *cgroups) release(g cgroup) {
	if g.path == "" {
		return
	}
	unix.Close(g.fd)
	if os.Remove(g.path) == nil {
		return
	}
	// It has a server in it now: look whether earlier ones have lost theirs. This is the only moment at which their number grows.
	es, err := os.ReadDir(c.base)
	if err != nil {
		return
	}
	for _, e := range es {
		if e.IsDir() && strings.HasPrefix(e.Name(), "op-") {
			_ = os.Remove(filepath.Join(c.base, e.Name())) // only works on empty ones
		}
	}
}
