package process

import (
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rlimit is one limit that the command gets.
type rlimit struct {
	name     string
	resource int
	value    unix.Rlimit
}

// rlimits are the names of the limits, as ulimit's manual and limits.conf(5) have them.
var rlimits = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"memlock": unix.RLIMIT_MEMLOCK, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "stack": unix.RLIMIT_STACK,
}

// parseLimits reads "nofile=65536 core=0:unlimited": a value, or a soft and a hard one.
func parseLimits(text string) ([]rlimit, error) {
	var out []rlimit
	for word := range strings.FieldsSeq(text) {
		name, values, ok := strings.Cut(word, "=")
		resource, known := rlimits[name]
		if !ok || !known {
			return nil, fmt.Errorf("%q is no limit: name=value or name=soft:hard, of as, core, cpu, data, fsize, memlock, nofile, nproc and stack", word)
		}
		soft, hard, two := strings.Cut(values, ":")
		if !two {
			hard = soft
		}
		l := rlimit{name: name, resource: resource}
		for _, v := range []struct {
			text string
			to   *uint64
		}{{soft, &l.value.Cur}, {hard, &l.value.Max}} {
			if v.text == "unlimited" {
				*v.to = math.MaxUint64
				continue
			}
			n, err := strconv.ParseUint(v.text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %q is no amount, and not unlimited", word, v.text)
			}
			*v.to = n
		}
		if l.value.Cur > l.value.Max {
			return nil, fmt.Errorf("%q: the first value is larger than the second, which bounds it", word)
		}
		out = append(out, l)
	}
	return out, nil
}

// startLimited starts a command with limits. They are set while it stands still before its first instruction: we could not take them on
// ourselves for its sake, and it may have lost the right to raise them.
func startLimited(cmd *exec.Cmd, limits []rlimit) error {
	if len(limits) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread() // who traces a process is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	fail := func(format string, args ...any) error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf(format, args...)
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			return fail("wait for the command to stand still: %v", err)
		}
		break
	}
	for _, l := range limits {
		if err := unix.Prlimit(pid, l.resource, &l.value, nil); err != nil {
			return fail("set limit %s to %d:%d: %w", l.name, int64(l.value.Cur), int64(l.value.Max), err)
		}
	}
	if err := unix.PtraceDetach(pid); err != nil {
		return fail("let the command go: %w", err)
	}
	return nil
}
