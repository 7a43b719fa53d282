// Package filelease is the native agent ocf:paceline:filelease: a resource that does nothing but prove that it is active only
// once. It is for rehearsals and tests on storage that all nodes share.
//
// Guarantees: while it is active a small process of this node holds an exclusive lock on a file in the shared folder; a second
// activation elsewhere cannot get the lock, fails, and leaves a line with DOUBLE in the folder's event log; a node that dies
// lets go of the lock by dying, and whoever is next notes from whom it took over. A restart of the daemon changes nothing.
//
//	NAME.lease   locked; one JSON line: who holds it, or held it last
//	NAME.events  one line per event: time, event, resource, node, details
//
// It needs a file system whose locks are seen by all nodes: any local one in a lab on one kernel, NFS 4, GFS2, OCFS2.
// Tested with two runners on one folder, and holders that are killed.
package filelease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paceline/resources"
	"paceline/resources/native"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "filelease"}

var meta = resources.MetaData{
	Name: "filelease", AgentVersion: "1.0",
	ShortDesc: "Proves that it is active only once, on storage that all nodes share",
	LongDesc: "Holds a lock on a file in a shared folder while it is active. A second activation on another node fails and leaves a line " +
		"with DOUBLE in the folder's event log. For rehearsals and tests: it serves nothing.",
	Parameters: []resources.Parameter{
		{Name: "directory", Required: true, ShortDesc: "Folder that all nodes share"},
		{Name: "name", ShortDesc: "Name of the lease in the folder; the resource's own if not set"},
	},
	Actions: []resources.Action{
		{Name: resources.Start, Timeout: 20 * time.Second},
		{Name: resources.Stop, Timeout: 20 * time.Second},
		{Name: resources.Monitor, Timeout: 10 * time.Second, Interval: 10 * time.Second},
		{Name: resources.ValidateAll, Timeout: 5 * time.Second},
		{Name: resources.MetaDataOp, Timeout: 5 * time.Second},
	},
}

// The events of the log.
const (
	Started  = "START"
	Stopped  = "STOP"
	TookOver = "TAKEN"  // the last holder died without a stop
	Double   = "DOUBLE" // a start while another node holds the lease
	Lost     = "LOST"   // a holder that finds another's name in its own lease
)

// Runner is the agent.
type Runner struct{ *native.Agent }

// New makes the agent.
func New() *Runner {
	r := &Runner{}
	r.Agent = &native.Agent{
		Meta:       meta,
		Operations: map[string]native.Operation{resources.Start: start, resources.Stop: stop, resources.Monitor: monitor},
		Validate: func(_ context.Context, req resources.Request) resources.Result {
			_, res := open(req)
			return res
		},
	}
	return r
}

// lease is one file and who asks for it.
type lease struct {
	file, events   string
	resource, node string
}

// record is what the lease file says.
type record struct {
	Node     string    `json:"node"`
	Resource string    `json:"resource"`
	Holder   procfs.ID `json:"holder"`
	Since    time.Time `json:"since"`
	Released bool      `json:"released,omitempty"`
}

func open(req resources.Request) (lease, resources.Result) {
	v := resources.NewValues(&meta, req.Params)
	dir, name := v.String("directory"), v.String("name")
	if v.Err() == nil && !filepath.IsAbs(dir) {
		v.Failf("directory", "%q is not an absolute path", dir)
	}
	if v.Err() != nil {
		return lease{}, resources.Errorf(resources.NotConfigured, "%v", v.Err())
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return lease{}, resources.Errorf(resources.InvalidArgument, "directory %s is no folder on this node", dir)
	}
	if name == "" {
		name = req.Resource
	}
	base := filepath.Join(dir, url.PathEscape(name))
	l := lease{file: base + ".lease", events: base + ".events", resource: req.Resource, node: req.Node}
	if l.node == "" {
		l.node, _ = os.Hostname()
	}
	return l, resources.Result{}
}

// mark is in the environment of the process that holds the lock.
func (l lease) mark() string { return "PACELINE_FILELEASE=" + l.node + ":" + l.file }

func (l lease) read() record {
	var r record
	if b, err := os.ReadFile(l.file); err == nil {
		_ = json.Unmarshal(b, &r) // a torn record names nobody
	}
	return r
}

// log appends an event in one write, so that lines of several nodes do not mix.
func (l lease) log(event, format string, args ...any) error {
	f, err := os.OpenFile(l.events, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("log %s: %w", event, err)
	}
	defer f.Close()
	line := fmt.Sprintf("%s %s %s %s %s", time.Now().UTC().Format(time.RFC3339Nano), event, l.resource, l.node, fmt.Sprintf(format, args...))
	if _, err := f.WriteString(strings.TrimSpace(line) + "\n"); err != nil {
		return fmt.Errorf("log %s: %w", event, err)
	}
	return nil
}

// holder finds the process of this node that holds the lease.
func (l lease) holder() (procfs.ID, bool, error) {
	r := l.read()
	if r.Node == l.node && r.Holder.PID > 0 && r.Holder.Alive() {
		return r.Holder, true, nil
	}
	found, err := procfs.Marked(l.mark()) // its record may never have been written, or be another's by now
	if err != nil || len(found) == 0 {
		return procfs.ID{}, false, err
	}
	return found[0].ID, true, nil
}

func monitor(_ context.Context, req resources.Request) resources.Result {
	l, res := open(req)
	if res.Code != resources.OK {
		return res
	}
	id, held, err := l.holder()
	if err != nil {
		return resources.Errorf(resources.GenericError, "%v", err)
	}
	if !held {
		return resources.Result{Code: resources.NotRunning}
	}
	if r := l.read(); r.Node != l.node || r.Holder != id {
		err := l.log(Lost, "held by process %d, but the lease names %s", id.PID, r.Node)
		return resources.Errorf(resources.GenericError, "lease %s is held here, but names node %s: %v", l.file, r.Node, err)
	}
	return resources.Result{}
}

func start(_ context.Context, req resources.Request) resources.Result {
	l, res := open(req)
	if res.Code != resources.OK {
		return res
	}
	fail := func(err error) resources.Result {
		return resources.Errorf(resources.GenericError, "take lease %s: %v", l.file, err)
	}
	id, held, err := l.holder()
	if err != nil {
		return fail(err)
	}
	if held {
		if r := l.read(); r.Node == l.node && r.Holder == id {
			return resources.Result{}
		}
		if err := l.write(id); err != nil { // the daemon died before it could
			return fail(err)
		}
		return resources.Result{}
	}
	f, err := os.OpenFile(l.file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	last := l.read()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fail(err)
		}
		err := l.log(Double, "while %s holds it since %s", last.Node, last.Since.Format(time.RFC3339Nano))
		return resources.Errorf(resources.GenericError, "DOUBLE ACTIVATION: node %s holds lease %s since %s (logged: %v)",
			last.Node, l.file, last.Since.Format(time.RFC3339), err == nil)
	}
	// The lock belongs to the open file: the holder inherits it, and keeps it when we close ours.
	cmd := exec.Command("sleep", "infinity")
	cmd.Env = []string{l.mark()}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	go func() { _ = cmd.Wait() }() // its reaper, as long as this process lives
	p, err := procfs.Stat(cmd.Process.Pid)
	if err == nil {
		err = l.write(p.ID)
	}
	if err == nil && last.Node != "" && !last.Released {
		err = l.log(TookOver, "from %s, which held it since %s and did not stop", last.Node, last.Since.Format(time.RFC3339Nano))
	}
	if err == nil {
		err = l.log(Started, "pid %d", p.PID)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return fail(err)
	}
	return resources.Result{}
}

// write makes the record say that this node holds the lease.
func (l lease) write(id procfs.ID) error {
	return l.put(record{Node: l.node, Resource: l.resource, Holder: id, Since: time.Now().UTC()})
}

// put writes in place: a rename would leave the lock on a file that nobody sees any more.
func (l lease) put(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(append(b, '\n'), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(b) + 1))
}

func stop(ctx context.Context, req resources.Request) resources.Result {
	l, res := open(req)
	if res.Code != resources.OK {
		return resources.Result{} // without its folder it cannot be active
	}
	fail := func(err error) resources.Result {
		return resources.Errorf(resources.GenericError, "release lease %s: %v", l.file, err)
	}
	id, held, err := l.holder()
	if err != nil {
		return fail(err)
	}
	if !held {
		return resources.Result{}
	}
	r := l.read()
	ours := r.Node == l.node
	if ours {
		r.Released = true
		if err := l.put(r); err != nil { // before the lock goes: afterwards the file is another's
			return fail(err)
		}
	} else if err := l.log(Lost, "held by process %d, but the lease names %s", id.PID, r.Node); err != nil {
		return fail(err)
	}
	if err := l.log(Stopped, "pid %d", id.PID); err != nil {
		return fail(err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fail(err)
	}
	native.Doing(ctx, "waiting for process %d to end", id.PID)
	if err := id.Wait(ctx); err != nil {
		return fail(err)
	}
	return resources.Result{}
}

// Watch calls changed when the process that holds the lease ends.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	l, res := open(req)
	if res.Code != resources.OK {
		return fmt.Errorf("watch lease: %s", res.Reason)
	}
	id, held, err := l.holder()
	if err != nil {
		return err
	}
	if held {
		if err := id.Wait(ctx); err != nil {
			return err
		}
		changed(fmt.Sprintf("process %d, which held the lease, has ended", id.PID))
	}
	<-ctx.Done() // the caller begins a new watch with the next start
	return ctx.Err()
}
