// Package cgroup gives what agents begin a cgroup (version 2) of its own, below a folder that this program may divide: an operation of
// an OCF agent, or a command under our own supervision.
//
// Guarantees: what is begun in a group cannot leave it, whatever it does to its session, parent and environment; so all of it can be
// named and ended. Where there are no such cgroups everything works without, and groups are zero values that do nothing.
//
// Tested with real cgroups where the machine gives some.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Own returns the folder for groups: one below the cgroup of this process, so that what limits the daemon limits its agents, and who
// ends the daemon's cgroup ends them. It is empty where there is no cgroup of version 2 that we may divide.
func Own() string {
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

// Parent makes groups of one kind. The zero value makes none.
type Parent struct {
	base    string // empty: none
	kind    string // with which their names begin
	life    int64  // tells groups of this program from those that an earlier one left behind
	counter atomic.Uint64

	mu   sync.Mutex
	held map[string]bool // names of those in which something may still begin
}

// NewParent makes the folder for groups of a kind, as Own names it; an empty base gives a Parent that makes none. The Parent can be used
// after an error, which is for the log.
func NewParent(base, kind string) (*Parent, error) {
	if base == "" {
		return &Parent{}, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return &Parent{}, fmt.Errorf("make cgroup for agents: %w", err)
	}
	if _, err := os.Stat(filepath.Join(base, "cgroup.procs")); err != nil {
		return &Parent{}, fmt.Errorf("make cgroup for agents: %s is no cgroup of version 2", base)
	}
	return &Parent{base: base, kind: kind, life: time.Now().UnixNano()}, nil
}

// Group is one cgroup that something may begin in. The zero value does nothing.
type Group struct {
	path string
	fd   int
}

// Make makes a group; where that does not work it is one that does nothing.
func (p *Parent) Make() Group {
	if p.base == "" {
		return Group{}
	}
	name := fmt.Sprintf("%s-%d-%d", p.kind, p.life, p.counter.Add(1))
	path := filepath.Join(p.base, name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if os.Mkdir(path, 0o755) != nil {
		return Group{}
	}
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = os.Remove(path)
		return Group{}
	}
	if p.held == nil {
		p.held = map[string]bool{}
	}
	p.held[name] = true
	return Group{path, fd}
}

// Path names the group, for Kill, Members and Remove, also in a later program; empty for none.
func (g Group) Path() string { return g.path }

// Begin makes a command begin in the group.
func (g Group) Begin(attr *syscall.SysProcAttr) {
	attr.UseCgroupFD, attr.CgroupFD = g.path != "", g.fd
}

// Release gives a group up once nothing more is to begin in it. If it is empty it goes at once, or else with Remove, or when a later one
// is released that is not empty either.
func (p *Parent) Release(g Group) {
	if g.path == "" {
		return
	}
	unix.Close(g.fd)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, filepath.Base(g.path))
	if os.Remove(g.path) == nil {
		return
	}
	// It has a server in it now: look whether earlier ones have lost theirs. This is the only moment at which their number grows.
	es, err := os.ReadDir(p.base)
	if err != nil {
		return
	}
	for _, e := range es {
		if e.IsDir() && strings.HasPrefix(e.Name(), p.kind+"-") && !p.held[e.Name()] {
			_ = Remove(filepath.Join(p.base, e.Name())) // only works on empty ones
		}
	}
}

// Kill ends all that is in a group and in those below it. A kernel before 5.14 cannot do that at once: then nothing happens.
func Kill(path string) {
	if path != "" {
		_ = os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0)
	}
}

// Members lists the processes in a group and in those below it, which they may have made; none if there is no such group.
func Members(path string) (pids []int, err error) {
	if path == "" {
		return nil, nil
	}
	err = walk(path, func(dir string) error {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EOPNOTSUPP) { // gone; or one of threads, whose processes stand above
			return err
		}
		for line := range strings.Lines(string(b)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 { // 0: of another namespace
				pids = append(pids, pid)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list processes of a cgroup: %w", err)
	}
	return pids, nil
}

// Remove removes a group and those below it, if nothing is in them.
func Remove(path string) error {
	var dirs []string
	if err := walk(path, func(dir string) error { dirs = append(dirs, dir); return nil }); err != nil {
		return err
	}
	for i := range dirs { // the deepest first
		if err := os.Remove(dirs[len(dirs)-1-i]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// walk visits a group and those below it, a group before those in it.
func walk(path string, visit func(dir string) error) error {
	return filepath.WalkDir(path, func(dir string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist): // went away meanwhile
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		}
		return visit(dir)
	})
}
