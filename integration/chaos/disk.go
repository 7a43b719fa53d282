package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// faultyDisk makes the system calls with which a daemon writes to its disk fail or take their time: the kernel's tracing hook
// answers in the disk's place, so that the daemon is the one that is shipped.
func (r *run) faultyDisk(f Fault, node string) (func(context.Context) error, string, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, "", errSkip{"faults of disks need strace (Debian: apt-get install strace)"}
	}
	pid := r.c.Node(node).ServicePID(daemon)
	if pid == 0 {
		return nil, "its daemon does not run", nil
	}
	args := []string{"-f", "-q", "-o", "/dev/null", "-p", strconv.Itoa(pid)}
	switch f.Kind {
	case DiskSlow:
		args = append(args, "-e", "trace=fsync,fdatasync", "-e", fmt.Sprintf("inject=fsync,fdatasync:delay_enter=%d", f.Level*1000))
	case DiskError:
		args = append(args, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
	case DiskFull:
		// The journal is left out: of a stop that ran without its line nobody could say later when it was.
		args = append(args, "-P", "/var/lib/paceline/raft.db", "-e", "trace=pwrite64,ftruncate", "-e", "inject=pwrite64,ftruncate:error=ENOSPC")
	}
	cmd := exec.Command(strace, args...)
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("trace the daemon: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func(context.Context) error {
		// It detaches at a signal; one that does not is ended, which detaches it too.
		_ = cmd.Process.Signal(unix.SIGINT)
		t := time.AfterFunc(2*time.Second, func() { _ = cmd.Process.Kill() })
		defer t.Stop()
		err := <-ended
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil // by our signal, or because the daemon is no more
		}
		return err
	}, "", nil
}
