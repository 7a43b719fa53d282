package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"paceline/agent/api"
	"paceline/agent/peer"
)

// Daemon is one running pacelined. It is unconfigured until it is the member of a cluster.
type Daemon struct {
	opt    Options
	log    *slog.Logger
	id     identity
	server *api.Server
	notify topic

	ctx context.Context
	wg  sync.WaitGroup

	mu   sync.Mutex
	node *node  // nil while unconfigured
	busy string // what is being done that excludes init, join and leave; empty if nothing is
}

// Run runs a daemon until ctx ends or restart is closed (its resources then keep running; with restart the others are told to
// wait for the daemon that follows), or until leave is closed (it then leaves in good order first). It returns when everything
// that it started has ended.
func Run(ctx context.Context, opt Options, leave, restart <-chan struct{}) error {
	opt.complete()
	for _, dir := range []string{opt.ConfigDir, opt.DataDir, opt.RunDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the daemon's folders: %w", err)
		}
	}
	id, err := opt.identity()
	if err != nil {
		return fmt.Errorf("find out who this node is: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &Daemon{opt: opt, log: opt.Logger, id: id, ctx: ctx}
	d.server = api.NewServer(api.Config{Backend: backend{d}, Logger: opt.Logger, Group: opt.Group})

	sock, err := d.server.ListenUnix(opt.socketPath())
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	d.wg.Go(func() {
		if err := d.server.ServeUnix(ctx, sock); err != nil {
			failed <- fmt.Errorf("serve the control socket: %w", err)
		}
	})
	d.log.Info("paceline starts", "version", opt.Version, "id", id.ID, "boot", id.Boot, "incarnation", id.Incarnation)
	err = d.startConfigured()
	if err == nil {
		opt.Ready()
		select {
		case <-ctx.Done():
		case <-leave:
			d.leaveInGoodOrder(ctx)
		case <-restart:
			d.announceRestart(ctx)
		case err = <-failed:
		}
	}
	cancel()
	d.mu.Lock()
	n := d.node
	d.mu.Unlock()
	if n != nil {
		n.stop()
	}
	d.wg.Wait()
	d.log.Info("paceline has ended")
	return err
}

// startConfigured starts the node that the configuration folder describes; with none the daemon waits for init or join.
func (d *Daemon) startConfigured() error {
	f, err := LoadFile(d.opt.filePath())
	if errors.Is(err, fs.ErrNotExist) {
		d.log.Info("this node belongs to no cluster yet: it waits for paceline cluster init or join")
		return nil
	}
	if err != nil {
		return err
	}
	ring, err := peer.LoadRing(d.opt.keyPath())
	if err != nil {
		return err
	}
	n, err := startNode(d, f, ring, nil)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.node = n
	d.mu.Unlock()
	return nil
}

// current returns the running node, nil while unconfigured.
func (d *Daemon) current() *node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node
}

// reserve keeps init, join and leave from running into one another. release must be called if it succeeds.
func (d *Daemon) reserve(what string, configured bool) (release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.busy != "":
		return nil, api.Errorf(api.CodeRefused, what, "%s is under way", d.busy)
	case configured && d.node == nil:
		return nil, api.ErrUnconfigured
	case !configured && d.node != nil:
		return nil, api.Errorf(api.CodeRefused, what, "this node is %s of cluster %s already", d.node.file.Node, d.node.file.Cluster).
			WithHint("paceline cluster leave takes it out")
	}
	d.busy = what
	return func() {
		d.mu.Lock()
		d.busy = ""
		d.mu.Unlock()
	}, nil
}

// adopt writes the configuration of a new member and starts it. If it can not start, nothing is left behind; where something is
// left of an earlier cluster it does not begin: a node that brings a log along would lead that one beside the new one.
func (d *Daemon) adopt(f File, key peer.Key, contacts []string) (*node, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	for _, path := range []string{d.opt.logPath(), d.opt.snapshotsPath()} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is of an earlier cluster (hint: nothing here belongs to one any more; move %s and %s away)",
				path, d.opt.logPath(), d.opt.snapshotsPath())
		}
	}
	// A journal of another cluster would have this one's orders refused for their terms.
	if err := d.forgetJournal(); err != nil {
		return nil, err
	}
	if err := key.Save(d.opt.keyPath()); err != nil {
		return nil, err
	}
	if err := writeJSON(d.opt.filePath(), 0o644, f); err != nil {
		d.forgetCluster()
		return nil, err
	}
	n, err := startNode(d, f, peer.Ring{Current: key}, contacts)
	if err != nil {
		d.forgetCluster()
		return nil, err
	}
	d.mu.Lock()
	d.node = n
	d.mu.Unlock()
	d.notify.poke()
	return n, nil
}

func (d *Daemon) forgetJournal() error {
	old, err := filepath.Glob(filepath.Join(d.opt.DataDir, "journal.jsonl*"))
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := os.Remove(p); err != nil {
			return fmt.Errorf("remove the journal of an earlier cluster: %w", err)
		}
	}
	return nil
}

// forgetCluster removes what belongs to a cluster, of a node that does not run: its configuration, key, log and journal.
func (d *Daemon) forgetCluster() {
	if err := d.forgetJournal(); err != nil {
		d.log.Error("could not remove the journal of a cluster that was left", "err", err)
	}
	for _, p := range []string{
		d.opt.filePath(), d.opt.keyPath(), d.opt.logPath(), d.opt.snapshotsPath(), filepath.Join(d.opt.DataDir, "history"),
		filepath.Join(d.opt.DataDir, "peers.json"), filepath.Join(d.opt.DataDir, "tokens.json"),
	} {
		if err := os.RemoveAll(p); err != nil {
			d.log.Error("could not remove what belongs to a cluster that was left", "path", p, "err", err)
		}
	}
}

// abandon stops the node and forgets the cluster; the node that comes next is another one.
func (d *Daemon) abandon() {
	d.mu.Lock()
	n := d.node
	d.node = nil
	d.mu.Unlock()
	if n != nil {
		n.stop()
	}
	d.forgetCluster()
	if err := os.Remove(filepath.Join(d.opt.DataDir, "node-id")); err != nil {
		d.log.Error("this node keeps its ID", "err", err)
	}
	if id, err := d.opt.identity(); err == nil {
		d.id = id
	}
	d.notify.poke()
}
