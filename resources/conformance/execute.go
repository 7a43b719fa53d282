package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paceline/resources"
)

// Config is what to check.
type Config struct {
	Path    string            // of the agent
	Params  map[string]string // with which it can be started on this machine
	Name    string            // of the resource; empty: "ra-test"
	OCFRoot string            // empty: /usr/lib/ocf
	Timeout time.Duration     // of each operation; 0: as the agent advises
}

// answer is how one operation ended.
type answer struct {
	code     resources.ExitCode
	out, err string
	took     time.Duration
	timedOut bool
	held     bool // a process that goes on holds the output open
	fault    error
}

// reason is the agent's exit reason.
func (a answer) reason() string {
	for line := range strings.Lines(a.err) {
		if r, ok := strings.CutPrefix(strings.TrimSpace(line), "ocf-exit-reason:"); ok {
			return r
		}
	}
	return ""
}

// String says how it ended in words.
func (a answer) String() string {
	switch {
	case a.fault != nil:
		return a.fault.Error()
	case a.timedOut:
		return fmt.Sprintf("it did not end within %v", a.took.Round(time.Millisecond))
	}
	s := fmt.Sprintf("it ended with %d (%s)", int(a.code), a.code)
	if r := a.reason(); r != "" {
		return s + ": " + r
	}
	if lines := strings.Split(strings.TrimSpace(a.err), "\n"); lines[len(lines)-1] != "" {
		return s + ": " + resources.CleanText(lines[len(lines)-1], resources.ReasonMax, false)
	}
	return s
}

// call is one operation to run.
type call struct {
	args     []string
	params   map[string]string
	interval time.Duration
	budget   time.Duration
	killAt   time.Duration // kill it then, 0: at the end of the budget
	nobody   bool          // not as root
}

// run runs an operation in a session of its own.
func (t *tester) run(ctx context.Context, c call) answer {
	limit := c.budget
	if c.killAt > 0 {
		limit = c.killAt
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.cfg.Path, c.args...)
	cmd.Dir, cmd.Env = "/", t.environment(c)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.nobody {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = closeGrace
	var out, err bounded
	cmd.Stdout, cmd.Stderr = &out, &err
	began := time.Now()
	fault := cmd.Run()
	a := answer{took: time.Since(began), out: out.String(), err: err.String(), timedOut: ctx.Err() != nil}
	a.held = errors.Is(fault, exec.ErrWaitDelay)
	if cmd.ProcessState == nil {
		a.code, a.fault = resources.Unknown, fault
	} else if a.code = resources.ExitCode(cmd.ProcessState.ExitCode()); a.code < 0 {
		a.code = resources.Unknown
		if !a.timedOut {
			a.fault = fmt.Errorf("it was ended by a signal (%v)", cmd.ProcessState)
		}
	}
	return a
}

func (t *tester) environment(c call) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "HA_LOGFACILITY=none", "HA_LOGTAG=ra-test",
		"OCF_ROOT=" + t.cfg.OCFRoot, "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1", "OCF_RESOURCE_TYPE=" + filepath.Base(t.cfg.Path),
		"OCF_RESOURCE_PROVIDER=test", "OCF_RESOURCE_INSTANCE=" + t.cfg.Name, "OCF_RESKEY_crm_feature_set=3.15.0",
		"OCF_RESKEY_CRM_meta_on_node=" + t.node, fmt.Sprintf("OCF_RESKEY_CRM_meta_timeout=%d", c.budget.Milliseconds()),
		fmt.Sprintf("OCF_RESKEY_CRM_meta_interval=%d", c.interval.Milliseconds()), t.mark,
	}
	if len(c.args) > 0 {
		env = append(env, "OCF_RESKEY_CRM_meta_name="+c.args[0])
	}
	if t.promotable() {
		env = append(env, "OCF_RESKEY_CRM_meta_promotable=true", "OCF_RESKEY_CRM_meta_clone=0", "OCF_RESKEY_CRM_meta_clone_max=1",
			"OCF_RESKEY_CRM_meta_promoted_max=1", "OCF_RESKEY_CRM_meta_notify=true")
	}
	for _, name := range []string{"PACELINE_STATE_DIR", "PACELINE_SOCKET", "HA_RSCTMP", "HA_SBIN_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for k, v := range c.params {
		env = append(env, "OCF_RESKEY_"+k+"="+v)
	}
	return env
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:max(0, min(len(p), outputMax-b.Len()))])
	return len(p), nil
}
