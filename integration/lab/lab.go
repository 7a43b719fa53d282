package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Options say what a lab is to be. The zero value is a lab named "default" of three nodes without a daemon.
type Options struct {
	Name    string // of the lab; labs of different names live side by side
	Nodes   int    // node1 .. nodeN
	Links   int    // networks: each node has an interface on each; 0 = 1. The client is on the first alone
	Systemd bool   // nodes run systemd as their first process, and Services as its units
	// Bin is a directory bound into every node as /lab/bin, first on its PATH: pacelined, paceline, fence_lab.
	Bin string
	// Services are started when a node boots, and again only when asked to.
	Services []Service
	// Units are systemd units that nodes with systemd have, by name ("web.service"), not started.
	Units map[string]string
	// Disk makes /var/lib/paceline of every node a file system of that size ("1m"), for stories of full disks. It is in
	// memory: a power cut empties it. "" = a directory on disk.
	Disk string
	Dir  string // where state goes; "" = DefaultDir()
	// Keep leaves the lab's directory (logs, journals) behind after Down, until the next lab of the name.
	Keep   bool
	Logger *slog.Logger // nil = silent
}

// Service is a program that a node starts when it boots.
type Service struct {
	Name string   `json:"name"` // also the name of its log, and of its unit with systemd
	Args []string `json:"args"` // program, as the node sees it, and arguments
	Env  []string `json:"env,omitempty"`
	// Unit is the text of its systemd unit, for nodes with systemd; its ExecStart is replaced by Args. "" = a plain one.
	Unit string `json:"-"`
	// Manual services are defined but not started when the node boots.
	Manual bool `json:"manual,omitempty"`
}

// Daemon is the service that runs paceline.
func Daemon() Service {
	return Service{Name: "pacelined", Args: []string{"/lab/bin/pacelined"}}
}

// Lab is a set of nodes, a client, the bridge between them and their power switch. Its methods may be called
// concurrently.
type Lab struct {
	opts    Options
	log     *slog.Logger
	dir     string
	cgroup  cgroup
	net     *network
	power   *Switch
	nodes   []*Node
	byName  map[string]*Node
	client  *Client
	warden  *warden
	started time.Time

	mu   sync.Mutex
	down bool
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,14}$`)

// DefaultDir is where labs keep their state unless told otherwise: one directory a user, so that users do not meet.
func DefaultDir() string {
	if d := os.Getenv("PACELINE_LAB_DIR"); d != "" {
		return d
	}
	return fmt.Sprintf("/var/tmp/paceline-lab-%d", realUID())
}

// New makes a lab. What an earlier lab of the name left behind, should it have crashed, is removed first; a lab of the
// name that lives is an error. Nothing runs in it before Up.
func New(opts Options) (*Lab, error) {
	if err := Usable(); err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = "default"
	}
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.Links == 0 {
		opts.Links = 1
	}
	if opts.Dir == "" {
		opts.Dir = DefaultDir()
	}
	if !nameForm.MatchString(opts.Name) {
		return nil, fmt.Errorf("lab name %q: want a letter, then letters, digits or dashes, at most %d in all", opts.Name, nameMax)
	}
	if opts.Nodes < 1 || opts.Nodes > nodesMax {
		return nil, fmt.Errorf("lab of %d nodes: want 1 to %d", opts.Nodes, nodesMax)
	}
	if opts.Links < 1 || opts.Links > linksMax {
		return nil, fmt.Errorf("lab of %d networks: want 1 to %d", opts.Links, linksMax)
	}
	if opts.Systemd {
		if err := SystemdUsable(); err != nil {
			return nil, err
		}
	}
	l := &Lab{opts: opts, log: opts.Logger, dir: filepath.Join(opts.Dir, opts.Name), byName: map[string]*Node{}, started: time.Now()}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := Sweep(opts.Dir, opts.Name); err != nil {
		return nil, err
	}
	if err := l.make(); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	return l, nil
}

// make builds everything around the nodes: directory, state file, cgroup, warden, bridge, switch.
func (l *Lab) make() error {
	// What an earlier lab of the name kept would otherwise be this one's disks.
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("remove what an earlier lab kept: %w", err)
	}
	if err := os.MkdirAll(l.dir, 0o711); err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	for _, d := range []string{"shared", "shared/agents", "power", "logs"} {
		if err := os.MkdirAll(filepath.Join(l.dir, d), 0o755); err != nil {
			return err
		}
	}
	var err error
	if l.cgroup, err = newCgroup("paceline-lab-" + l.opts.Name); err != nil {
		return err
	}
	if err := writeState(l.dir, state{PID: os.Getpid(), Start: processStart(os.Getpid()), Cgroup: l.cgroup.path, Keep: l.opts.Keep}); err != nil {
		return err
	}
	if l.warden, err = startWarden(l.dir); err != nil {
		return err
	}
	if l.net, err = newNetwork(l.opts.Links); err != nil {
		return err
	}
	l.power = newSwitch(l)
	for i := range l.opts.Nodes {
		n := &Node{lab: l, Name: fmt.Sprintf("node%d", i+1), Addr: netip.AddrFrom4([4]byte{10, 77, 0, byte(11 + i)}), index: i + 1}
		l.nodes = append(l.nodes, n)
		l.byName[n.Name] = n
		if err := n.prepare(); err != nil {
			return fmt.Errorf("prepare %s: %w", n.Name, err)
		}
		if err := l.power.listen(n.Name); err != nil {
			return err
		}
	}
	c := &Node{lab: l, Name: "client", Addr: netip.AddrFrom4([4]byte{10, 77, 0, 100}), index: 100, plain: true}
	l.byName[c.Name] = c
	l.client = &Client{Node: c}
	return c.prepare()
}

// Up boots the client and all nodes, and returns when all are up.
func (l *Lab) Up(ctx context.Context) error {
	machines := append([]*Node{l.client.Node}, l.nodes...)
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for i, n := range machines {
		wg.Go(func() { errs[i] = n.Boot(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Node returns the node of the name ("node1"). It panics when there is none: tests name nodes they made.
func (l *Lab) Node(name string) *Node {
	n := l.byName[name]
	if n == nil {
		panic(fmt.Sprintf("lab %s has no node %q", l.opts.Name, name))
	}
	return n
}

// Lookup returns the machine of the name, which may be "client", or nil.
func (l *Lab) Lookup(name string) *Node { return l.byName[name] }

// Nodes returns the nodes in order, without the client.
func (l *Lab) Nodes() []*Node { return append([]*Node(nil), l.nodes...) }

// Client returns the client machine.
func (l *Lab) Client() *Client { return l.client }

// Switch returns the power switch.
func (l *Lab) Switch() *Switch { return l.power }

// Dir is the lab's directory: nodes' disks below it, logs in logs/, what nodes share in shared/.
func (l *Lab) Dir() string { return l.dir }

// PutAgent makes an OCF agent ocf:lab:NAME, a script, for all nodes. Where the machine has no OCF agents at all nodes have
// none either, and the error says so.
func (l *Lab) PutAgent(name, script string) error {
	if _, err := os.Stat(agentsDir); err != nil {
		return fmt.Errorf("agents of the lab need a place beside others: %w (Debian: apt-get install resource-agents)", err)
	}
	return os.WriteFile(filepath.Join(l.dir, "shared", "agents", filepath.Base(name)), []byte(script), 0o755)
}

// Down ends every process of the lab and removes what it made. It may be called again.
func (l *Lab) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil
	}
	l.down = true
	var errs []error
	if l.power != nil {
		l.power.close()
	}
	for _, n := range l.byName {
		if err := n.Kill(); err != nil {
			errs = append(errs, fmt.Errorf("power off %s: %w", n.Name, err))
		}
	}
	if l.net != nil {
		l.net.close()
	}
	if err := l.cgroup.remove(); err != nil {
		errs = append(errs, err)
	}
	if l.warden != nil {
		errs = append(errs, l.warden.dismiss())
	}
	if l.opts.Keep {
		errs = append(errs, removeState(l.dir))
	} else {
		errs = append(errs, os.RemoveAll(l.dir))
		_ = os.Remove(l.opts.Dir) // only if no other lab is in it
	}
	return errors.Join(errs...)
}
