package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// state is what has to be known to clear up after a lab whose process died: it is written before anything is made.
// Everything else (namespaces, mounts, interfaces) is nameless and goes with the last process of the cgroup.
type state struct {
	PID    int    `json:"pid"`
	Start  string `json:"start"` // of the process, as the kernel counts: a PID alone may be somebody else's by now
	Cgroup string `json:"cgroup,omitempty"`
	Keep   bool   `json:"keep,omitempty"`
}

const stateFile = "lab.json"

func writeState(dir string, s state) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stateFile), append(b, '\n'), 0o644)
}

func readState(dir string) (state, error) {
	var s state
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", filepath.Join(dir, stateFile), err)
	}
	return s, nil
}

func removeState(dir string) error {
	err := os.Remove(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// processStart returns the start time of a process in clock ticks since boot, or "" when there is no such process.
func processStart(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the command in parentheses, and may hold anything; the 22nd is the start time.
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 20 {
		return ""
	}
	return f[19]
}

func (s state) alive() bool { return s.PID > 0 && s.Start != "" && processStart(s.PID) == s.Start }

// Sweep removes what a lab of the name left behind that is no more. It returns an error, and touches nothing, when
// the lab lives. Nothing left is no error.
func Sweep(dir, name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("lab name %q is not one", name)
	}
	place := filepath.Join(dir, name)
	s, err := readState(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.alive() {
		return fmt.Errorf("lab %s is up already (process %d); another name makes another lab", name, s.PID)
	}
	return sweep(place, s)
}

// sweep clears up after the lab in dir, whose process is gone.
func sweep(dir string, s state) error {
	if s.Cgroup != "" {
		if !strings.HasPrefix(filepath.Base(s.Cgroup), "paceline-lab-") {
			return fmt.Errorf("state of the lab in %s names a cgroup that no lab makes: %s", dir, s.Cgroup)
		}
		if err := (cgroup{s.Cgroup}).remove(); err != nil {
			return err
		}
	}
	if s.Keep {
		return removeState(dir)
	}
	return os.RemoveAll(dir)
}

// warden is a process of its own that outlives the lab's: at the end of the pipe whose other end only the lab holds
// it removes what is left.
type warden struct {
	cmd  *exec.Cmd
	pipe *os.File
}

func startWarden(dir string) (*warden, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd, err := self("warden", dir)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends the lab's session or group does not end it
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the warden: %w", err), w.Close())
	}
	return &warden{cmd, w}, nil
}

// dismiss ends the warden; the lab has cleared up by itself.
func (w *warden) dismiss() error {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	return w.pipe.Close()
}

// runWarden is the warden's life.
func runWarden(args []string) error {
	if len(args) != 1 {
		return errors.New("warden: want the lab's directory")
	}
	pipe := os.NewFile(3, "lab")
	buf := make([]byte, 1)
	for {
		if _, err := pipe.Read(buf); err != nil {
			break
		}
	}
	s, err := readState(args[0])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return sweep(args[0], s)
}
