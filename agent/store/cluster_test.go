package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"paceline/agent/cib"
)

// lab is a cluster of stores in one process, each with a directory that outlives it.
type lab struct {
	t      testing.TB
	net    *network
	dir    string
	nodes  map[string]*node
	logger *slog.Logger
	sync   bool // wait for the disk: only benchmarks need it, a killed node's file is not lost
}

type node struct {
	*Store
	lab     *lab
	id      string
	addr    string
	dir     string
	fault   func() error
	options *bbolt.Options
	apply   func(*cib.CIB, cib.Change) (*cib.CIB, error)
	profile Timings
	compact Compaction
}

func newLab(t testing.TB) *lab {
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("STORE_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return &lab{t: t, net: newNetwork(), dir: t.TempDir(), nodes: map[string]*node{}, logger: logger}
}

func (l *lab) node(id string) *node {
	if n := l.nodes[id]; n != nil {
		return n
	}
	n := &node{lab: l, id: id, addr: id + ":7947", dir: filepath.Join(l.dir, id), profile: LAN}
	if !l.sync {
		n.options = &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType}
	}
	l.nodes[id] = n
	return n
}

func (n *node) config(bootstrap bool) Config {
	return Config{
		ID: n.id, Name: n.id, Dir: n.dir, Stream: n.lab.net.layer(n.addr), Timings: n.profile, Compaction: n.compact, Bootstrap: bootstrap,
		Apply: n.apply, Logger: n.lab.logger,
	}
}

func (n *node) tryStart(bootstrap bool) error {
	cfg := n.config(bootstrap)
	s, err := open(cfg, n.options, n.fault)
	if err != nil {
		cfg.Stream.Close()
		return err
	}
	n.Store = s
	return nil
}

func (n *node) start(bootstrap bool) *node {
	if err := n.tryStart(bootstrap); err != nil {
		n.lab.t.Fatal(err)
	}
	return n
}

// kill ends the node as a power cut does, as far as the others can tell: first its links, then the process.
func (n *node) kill() {
	n.lab.isolate(n.id)
	n.stop()
	n.lab.join(n.id)
}

func (n *node) stop() {
	if n.Store == nil {
		return
	}
	if err := n.Close(); err != nil {
		n.lab.t.Errorf("close %s: %v", n.id, err)
	}
	n.Store = nil
}

func (l *lab) others(id string) []string {
	var list []string
	for other, n := range l.nodes {
		if other != id {
			list = append(list, n.addr)
		}
	}
	return list
}

func (l *lab) isolate(id string) { l.net.split(l.nodes[id].addr, l.others(id)...) }
func (l *lab) join(id string)    { l.net.heal(l.nodes[id].addr, l.others(id)...) }

func (l *lab) stop() {
	for _, n := range l.nodes {
		n.stop()
	}
}

func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// awaitLeader waits until one of the nodes leads.
func (l *lab) awaitLeader(ids ...string) *node {
	l.t.Helper()
	n := l.findLeader(ids...)
	if n == nil {
		l.t.Fatalf("no leader among %v", ids)
	}
	return n
}

func (l *lab) findLeader(ids ...string) *node {
	found := make(chan *node, len(ids))
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	for _, id := range ids {
		n := l.nodes[id]
		go func() {
			for lead := range n.leaders.subscribe(ctx) {
				if lead.Leader {
					found <- n
					return
				}
			}
		}()
	}
	select {
	case n := <-found:
		return n
	case <-ctx.Done():
		return nil
	}
}

// form makes a cluster of these voters, and returns its leader.
func (l *lab) form(ids ...string) *node {
	l.t.Helper()
	first := l.node(ids[0]).start(true)
	l.awaitLeader(ids[0])
	for _, id := range ids[1:] {
		n := l.node(id).start(false)
		ctx, cancel := within(10 * time.Second)
		if err := first.Admit(ctx, n.id, n.addr); err != nil {
			l.t.Fatal(err)
		}
		cancel()
	}
	return first
}

func option(name, value string) cib.Change {
	return cib.Change{SetOption: &cib.SetOption{Name: name, Value: &value}}
}

func (n *node) try(c Command) (Applied, error) {
	ctx, cancel := within(5 * time.Second)
	defer cancel()
	return n.Apply(ctx, c)
}

func (n *node) commit(name, value string) Applied {
	n.lab.t.Helper()
	a, err := n.try(Command{Change: option(name, value), User: "tester"})
	if err != nil {
		n.lab.t.Fatal(err)
	}
	return a
}

func (n *node) option(name string) string {
	v, _ := n.Snapshot().CIB.Option(name)
	return v
}

// awaitOption waits until the node's state has the value.
func (n *node) awaitOption(name, value string) {
	n.lab.t.Helper()
	if err := n.await(name, value); err != nil {
		n.lab.t.Fatal(err)
	}
}

func (n *node) await(name, value string) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	for s := range n.Watch(ctx) {
		if v, _ := s.CIB.Option(name); v == value {
			return nil
		}
	}
	return fmt.Errorf("%s: option %s is %q, not %q", n.id, name, n.option(name), value)
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		t.Fatal(err)
	}
}
