// Package nstest runs a package's tests in network and mount namespaces of their own, so that tests of addresses and mounts
// touch nothing of the machine and leave nothing behind. It is imported by tests alone.
//
// The test binary calls Main from TestMain: the tests run in a child of the same binary in fresh namespaces: as root directly,
// otherwise in a user namespace if the kernel gives one. Where neither works, tests that call Need are skipped with the reason.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside tells the child that it is in its namespaces; its value says of which kind.
const inside = "PACELINE_TEST_NAMESPACE"

// Main runs the tests in fresh namespaces, or plainly where there can be none, and returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(inside) != "" {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare test namespaces:", err)
			return 1
		}
		return m.Run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	kind := "root"
	if os.Getuid() != 0 {
		kind = "user"
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.Env = append(os.Environ(), inside+"="+kind)
	runtime.LockOSThread() // the parent-death signal is of the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return m.Run() // no namespaces here: the tests that need them skip
	}
	if err := cmd.Wait(); err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() > 0 {
			return e.ExitCode()
		}
		return 1
	}
	return 0
}

// prepare keeps mounts from reaching the outside and brings up loopback.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// Need skips the test where it is not in namespaces of its own.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root or user namespaces: this test changes addresses and mounts, in namespaces of its own only")
	}
}

// NeedRoot skips the test where it is not in namespaces of its own with real root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getenv(inside) != "root" {
		t.Skip("needs root: this test uses devices of the machine, in namespaces of its own")
	}
}
