package procfs

import (
	"cmp"
	"context"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Tree names the processes that belong to something begun by us: Root and its descendants, everything in Root's session and
// process group if Root led them, and everything that carries Mark in its environment. The mark finds what forked away and left
// the session: it is inherited unless wiped, and what wipes it (su, sudo) stays a descendant.
//
// Also is what is known to belong to it otherwise, such as the processes of a cgroup; it is asked at every look.
type Tree struct {
	Root ID
	Mark string                // NAME=value; empty: none
	Also func() ([]int, error) // pids; nil: none
}

// Members lists the living processes of the tree. The calling process is never one of them.
func (t Tree) Members() ([]Process, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	in := map[int]bool{}
	for _, p := range all {
		switch {
		case t.Root.PID == 0: // not known; the kernel's own threads are of session 0
		case p.PID == t.Root.PID:
			in[p.PID] = p.Start == t.Root.Start
		case p.Session == t.Root.PID || p.Group == t.Root.PID:
			// A session or group number is not given anew while it has members, so these were Root's, if Root led them.
			// Processes older than Root belong to an earlier bearer of the number.
			in[p.PID] = p.Start >= t.Root.Start
		}
	}
	if t.Also != nil {
		pids, err := t.Also()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			in[pid] = true
		}
	}
	m := mark{entry: t.Mark}
	for _, p := range all {
		if !in[p.PID] && p.Start >= t.Root.Start && m.on(p) {
			in[p.PID] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !in[p.PID] && in[p.Parent] && p.Start >= t.Root.Start {
				in[p.PID], grown = true, true
			}
		}
	}
	self := os.Getpid()
	var out []Process
	for _, p := range all {
		if in[p.PID] && p.PID != self && p.PID != 1 && !p.Ended() {
			out = append(out, p)
		}
	}
	return out, nil
}

// Leaves returns those of ps that have no child among ps: what a tree of processes is really doing.
func Leaves(ps []Process) []Process {
	parent := map[int]bool{}
	for _, p := range ps {
		parent[p.Parent] = true
	}
	var out []Process
	for _, p := range ps {
		if !parent[p.PID] {
			out = append(out, p)
		}
	}
	return out
}

// Signal sends a signal to exactly this process. It returns os.ErrProcessDone if that process is gone.
func (id ID) Signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		if err == unix.ESRCH {
			return os.ErrProcessDone
		}
		return err
	}
	defer unix.Close(fd)
	// The descriptor is of whoever bears the pid now: compare after opening, and it cannot change any more.
	if !id.Alive() {
		return os.ErrProcessDone
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		if err == unix.ESRCH {
			return os.ErrProcessDone
		}
		return err
	}
	return nil
}

// Kill ends the whole tree by KILL: it first stops every member until no new one appears, so that nothing can fork away
// between two looks, then kills them, and waits until they have ended or ctx has. It returns who is left, in
// uninterruptible sleep most likely.
func (t Tree) Kill(ctx context.Context) ([]Process, error) {
	stopped := map[ID]bool{}
	for range killRounds {
		members, err := t.Members()
		if err != nil {
			return nil, err
		}
		fresh := false
		for _, p := range members {
			if !stopped[p.ID] {
				_ = p.Signal(unix.SIGSTOP) // gone meanwhile is as good
				stopped[p.ID], fresh = true, true
			}
		}
		if !fresh {
			break
		}
	}
	for {
		members, err := t.Members()
		if err != nil {
			return nil, err
		}
		// Also those seen before: a process that lost its parent to our KILL may belong to no rule any more.
		for id := range stopped {
			if id.Alive() {
				_ = id.Signal(unix.SIGKILL)
			} else {
				delete(stopped, id)
			}
		}
		for _, p := range members {
			_ = p.Signal(unix.SIGKILL)
			stopped[p.ID] = true
		}
		if len(stopped) == 0 {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return members, nil
		case <-time.After(killPause):
		}
	}
}

// Marked finds the session leaders that carry a mark in their environment, oldest first: the root of something begun by us
// whose pid was not written down. It reads every process's environment.
func Marked(entry string) ([]Process, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	var out []Process
	m := mark{entry: entry}
	for _, p := range all {
		if p.PID == p.Session && m.on(p) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Process) int { return cmp.Compare(a.Start, b.Start) })
	return out, nil
}
