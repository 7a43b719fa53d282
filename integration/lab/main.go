package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// roleEnv tells a copy of the program which part of a lab it plays.
const roleEnv = "PACELINE_LAB_ROLE"

// userEnv holds the real user's ID in a process that Enter has started again inside a user namespace.
const userEnv = "PACELINE_LAB_USER"

// roles are the parts that a program which uses the lab plays when it is started again.
var roles = map[string]func(args []string) error{
	"outer":  runOuter,
	"init":   runInit,
	"warden": runWarden,
}

var mainCalled bool

// Main is to be called first in a program (or TestMain) that uses the lab. In a copy of the program that was started as
// a part of a lab it plays that part and does not return.
func Main() {
	mainCalled = true
	role := os.Getenv(roleEnv)
	if role == "" {
		return
	}
	play, ok := roles[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "lab: no role %q\n", role)
		os.Exit(1)
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "lab %s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// self is a command that starts this program again in a role.
func self(role string, args ...string) (*exec.Cmd, error) {
	if !mainCalled {
		return nil, errors.New("lab.Main was not called first in this program")
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "paceline-lab-" + role
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// InUserNamespace reports whether Enter has put the program into a user namespace of its own.
func InUserNamespace() bool { return os.Getenv(userEnv) != "" }

func realUID() int {
	if id, err := strconv.Atoi(os.Getenv(userEnv)); err == nil {
		return id
	}
	return os.Getuid()
}

// Means says, for people, by which rights the lab works.
func Means() string {
	if InUserNamespace() {
		return "an unprivileged user namespace (no cgroups: nodes cannot be paused)"
	}
	return "root"
}

// Usable returns nil when labs can be made, or why not.
func Usable() error {
	if runtime.GOOS != "linux" {
		return errors.New("needs Linux: nodes are Linux namespaces")
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root, or an unprivileged user namespace: " + whyNoUserNamespace())
	}
	return nil
}

// whyNoUserNamespace finds words for a refusal that the kernel gives as a bare error.
func whyNoUserNamespace() string {
	for file, off := range map[string]string{
		"/proc/sys/user/max_user_namespaces":                     "0",
		"/proc/sys/kernel/unprivileged_userns_clone":             "0",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		if b, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(b)) == off {
			return "this kernel does not give those to ordinary users (" + file + " is " + off + ")"
		}
	}
	return "the program has not entered one, or the kernel refused it"
}

// Enter, called after Main by a program without root's rights, starts it again as root of a user namespace and ends
// with its status. It returns when nothing is to be done, or when it cannot be done (Usable then says so). The program
// keeps its standard files, and those given as descriptors 3 and up.
func Enter(files ...*os.File) {
	if os.Geteuid() == 0 || InUserNamespace() {
		return
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Env = append(os.Environ(), userEnv+"="+strconv.Itoa(os.Getuid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, files
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return
	}
	for _, f := range files {
		_ = f.Close() // theirs alone now: whoever reads the other end waits for its last writer
	}
	_ = cmd.Wait()
	os.Exit(cmd.ProcessState.ExitCode())
}
