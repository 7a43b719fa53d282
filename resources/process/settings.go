package process

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "process"}

var meta = resources.MetaData{
	Name: "process", AgentVersion: "1.0",
	ShortDesc: "Runs a command under the cluster's own supervision",
	LongDesc: "Starts a command in a session of its own and watches it. The command must stay in the foreground. " +
		"It outlives a restart of the cluster manager, and its end is seen at once.",
	Parameters: []resources.Parameter{
		{Name: "command", Required: true, ShortDesc: "Program to run: a path, or a name to be found in the usual folders"},
		{Name: "args", ShortDesc: "Its arguments, quoted as for a shell; nothing is expanded"},
		{Name: "user", ShortDesc: "User to run as, by name or number"},
		{Name: "group", ShortDesc: "Group to run as, by name or number; the user's own if not set"},
		{Name: "directory", Default: "/", ShortDesc: "Working directory"},
		{Name: "env", ShortDesc: "Environment: NAME=value words, quoted as for a shell"},
		{Name: "limits", ShortDesc: "Limits: nofile=65536 core=0:unlimited, of as, core, cpu, data, fsize, memlock, nofile, nproc and stack; soft and hard, or both in one"},
		{Name: "stop_signal", Default: "TERM", ShortDesc: "Signal that asks the command to end"},
		{
			Name: "kill_mode", Type: "select", Default: "group", Values: []string{"group", "mixed"},
			ShortDesc: "Whom stop_signal is sent to: group is all processes, mixed the main one; KILL always goes to all",
		},
		{Name: "kill_after", Type: "time", ShortDesc: "When to send KILL; by default when a fifth of the stop's time-out is left"},
		{Name: "log_file", ShortDesc: "File that gets its output; none: it is thrown away"},
		{Name: "ready_tcp", ShortDesc: "host:port that must take a connection before the start counts as done"},
		{Name: "ready_http", ShortDesc: "URL that must be answered with a status below 400 before the start counts as done"},
		{Name: "ready_notify", Type: "boolean", Default: "no", ShortDesc: "The start counts as done when the command says READY=1 to its NOTIFY_SOCKET, as services of systemd do"},
		{Name: "ready_file", ShortDesc: "File that must exist before the start counts as done; it is removed before the start"},
		{Name: "pidfile", ShortDesc: "File to write the process id to, for others to read"},
		{Name: "state", ShortDesc: "File in which the agent remembers the process; must not survive a reboot"},
	},
	Actions: []resources.Action{
		{Name: resources.Start, Timeout: 20 * time.Second},
		{Name: resources.Stop, Timeout: 20 * time.Second},
		{Name: resources.Monitor, Timeout: 10 * time.Second, Interval: 10 * time.Second},
		{Name: resources.ValidateAll, Timeout: 5 * time.Second},
		{Name: resources.MetaDataOp, Timeout: 5 * time.Second},
	},
}

// settings are a request's parameters, read.
type settings struct {
	path      string // absolute
	args, env []string
	userName  string
	home      string
	cred      *syscall.Credential // nil: as we are
	dir       string
	signal    unix.Signal
	mixed     bool
	killAfter time.Duration // 0: by the budget
	logFile   string
	limits    []rlimit
	// At most one of these is set.
	readyTCP, readyHTTP, readyFile string
	readyNotify                    bool
	pidfile                        string
}

// lookup finds commands, by the same path that OCF agents get.
var lookup = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// read makes settings of a request. A fault of this node (no such command, user, folder) has another code than a fault of the
// configuration, since the resource may run elsewhere.
func read(req resources.Request) (settings, resources.Result) {
	v := resources.NewValues(&meta, req.Params)
	s := settings{
		dir: v.String("directory"), logFile: v.String("log_file"), readyTCP: v.String("ready_tcp"),
		readyHTTP: v.String("ready_http"), readyNotify: v.Bool("ready_notify"),
		readyFile: v.String("ready_file"), pidfile: v.String("pidfile"), userName: v.String("user"), home: "/",
		mixed: v.Select("kill_mode") == "mixed", killAfter: v.Duration("kill_after"),
	}
	var err error
	if s.args, err = split(v.String("args")); err != nil {
		v.Failf("args", "%v", err)
	}
	if s.env, err = split(v.String("env")); err != nil {
		v.Failf("env", "%v", err)
	}
	for _, e := range s.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			v.Failf("env", "%q is not NAME=value", e)
		}
	}
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(v.String("stop_signal")), "SIG")
	if s.signal = unix.SignalNum(name); s.signal == 0 {
		v.Failf("stop_signal", "%q is no signal", v.String("stop_signal"))
	}
	if s.readyTCP != "" {
		if _, port, err := net.SplitHostPort(s.readyTCP); err != nil || port == "" {
			v.Failf("ready_tcp", "%q is not host:port", s.readyTCP)
		}
	}
	if s.limits, err = parseLimits(v.String("limits")); err != nil {
		v.Failf("limits", "%v", err)
	}
	if s.readyHTTP != "" {
		if u, err := url.Parse(s.readyHTTP); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			v.Failf("ready_http", "%q is no URL of http or https", s.readyHTTP)
		}
	}
	ways := 0
	for _, given := range []bool{s.readyTCP != "", s.readyHTTP != "", s.readyFile != "", s.readyNotify} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		v.Failf("ready_notify", "of ready_tcp, ready_http, ready_file and ready_notify only one can say when the command is ready")
	}
	for _, p := range []string{"directory", "log_file", "ready_file", "pidfile"} {
		if f := v.String(p); f != "" && !filepath.IsAbs(f) {
			v.Failf(p, "%q is not an absolute path", f)
		}
	}
	command := v.String("command")
	if v.Err() != nil {
		return s, resources.Errorf(resources.NotConfigured, "%v", v.Err())
	}
	if s.path, err = find(command); err != nil {
		code := resources.NotInstalled
		if os.IsPermission(err) {
			code = resources.InsufficientPriv
		}
		return s, resources.Errorf(code, "command %s: %v", command, err)
	}
	if info, err := os.Stat(s.dir); err != nil || !info.IsDir() {
		return s, resources.Errorf(resources.InvalidArgument, "directory %s is no folder on this node", s.dir)
	}
	if err := s.identity(s.userName, v.String("group")); err != nil {
		return s, resources.Errorf(resources.InvalidArgument, "%v", err)
	}
	return s, resources.Result{}
}

func find(command string) (string, error) {
	if strings.Contains(command, "/") {
		if !filepath.IsAbs(command) {
			return "", fmt.Errorf("is not an absolute path: %w", os.ErrNotExist)
		}
		if err := executable(command); err != nil {
			return "", err
		}
		return command, nil
	}
	for _, dir := range lookup {
		if p := filepath.Join(dir, command); executable(p) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("not found in %s: %w", strings.Join(lookup, ":"), exec.ErrNotFound)
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("there is no %s: %w", path, os.ErrNotExist)
	case info.IsDir():
		return fmt.Errorf("%s is a folder: %w", path, os.ErrNotExist)
	case info.Mode().Perm()&0o111 == 0:
		return &os.PathError{Op: "execute", Path: path, Err: os.ErrPermission}
	}
	return nil
}

// identity finds the user and groups to run as.
func (s *settings) identity(userName, groupName string) error {
	if userName == "" && groupName == "" {
		return nil
	}
	s.cred = &syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	if userName != "" {
		u, err := user.Lookup(userName)
		if err != nil {
			if u, err = user.LookupId(userName); err != nil {
				return fmt.Errorf("user %q is not known on this node", userName)
			}
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		s.cred.Uid, s.cred.Gid = uint32(uid), uint32(gid)
		s.userName, s.home = u.Username, u.HomeDir
		groups, _ := u.GroupIds() // only its own group if the list cannot be read
		for _, g := range groups {
			if n, err := strconv.ParseUint(g, 10, 32); err == nil {
				s.cred.Groups = append(s.cred.Groups, uint32(n))
			}
		}
	}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			if g, err = user.LookupGroupId(groupName); err != nil {
				return fmt.Errorf("group %q is not known on this node", groupName)
			}
		}
		gid, _ := strconv.ParseUint(g.Gid, 10, 32)
		s.cred.Gid = uint32(gid)
	}
	if os.Geteuid() != 0 && (s.cred.Uid != uint32(os.Geteuid()) || s.cred.Gid != uint32(os.Getegid())) {
		return fmt.Errorf("running as user %q and group %q needs root", userName, groupName)
	}
	if os.Geteuid() != 0 {
		s.cred = nil
	}
	return nil
}

// environment is what the command gets: little, and nothing of the daemon's.
func (s *settings) environment(mark string) []string {
	env := []string{"PATH=" + strings.Join(lookup, ":"), "HOME=" + s.home, "LANG=C.UTF-8"}
	if s.userName != "" {
		env = append(env, "USER="+s.userName, "LOGNAME="+s.userName)
	}
	return append(append(env, s.env...), mark)
}
