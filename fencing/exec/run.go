package exec

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"paceline/fencing"
)

// outcome is how an agent ended.
type outcome struct {
	code           int
	stdout, stderr []byte
	cut            bool  // there was more on stdout than is kept
	err            error // it could not be run, or not to its end
}

// marker is the environment variable by which what an agent began is recognised, wherever it went.
const marker = "PACELINE_FENCE_RUN"

// run runs a program to its end, or until ctx ends. Nothing that it began is left when run returns.
func run(ctx context.Context, file string, args []string, input []byte, keep int) outcome {
	mark := marker + "=" + rand.Text()
	stdout, stderr := &tail{keep: keep}, &tail{keep: outputMax}
	cmd := osexec.CommandContext(ctx, file, args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = append(environment(), mark)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeWait
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return outcome{err: err}
	}
	err := cmd.Wait()
	reap(cmd.Process.Pid, mark)
	out := outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.bytes(), stderr: stderr.bytes(), cut: stdout.dropped}
	switch exit, ended := errors.AsType[*osexec.ExitError](err); {
	case ctx.Err() != nil:
		out.err = fmt.Errorf("not done in time: %w", ctx.Err())
	case err == nil, errors.Is(err, osexec.ErrWaitDelay): // something it began held its output open
	case ended && exit.Exited():
	case ended:
		out.err = fmt.Errorf("the agent was ended by %s", exit)
	default:
		out.err = err
	}
	return out
}

// environment is the daemon's own without what is between it and systemd.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LC_ALL", marker:
		default:
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C.UTF-8")
}

// reap ends what is left of a run: members of its process group, and those that carry its mark.
func reap(group int, mark string) {
	for range reapRounds {
		syscall.Kill(-group, syscall.SIGKILL)
		if left := kill(mark); left == 0 {
			return
		}
		time.Sleep(reapPause)
	}
}

// kill ends the processes whose environment holds the mark, and returns how many there were.
func kill(mark string) int {
	dir, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1) // names only: looking at each entry would cost as much again
	if err != nil {
		return 0
	}
	found := 0
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() || !marked(name, mark) {
			continue
		}
		// The descriptor holds on to the process, so that a second look shows whether it is still that one.
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if marked(name, mark) {
			found++
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
	return found
}

// marked says whether a process's environment holds the mark. Zombies have none.
func marked(pid, mark string) bool {
	env, err := os.ReadFile("/proc/" + pid + "/environ")
	return err == nil && bytes.Contains(env, []byte(mark))
}

// tail keeps the end of what is written to it.
type tail struct {
	keep    int
	buf     []byte
	dropped bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.keep {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.keep:]...)
		t.dropped = true
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	if len(t.buf) > t.keep {
		t.dropped = true
		return t.buf[len(t.buf)-t.keep:]
	}
	return t.buf
}

// reason returns the last lines of what the agent said on stderr, or else on stdout, without secrets.
func (o outcome) reason(dev fencing.Device, before string) string {
	for _, out := range [][]byte{o.stderr, o.stdout} {
		var lines []string
		for line := range bytes.Lines(out) {
			text := strings.TrimSpace(strings.ToValidUTF8(string(line), ""))
			if text != "" && (len(lines) == 0 || lines[len(lines)-1] != text) {
				lines = append(lines, text)
			}
		}
		if len(lines) == 0 {
			continue
		}
		text := scrub(strings.Join(lines[max(0, len(lines)-reasonLines):], " / "), dev)
		if len(text) > reasonMax {
			text = "..." + strings.ToValidUTF8(text[len(text)-reasonMax:], "")
		}
		return before + text
	}
	return ""
}

// secretWords are in the names of parameters whose values are never told.
var secretWords = []string{"pass", "secret", "token", "key", "community", "credential"}

func scrub(text string, dev fencing.Device) string {
	for name, value := range dev.Params {
		lower := strings.ToLower(name)
		for _, w := range secretWords {
			if strings.Contains(lower, w) && len(value) > 2 {
				text = strings.ReplaceAll(text, value, "****")
				break
			}
		}
	}
	return text
}
