package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/integration/lab"
	"paceline/integration/packaging"
)

// Options say what cluster is to be made.
type Options struct {
	Lab     lab.Options // Bin and Services are filled in
	Bin     string      // directory with pacelined, paceline and fence_lab
	Profile string      // lan (default), fast, wan
	// Watchdog gives every node the lab's watchdog with that time-out in seconds; 0: none.
	Watchdog int
	Env      []string // for the daemons
	Daemon   string   // the daemon's program, as nodes see it; "" = the one in Bin
	// Prepare is called when the nodes have their disks and before they boot; nil: nothing is to be prepared.
	Prepare func(*lab.Lab) error
	// Disks is the number of disks that all nodes share, for poison pills; they need a watchdog. See LoseDisk.
	Disks int
}

// Cluster is a cluster of paceline's daemons on a lab's nodes.
type Cluster struct {
	*lab.Lab
	opts Options

	mu      sync.Mutex
	clients map[string]clientOf
	told    map[string]*audit.Part // by cluster: what a node last had for committed
}

// clientOf is a client of the daemon of one life of a node.
type clientOf struct {
	pid int
	api *api.Client
}

const service = "pacelined"

// startWait bounds how long a started daemon may take to answer on its socket: it takes some ten milliseconds.
const startWait = 20 * time.Second

// watchMax is how long one status stream is followed before another node is asked: longer than a node without a
// coordinator takes to say so.
const watchMax = 3 * time.Second

// Build builds the binaries that nodes need from the source in dir (a folder of the module) into bin.
func Build(ctx context.Context, dir, bin string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin+"/", "paceline/agent/pacelined", "paceline/ctl/paceline", "paceline/integration/lab/fence_lab")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the daemon: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Boot makes the lab and boots its nodes, each with a daemon that belongs to no cluster.
func Boot(ctx context.Context, o Options) (*Cluster, error) {
	bin, err := filepath.Abs(o.Bin)
	if err != nil {
		return nil, err
	}
	daemon := lab.Daemon()
	daemon.Env = append(daemon.Env, o.Env...)
	if o.Daemon != "" {
		daemon.Args[0] = o.Daemon
	}
	daemon.Unit = packaging.Unit
	o.Lab.Bin, o.Lab.Services = bin, append([]lab.Service{daemon}, o.Lab.Services...)
	l, err := lab.New(o.Lab)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Lab: l, opts: o, clients: map[string]clientOf{}, told: map[string]*audit.Part{}}
	if o.Prepare != nil {
		if err := o.Prepare(l); err != nil {
			return nil, errors.Join(err, l.Down())
		}
	}
	if err := l.Up(ctx); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	for _, n := range l.Nodes() {
		if err := c.AwaitSocket(ctx, n.Name); err != nil {
			return nil, errors.Join(err, l.Down())
		}
	}
	return c, nil
}

// Start is Boot, then Form.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c, err := Boot(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := c.Form(ctx); err != nil {
		return nil, errors.Join(err, c.Down())
	}
	return c, nil
}

// Form makes a cluster of the booted nodes: init on the first, join on the others. It returns when all are online.
func (c *Cluster) Form(ctx context.Context) error {
	var names []string
	for i, n := range c.Nodes() {
		names = append(names, n.Name)
		if i == 0 {
			args := append([]string{"cluster", "init", "--name", "demo"}, n.AddressArgs()...)
			if c.opts.Profile != "" {
				args = append(args, "--profile", c.opts.Profile)
			}
			if err := c.makeDisks(ctx, n); err != nil {
				return err
			}
			args = append(args, c.watchdog()...)
			if _, err := c.Run(ctx, n.Name, args...); err != nil {
				return err
			}
			continue
		}
		if err := c.Join(ctx, n.Name); err != nil {
			return err
		}
	}
	_, err := c.Await(ctx, "all nodes to be online", func(s *api.Status) bool { return Online(s, names...) })
	return err
}

// Join makes a node a member, by a token of the first node.
func (c *Cluster) Join(ctx context.Context, node string) error {
	token, err := c.Node("node1").Output(ctx, "paceline", "cluster", "token")
	if err != nil {
		return err
	}
	n := c.Node(node)
	args := append(append([]string{"cluster", "join"}, n.AddressArgs()...), c.watchdog()...)
	_, err = c.RunInput(ctx, node, string(token), append(args, "-")...)
	return err
}

// watchdog are the options of init and join that give a node its watchdog.
func (c *Cluster) watchdog() []string {
	if c.opts.Watchdog == 0 {
		return nil
	}
	args := []string{"--watchdog", "unix:" + lab.PowerSocket, "--watchdog-timeout", strconv.Itoa(c.opts.Watchdog)}
	for i := range c.opts.Disks {
		args = append(args, "--sbd", diskName(i))
	}
	return args
}

// Run runs the command line on a node and returns what it printed.
func (c *Cluster) Run(ctx context.Context, node string, args ...string) (string, error) {
	return c.Node(node).Exec(ctx, append([]string{"paceline"}, args...)...)
}

// RunInput is Run with standard input.
func (c *Cluster) RunInput(ctx context.Context, node, input string, args ...string) (string, error) {
	return c.Node(node).ExecInput(ctx, strings.NewReader(input), append([]string{"paceline"}, args...)...)
}

// Load updates the configuration by text in the crm language, on any node that is up.
func (c *Cluster) Load(ctx context.Context, text string) error {
	n, err := c.anyNode()
	if err != nil {
		return err
	}
	_, err = c.RunInput(ctx, n.Name, text, "configure", "load", "update", "-")
	return err
}

// Place moves a resource to a node, if it is not there, and leaves no preference behind.
func (c *Cluster) Place(ctx context.Context, resource, node string) error {
	if _, err := c.Run(ctx, node, "resource", "move", resource, node); err != nil {
		return err
	}
	_, err := c.Run(ctx, node, "resource", "clear", resource)
	return err
}

func (c *Cluster) anyNode() (*lab.Node, error) {
	for _, n := range c.Nodes() {
		if n.On() {
			return n, nil
		}
	}
	return nil, errors.New("no node has power")
}

// Socket is where the host reaches a node's daemon, while the node has power.
func (c *Cluster) Socket(node string) (string, error) {
	pid := c.Node(node).PID()
	if pid == 0 {
		return "", fmt.Errorf("%s has no power", node)
	}
	return fmt.Sprintf("/proc/%d/root/run/paceline/paceline.sock", pid), nil
}

// API returns a client of a node's daemon.
func (c *Cluster) API(node string) (*api.Client, error) {
	pid := c.Node(node).PID()
	socket, err := c.Socket(node)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.clients[node]; have.pid == pid {
		return have.api, nil
	} else if have.api != nil {
		have.api.Close()
	}
	client := api.NewClient(socket)
	c.clients[node] = clientOf{pid, client}
	return client, nil
}

// AwaitSocket returns when the node's daemon answers on its socket.
func (c *Cluster) AwaitSocket(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		client, err := c.API(node)
		if err != nil {
			return err
		}
		if _, err = client.Health(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon on %s does not answer: %w; its log ends: %s", node, err, c.LogTail(node, 5))
		case <-time.After(10 * time.Millisecond): // a socket that is not there yet cannot be waited on from outside
		}
	}
}

// LogTail returns the last lines of a daemon's log.
func (c *Cluster) LogTail(node string, lines int) string {
	b, err := os.ReadFile(c.Node(node).Log(service))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Await watches the status on nodes that are up until it satisfies, and returns it. The context bounds it; the error
// then tells what was last seen.
func (c *Cluster) Await(ctx context.Context, what string, satisfies func(*api.Status) bool) (*api.Status, error) {
	return c.AwaitOn(ctx, "", what, satisfies)
}

// AwaitOn is Await with the eyes of one node; "" takes whoever has power, another one when that fails.
func (c *Cluster) AwaitOn(ctx context.Context, node, what string, satisfies func(*api.Status) bool) (*api.Status, error) {
	var last *api.Status
	var lastErr error
	for turn := 0; ctx.Err() == nil; turn++ {
		name := node
		if name == "" {
			name = c.pick(turn)
		}
		if client, err := c.API(name); err != nil {
			lastErr = err
		} else {
			watch, cancel := context.WithTimeout(ctx, watchMax)
			for s, err := range client.Watch(watch) {
				if err != nil {
					if watch.Err() == nil {
						lastErr = err
					}
					break
				}
				last = s
				if satisfies(s) {
					cancel()
					return s, nil
				}
			}
			cancel()
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond): // the stream broke or was refused: a node that just died, or just booted
		}
	}
	return last, fmt.Errorf("wait for %s: %w; last error: %v; last seen: %s", what, context.Cause(ctx), lastErr, Describe(last))
}

// pick names a node with power, another one each turn.
func (c *Cluster) pick(turn int) string {
	var on []string
	for _, n := range c.Nodes() {
		if n.On() {
			on = append(on, n.Name)
		}
	}
	if len(on) == 0 {
		return c.Nodes()[0].Name
	}
	return on[turn%len(on)]
}

// KillDaemon ends a node's daemon at once, as a crash would, and returns when it has ended.
func (c *Cluster) KillDaemon(ctx context.Context, node string) error {
	n := c.Node(node)
	if err := n.Signal(ctx, service, syscall.SIGKILL); err != nil {
		return err
	}
	_, err := n.AwaitExit(ctx, service)
	return err
}

// StartDaemon starts a node's daemon and returns when it answers.
func (c *Cluster) StartDaemon(ctx context.Context, node string) error {
	if err := c.Node(node).Start(ctx, service); err != nil {
		return err
	}
	return c.AwaitSocket(ctx, node)
}
