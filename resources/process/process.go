package process

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"paceline/resources"
	"paceline/resources/cgroup"
	"paceline/resources/native"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

// Config says where the agent keeps its state.
type Config struct {
	RunDir string       // emptied by a reboot; empty: /run/paceline
	Cgroup string       // a cgroup (version 2) that is ours to divide, so that nothing of a command can hide from stop; empty: none
	Logger *slog.Logger // nil: none
}

// Runner is the agent.
type Runner struct {
	*native.Agent
	dir    string
	log    *slog.Logger
	groups *cgroup.Parent

	mu      sync.Mutex
	exits   map[procfs.ID]string     // how our own children ended, in words
	started map[string]chan struct{} // by state file; closed by the next start
}

// New makes the agent. It marks all open files of this process as not to be inherited.
func New(c Config) *Runner {
	if c.RunDir == "" {
		c.RunDir = "/run/paceline"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	procfs.Seal()
	r := &Runner{
		dir: filepath.Join(c.RunDir, "process"), log: c.Logger,
		exits: map[procfs.ID]string{}, started: map[string]chan struct{}{},
	}
	var err error
	if r.groups, err = cgroup.NewParent(c.Cgroup, "process"); err != nil {
		r.log.Warn("commands have no cgroups of their own", "cause", err)
	}
	r.Agent = &native.Agent{
		Meta: meta,
		Operations: map[string]native.Operation{
			resources.Start: r.start, resources.Stop: r.stop, resources.Monitor: r.monitor,
		},
		Validate: func(_ context.Context, req resources.Request) resources.Result {
			_, res := read(req)
			return res
		},
	}
	return r
}

// file is where a resource's process is remembered.
func (r *Runner) file(req resources.Request) string {
	if f := req.Params["state"]; f != "" {
		return f
	}
	return filepath.Join(r.dir, url.PathEscape(req.Resource)+".json")
}

// running finds the command. known says whether one was remembered, alive or not.
func (r *Runner) running(req resources.Request) (s state, known, alive bool, err error) {
	s, known = load(r.file(req))
	if !known || s.PID != 0 {
		return s, known, known && s.Alive(), nil
	}
	found, err := procfs.Marked(s.Mark)
	if err != nil || len(found) == 0 {
		return s, known, false, err
	}
	s.ID = found[0].ID
	return s, true, true, s.save(r.file(req))
}

func (r *Runner) monitor(_ context.Context, req resources.Request) resources.Result {
	s, known, alive, err := r.running(req)
	switch {
	case err != nil:
		return resources.Errorf(resources.GenericError, "%v", err)
	case alive:
		return resources.Result{}
	case known && s.PID != 0:
		return resources.Errorf(resources.NotRunning, "%s", r.ended(s.ID))
	}
	return resources.Result{Code: resources.NotRunning}
}

// ended says in words that and how a process ended.
func (r *Runner) ended(id procfs.ID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if how := r.exits[id]; how != "" {
		return fmt.Sprintf("process %d has ended: %s", id.PID, how)
	}
	return fmt.Sprintf("process %d has ended", id.PID)
}

func (r *Runner) start(ctx context.Context, req resources.Request) resources.Result {
	for _, name := range []string{"command", "args"} {
		if req.IsSecret(name) {
			return resources.Errorf(resources.NotConfigured, "parameter %s: a secret would be in the list of processes: give it by env or in a file", name)
		}
	}
	s, res := read(req)
	if res.Code != resources.OK {
		return res
	}
	old, known, alive, err := r.running(req)
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	if alive {
		return r.ready(ctx, s, old.ID, nil)
	}
	if known {
		// Children of a crashed command may hold its port or its files.
		native.Doing(ctx, "ending what process %d left behind", old.PID)
		if _, err := old.tree().Kill(ctx); err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		old.release()
		r.forgetExit(old.ID)
	}
	if s.readyFile != "" {
		if err := forget(s.readyFile); err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
	}
	var told *notifications
	if s.readyNotify {
		// By a short name, for those of sockets are: that of the resource may be long.
		h := fnv.New64a()
		h.Write([]byte(r.file(req)))
		if told, err = listenNotify(filepath.Join(r.dir, fmt.Sprintf("%x.notify", h.Sum64()))); err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		defer told.close()
		s.env = append(s.env, "NOTIFY_SOCKET="+told.path)
	}
	id, err := r.spawn(req, s)
	if err != nil {
		return resources.Errorf(resources.GenericError, "start %s: %v", s.path, err)
	}
	res = r.ready(ctx, s, id, told)
	if res.Code != resources.OK && !id.Alive() {
		res.Output = tail(s.logFile)
		if i := strings.LastIndexByte(strings.TrimSpace(res.Output), '\n'); s.logFile != "" && res.Output != "" {
			res.Reason += "; last line of its log: " + strings.TrimSpace(res.Output)[i+1:]
		}
	}
	return res
}

// spawn begins the command and remembers it.
func (r *Runner) spawn(req resources.Request, s settings) (procfs.ID, error) {
	group := r.groups.Make()
	defer r.groups.Release(group)
	st := state{Boot: bootID(), Command: s.path, Cgroup: group.Path(), Mark: fmt.Sprintf("PACELINE_PROCESS=%s#%d", r.file(req), time.Now().UnixNano())}
	if err := st.save(r.file(req)); err != nil {
		return procfs.ID{}, err
	}
	cmd := &exec.Cmd{
		Path: s.path, Args: append([]string{s.path}, s.args...), Dir: s.dir, Env: s.environment(st.Mark),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Credential: s.cred},
	}
	group.Begin(cmd.SysProcAttr)
	if s.logFile != "" {
		f, err := os.OpenFile(s.logFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			return procfs.ID{}, fmt.Errorf("open its log: %w", err)
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
	}
	if err := startLimited(cmd, s.limits); err != nil {
		return procfs.ID{}, err
	}
	p, err := procfs.Stat(cmd.Process.Pid) // our child and not reaped: it is there
	if err == nil {
		st.ID = p.ID
		err = st.save(r.file(req))
	}
	if err == nil && s.pidfile != "" {
		err = os.WriteFile(s.pidfile, []byte(strconv.Itoa(p.PID)+"\n"), 0o644)
	}
	if err != nil {
		// What cannot be remembered must not run: a later start would not find it.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return procfs.ID{}, err
	}
	// This goroutine is the child's reaper. It ends with the child or the daemon, whichever is first.
	go func() {
		err := cmd.Wait()
		how := cmd.ProcessState.String()
		if cmd.ProcessState == nil {
			how = fmt.Sprint(err)
		}
		r.log.Info("command ended", "res", req.Resource, "pid", p.PID, "cause", how)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.exits[p.ID] = how
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch := r.started[r.file(req)]; ch != nil {
		close(ch)
		delete(r.started, r.file(req))
	}
	return p.ID, nil
}

// endedSoon is ended, for a process that ended this moment: its reaper may still be about to note how.
func (r *Runner) endedSoon(id procfs.ID) string {
	for range 20 {
		r.mu.Lock()
		_, ok := r.exits[id]
		r.mu.Unlock()
		if ok {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return r.ended(id)
}

func (r *Runner) stop(ctx context.Context, req resources.Request) resources.Result {
	s, known, _, err := r.running(req)
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	if known { // also if its main process was never written down, or has ended: others may be left
		if res := r.end(ctx, req, s.tree()); res.Code != resources.OK {
			return res
		}
		s.release()
	}
	err = forget(r.file(req))
	if f := req.Params["pidfile"]; f != "" {
		err = errors.Join(err, forget(f))
	}
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	r.forgetExit(s.ID)
	return resources.Result{}
}

func (r *Runner) forgetExit(id procfs.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.exits, id)
}

// end asks a command to end, and makes it end when the time has come.
func (r *Runner) end(ctx context.Context, req resources.Request, tree procfs.Tree) resources.Result {
	// A stop must succeed with parameters that no longer make sense: it then asks by TERM.
	v := resources.NewValues(&meta, req.Params)
	sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(v.String("stop_signal")), "SIG"))
	if sig == 0 {
		sig = unix.SIGTERM
	}
	soft, cancel := context.WithDeadline(ctx, killTime(ctx, v.Duration("kill_after")))
	defer cancel()
	native.Doing(ctx, "waiting for process %d to end after %s", tree.Root.PID, unix.SignalName(sig))
	mixed := v.String("kill_mode") == "mixed"
	kill, err := ask(ctx, soft, tree, sig, mixed)
	switch {
	case errors.Is(err, os.ErrPermission):
		return resources.Errorf(resources.InsufficientPriv, "%v", err)
	case err != nil:
		return resources.Errorf(resources.GenericError, "%v", err)
	case !kill:
		return resources.Result{}
	}
	native.Doing(ctx, "waiting for process %d to end after SIGKILL", tree.Root.PID)
	left, err := tree.Kill(ctx)
	switch {
	case err != nil:
		return resources.Errorf(resources.GenericError, "%v", err)
	case len(left) > 0:
		return resources.Errorf(resources.GenericError, "process %d (%s) cannot be killed, it waits in the kernel", left[0].PID, left[0].Name)
	case !mixed || soft.Err() != nil:
		r.log.Warn("command did not end by itself and was killed", "res", req.Resource, "pid", tree.Root.PID)
	}
	return resources.Result{}
}

// ask sends a signal to the command, or to all that it began, and waits until that has ended. It says whether KILL is needed:
// in any case in mixed mode, where the others were not asked.
func ask(ctx, soft context.Context, tree procfs.Tree, sig unix.Signal, mixed bool) (kill bool, err error) {
	asked := map[procfs.ID]bool{}
	for first := true; ; first = false {
		members, err := tree.Members()
		if err != nil || len(members) == 0 {
			return false, err
		}
		for _, p := range members { // also those that were forked since the last look
			if asked[p.ID] || mixed && p.ID != tree.Root {
				continue
			}
			asked[p.ID] = true
			if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return false, fmt.Errorf("signal process %d: %w", p.PID, err)
			}
		}
		if first && tree.Root.Wait(soft) != nil { // no polling while the main process takes its time
			return true, ctx.Err()
		}
		if mixed {
			return true, nil
		}
		select {
		case <-soft.Done():
			return true, nil
		case <-time.After(endPause):
		}
	}
}

// killTime says when KILL is due.
func killTime(ctx context.Context, after time.Duration) time.Time {
	now := time.Now()
	end, ok := ctx.Deadline()
	if !ok {
		end = now.Add(resources.DefaultTimeout)
	}
	due := end.Add(-max(end.Sub(now)/killShare, killLeast))
	if after > 0 && now.Add(after).Before(due) {
		return now.Add(after)
	}
	return due
}

// Watch calls changed when the command ends.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	for {
		r.mu.Lock()
		next := r.started[r.file(req)]
		if next == nil {
			next = make(chan struct{})
			r.started[r.file(req)] = next
		}
		r.mu.Unlock()
		// Registered before the look, so that a start in between is not missed.
		s, known, alive, err := r.running(req)
		if err != nil {
			return err
		}
		if alive {
			if err := s.Wait(ctx); err != nil {
				return err
			}
		}
		if known && s.PID != 0 { // also if it ended before this look
			changed(r.endedSoon(s.ID))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next:
		}
	}
}

// tail reads the end of a log.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		_, _ = f.Seek(-logTail, 2)
	}
	b := make([]byte, logTail)
	n, _ := f.Read(b)
	return string(b[:n])
}
