package ocf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"paceline/resources"
	"paceline/resources/cgroup"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

// Config says where agents are. The zero value is the usual place.
type Config struct {
	Root    string            // OCF_ROOT; empty: /usr/lib/ocf
	Scratch string            // HA_RSCTMP, where agents keep their state files; empty: /run/resource-agents. Made if missing.
	RunDir  string            // where running operations are noted, so that the next daemon waits for those of this one; empty: nowhere
	Env     map[string]string // further environment of all agents
	Tools   string            // folder of the tools that agents call (crm_attribute and the like), before all else in their PATH; empty: none
	Socket  string            // of the daemon, for these tools; empty: the usual one
	Cgroup  string            // a cgroup (version 2) that is ours to divide, so that no operation can hide from its time-out; empty: none
	Trace   string            // where the output of operations with the parameter trace_ra is kept; empty: nowhere
	Logger  *slog.Logger      // nil: none
}

// Runner runs the class "ocf".
type Runner struct {
	root, scratch string
	extra         map[string]string
	tools, socket string
	scripts       string // not empty: the runner is one of init scripts in that folder
	log           *slog.Logger
	notes         *notes
	groups        *cgroup.Parent
	traces        traces

	counter atomic.Uint64

	mu     sync.Mutex
	meta   map[string]cachedMeta  // by path
	asking map[string]*sync.Mutex // by path: held while an agent is asked for its meta-data, so that it is asked once
}

type cachedMeta struct {
	mod  time.Time
	size int64
	xml  []byte
}

// New makes a Runner. It marks all open files of this process as not to be inherited.
func New(c Config) *Runner {
	r := &Runner{root: c.Root, scratch: c.Scratch, extra: c.Env, tools: c.Tools, socket: c.Socket, log: c.Logger, meta: map[string]cachedMeta{}, asking: map[string]*sync.Mutex{}}
	if r.root == "" {
		r.root = "/usr/lib/ocf"
	}
	if r.scratch == "" {
		r.scratch = "/run/resource-agents"
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.notes, r.traces = newNotes(c.RunDir), traces{c.Trace}
	var err error
	if r.groups, err = cgroup.NewParent(c.Cgroup, "op"); err != nil {
		r.log.Warn("operations have no cgroups of their own", "cause", err)
	}
	procfs.Seal()
	return r
}

// path returns where an agent's executable is. Names that would leave the agents' folder are refused.
func (r *Runner) path(a resources.Agent) (string, error) {
	if r.scripts != "" {
		a.Provider = "init.d" // they have none
	}
	for _, part := range []string{a.Provider, a.Type} {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\x00") {
			return "", fmt.Errorf("%q is no name of an OCF agent", a.String())
		}
	}
	if r.scripts != "" {
		return filepath.Join(r.scripts, a.Type), nil
	}
	return filepath.Join(r.root, "resource.d", a.Provider, a.Type), nil
}

// Run runs one operation.
func (r *Runner) Run(ctx context.Context, req resources.Request) resources.Result {
	if err := r.notes.settle(ctx, req.Resource); err != nil {
		res := resources.Errorf(resources.GenericError, "%s did not begin: %v", req.Operation, err)
		res.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
		return res
	}
	o := &output{}
	if req.Operation == resources.MetaDataOp {
		o.keep = resources.MetaDataMax
	}
	o.traced = r.traces.wanted(req)
	began := time.Now()
	res := r.run(ctx, req, o)
	res = req.HideIn(res)
	res.Reason = mask(res.Reason, req.Params)
	res.Output = mask(res.Output, req.Params)
	res = res.Trim()
	if o.traced {
		if err := r.traces.keep(req, began, res, mask(string(o.trace), req.Params), o.traceCut); err != nil {
			r.log.Warn("an operation is not traced", "res", req.Resource, "op", req.Operation, "cause", err)
		}
	}
	if req.Operation == resources.MetaDataOp && res.Code == resources.OK {
		res.Output = string(o.whole)
	}
	return res
}

func (r *Runner) run(ctx context.Context, req resources.Request, o *output) resources.Result {
	path, err := r.path(req.Agent)
	if err != nil {
		return resources.Errorf(resources.NotInstalled, "%v", err)
	}
	word := req.Operation
	if r.scripts != "" {
		var ok bool
		if word, ok = scriptWords[req.Operation]; !ok {
			return resources.Errorf(resources.Unimplemented, "init scripts have no %s", req.Operation)
		}
	}
	if err := os.MkdirAll(r.scratch, 0o755); err != nil {
		r.log.Warn("make agents' state folder", "cause", err)
	}
	mark := fmt.Sprintf("PACELINE_OPERATION=%s/%s/%d.%d.%d", strings.ReplaceAll(req.Resource, "\x00", ""), req.Operation,
		os.Getpid(), r.counter.Add(1), time.Now().UnixNano())
	noted := r.notes.begin(req.Resource, req.Operation, mark)
	defer noted.forget()
	env := append(r.environment(req), mark)
	if o.traced {
		env = append(env, r.traces.environment()...)
	}
	group := r.groups.Make()
	defer r.groups.Release(group)
	attr := &syscall.SysProcAttr{Setsid: true} // a session is a process group, and no terminal
	group.Begin(attr)
	cmd, streams, err := start(ctx, exec.Cmd{
		Path:        path,
		Args:        []string{path, word},
		Env:         env,
		Dir:         "/",
		SysProcAttr: attr,
	})
	if err != nil {
		return cannotRun(req.Agent, path, err)
	}
	go streams[0].pump(o, false)
	go streams[1].pump(o, true)

	tree := procfs.Tree{Root: procfs.ID{PID: cmd.Process.Pid}, Mark: mark}
	if p, err := procfs.Stat(cmd.Process.Pid); err == nil { // our child: not reaped yet, so it has an entry
		tree.Root = p.ID
	}
	noted.began(tree.Root)

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		return r.timeOut(ctx, req, tree, group, streams, o, ended)
	}
	streams[0].stop(o, false)
	streams[1].stop(o, true)
	res := interpret(req, cmd.ProcessState, err, o, r.code)
	if r.scripts != "" {
		res.Reason = strings.ReplaceAll(res.Reason, "no OCF exit code", "no exit code of an init script")
	}
	return res
}

// start begins a command with pipes for its output. The command's ends of the pipes are closed here.
func start(ctx context.Context, what exec.Cmd) (cmd *exec.Cmd, s [2]*stream, err error) {
	for i := range s {
		if s[i], err = newStream(); err != nil {
			if i > 0 {
				s[0].read.Close()
				s[0].write.Close()
			}
			return nil, s, err
		}
	}
	for range busyRetries {
		fresh := what // a Cmd starts once
		cmd = &fresh
		cmd.Stdout, cmd.Stderr = s[0].write, s[1].write
		if err = cmd.Start(); !errors.Is(err, unix.ETXTBSY) || ctx.Err() != nil {
			break
		}
		time.Sleep(busyPause)
	}
	for i := range s {
		s[i].write.Close()
		if err != nil {
			s[i].read.Close()
		}
	}
	return cmd, s, err
}

// timeOut ends everything that the operation began, and says what it was doing.
func (r *Runner) timeOut(ctx context.Context, req resources.Request, tree procfs.Tree, group cgroup.Group, streams [2]*stream,
	o *output, ended <-chan error) resources.Result {
	doing := doing(tree)
	killCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killBudget)
	defer cancel()
	cgroup.Kill(group.Path())
	left, err := tree.Kill(killCtx)
	if err != nil {
		r.log.Error("kill a timed out operation", "res", req.Resource, "op", req.Operation, "cause", err)
	}
	select {
	case <-ended:
	case <-killCtx.Done(): // in uninterruptible sleep: the goroutine that waits will reap it some day
	}
	streams[0].stop(o, false)
	streams[1].stop(o, true)
	reason, last, tail := o.finish()
	timedOut := errors.Is(ctx.Err(), context.DeadlineExceeded)
	how := "was called off"
	if timedOut {
		how = "timed out"
		if req.Timeout > 0 {
			how += " after " + req.Timeout.String()
		}
	}
	res := resources.Errorf(resources.GenericError, "%s %s%s", req.Operation, how, doing)
	if len(left) > 0 {
		res.Reason += fmt.Sprintf("; process %d (%s) cannot be killed, it waits in the kernel", left[0].PID, left[0].Name)
	}
	if reason == "" {
		reason = last
	}
	if reason != "" {
		res.Reason += "; its last words: " + reason
	}
	res.Output, res.TimedOut = tail, timedOut
	return res
}

// doing describes the processes that do the work now.
func doing(tree procfs.Tree) string {
	members, err := tree.Members()
	if err != nil || len(members) == 0 {
		return ""
	}
	leaves := procfs.Leaves(members)
	p := leaves[len(leaves)-1]
	s := fmt.Sprintf(" while running %q (pid %d)", p.Command(commandMax), p.PID)
	if n := len(leaves) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// interpret makes the Result of an agent that has ended.
func interpret(req resources.Request, state *os.ProcessState, err error, o *output, meaning func(string, int) resources.ExitCode) resources.Result {
	reason, last, tail := o.finish()
	res := resources.Result{Reason: reason, Output: tail}
	if state == nil {
		res.Code, res.Reason = resources.GenericError, fmt.Sprintf("wait for the agent: %v", err)
		return res
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		res.Code = resources.GenericError
		res.Reason = fmt.Sprintf("agent was ended by signal %d (%s) in %s", int(ws.Signal()), unix.SignalName(ws.Signal()), req.Operation)
		if ws.Signal() == unix.SIGKILL {
			res.Reason += ", by somebody else or for lack of memory"
		}
		return res
	}
	code := meaning(req.Operation, state.ExitCode())
	res.Code = code
	switch {
	case code == resources.OK:
		res.Reason = ""
	case !code.Defined():
		res.Code = resources.GenericError
		res.Reason = fmt.Sprintf("agent exited with %d in %s, which is no OCF exit code", int(code), req.Operation)
		switch code {
		case 126:
			res.Reason += " (a shell's word for: a command cannot be executed)"
		case 127:
			res.Reason += " (a shell's word for: a command was not found)"
		}
		if reason == "" {
			reason = last
		}
		if reason != "" {
			res.Reason += ": " + reason
		}
	case reason == "" && code != resources.NotRunning:
		res.Reason = last
	}
	return res
}

// cannotRun makes the Result of an agent that could not be started.
func cannotRun(a resources.Agent, path string, err error) resources.Result {
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(statErr, os.ErrNotExist) || errors.Is(statErr, unix.ENOTDIR):
		return resources.Errorf(resources.NotInstalled, "agent %s is not installed: there is no %s", a, path)
	case statErr == nil && info.IsDir():
		return resources.Errorf(resources.NotInstalled, "agent %s is not installed: %s is a folder", a, path)
	case errors.Is(err, os.ErrNotExist):
		if line := interpreter(path); line != "" {
			return resources.Errorf(resources.NotInstalled, "agent %s cannot run: its interpreter %s is missing", a, line)
		}
		return resources.Errorf(resources.NotInstalled, "agent %s cannot run: the loader that %s needs is missing", a, path)
	case errors.Is(err, os.ErrPermission) && info != nil && mode(info)&0o111 == 0:
		// As good as not installed: nobody can run it here, and so nobody has started anything by it.
		return resources.Errorf(resources.NotInstalled, "agent %s cannot run: %s is not executable (mode %04o)", a, path, mode(info))
	case errors.Is(err, os.ErrPermission):
		return resources.Errorf(resources.InsufficientPriv, "agent %s cannot run: %s may not be executed by this user (mode %04o)", a, path, mode(info))
	case errors.Is(err, unix.ENOEXEC):
		return resources.Errorf(resources.NotInstalled, "agent %s cannot run: %s is no program for this machine and has no #! line", a, path)
	}
	return resources.Errorf(resources.GenericError, "agent %s cannot run: %v", a, err)
}

func mode(i os.FileInfo) os.FileMode {
	if i == nil {
		return 0
	}
	return i.Mode().Perm()
}

// interpreter returns the program of a script's #! line.
func interpreter(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := f.Read(b)
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return ""
	}
	return strconv.Quote(strings.TrimRight(words[0], "\r"))
}

// MetaData returns an agent's meta-data XML. It is kept as long as the executable does not change.
func (r *Runner) MetaData(ctx context.Context, a resources.Agent) ([]byte, error) {
	if r.scripts != "" {
		return r.scriptMetaData(a)
	}
	path, err := r.path(a)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.New(cannotRun(a, path, err).Reason)
	}
	r.mu.Lock()
	turn := r.asking[path]
	if turn == nil {
		turn = &sync.Mutex{}
		r.asking[path] = turn
	}
	r.mu.Unlock()
	turn.Lock()
	defer turn.Unlock()
	r.mu.Lock()
	c, ok := r.meta[path]
	r.mu.Unlock()
	if ok && c.mod.Equal(info.ModTime()) && c.size == info.Size() {
		return c.xml, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metaDataBudget)
	defer cancel()
	o := &output{keep: resources.MetaDataMax}
	res := r.run(ctx, resources.Request{Agent: a, Resource: "meta-data", Operation: resources.MetaDataOp, Timeout: metaDataBudget}, o)
	if res.Code != resources.OK {
		return nil, fmt.Errorf("meta-data of %s: exit code %d: %s", a, res.Code, res.Trim().Reason)
	}
	if o.cut {
		return nil, fmt.Errorf("meta-data of %s: longer than %d bytes", a, resources.MetaDataMax)
	}
	r.mu.Lock()
	r.meta[path] = cachedMeta{mod: info.ModTime(), size: info.Size(), xml: o.whole}
	r.mu.Unlock()
	return o.whole, nil
}

// Agents lists the executables below the agents' folder.
func (r *Runner) Agents(context.Context) ([]resources.Agent, error) {
	pattern := filepath.Join(r.root, "resource.d", "*", "*")
	if r.scripts != "" {
		pattern = filepath.Join(r.scripts, "*")
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("list OCF agents: %w", err)
	}
	slices.Sort(paths)
	var out []resources.Agent
	for _, p := range paths {
		base := filepath.Base(p)
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 || strings.HasPrefix(base, ".") {
			continue
		}
		a := resources.Agent{Class: "ocf", Provider: filepath.Base(filepath.Dir(p)), Type: base}
		if r.scripts != "" {
			a = resources.Agent{Class: "lsb", Type: base}
		}
		out = append(out, a)
	}
	return out, nil
}
