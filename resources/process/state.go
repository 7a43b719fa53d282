package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"paceline/resources/cgroup"
	"paceline/resources/procfs"
)

// state is what is remembered of a command. It is written before the fork without the process, and again after it: a daemon
// that dies between the two leaves a mark to look for.
type state struct {
	procfs.ID        // pid 0: about to begin
	Boot      string `json:"boot"` // of the kernel: pids and start times begin anew with it
	Mark      string `json:"mark"` // in the environment of all that the command begins; of this start alone
	Command   string `json:"command"`
	Cgroup    string `json:"cgroup,omitempty"` // in which it began; empty: it has none of its own
}

// tree is everything that the command began.
func (s state) tree() procfs.Tree {
	return procfs.Tree{Root: s.ID, Mark: s.Mark, Also: func() ([]int, error) { return cgroup.Members(s.Cgroup) }}
}

// release removes the cgroup of a command that has ended. A zombie may keep it for a moment; then it goes with a later one.
func (s state) release() {
	if s.Cgroup != "" {
		_ = cgroup.Remove(s.Cgroup)
	}
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// load reads a state file. No file, a torn one and one of an earlier boot all mean: nothing is remembered.
func load(path string) (state, bool) {
	b, err := os.ReadFile(path)
	var s state
	if err != nil || json.Unmarshal(b, &s) != nil || s.Mark == "" || s.Boot != bootID() {
		return state{}, false
	}
	return s, true
}

func (s state) save(path string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("remember process %d: %w", s.PID, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("remember process %d: %w", s.PID, err)
	}
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return fmt.Errorf("remember process %d: %w", s.PID, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("remember process %d: %w", s.PID, err)
	}
	return nil
}

func forget(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget a process: %w", err)
	}
	return nil
}
