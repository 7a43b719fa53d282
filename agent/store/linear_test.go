package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

// asked and told are an operation of a client on one option of the configuration, and what came of it.
type asked struct {
	read        bool
	base, value string // a compare-and-set: from, to
}

type told struct {
	value string // of a read
	end   ending
}

type ending int

const (
	done      ending = iota
	refused          // the configuration was another one
	uncertain        // it took effect, or takes effect yet, or never does
)

// register is what the clients should see, whatever happens to the nodes: one value. Values are never written twice.
var register = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{firstValue} },
	Step: func(state, input, output any) []any {
		is, in, out := state.(string), input.(asked), output.(told)
		switch {
		case in.read && is == out.value, !in.read && out.end == refused && is != in.base:
			return []any{is}
		case in.read, out.end == refused, out.end == done && is != in.base:
			return nil
		case out.end == done:
			return []any{in.value}
		case is == in.base:
			return []any{is, in.value}
		}
		return []any{is}
	},
	Equal:             func(a, b any) bool { return a == b },
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
}).ToModel()

// dishonest are ways in which a store would break the promise.
type dishonest struct {
	staleReads   bool // a read is answered without asking whether the node still leads, or leads at all
	hastyCommits bool // a commit is acknowledged by the leader alone
}

// clients use the leader at the same time, through faults, and remember what they were told.
type clients struct {
	broken dishonest
	stop   chan struct{}
	wg     sync.WaitGroup
	clock  atomic.Int64 // orders what virtual time calls the same moment

	mu      sync.Mutex
	nodes   map[string]*Store // that run
	history []porcupine.Operation
}

const (
	clientsMany = 4
	theRegister = "site-register"
	firstValue  = "first"
)

func newClients(seed uint64, broken dishonest) *clients {
	c := &clients{broken: broken, stop: make(chan struct{}), nodes: map[string]*Store{}}
	for i := range clientsMany {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		c.wg.Go(func() { c.use(i, rng) })
	}
	return c
}

// runs says which store a node has now; nil: none.
func (c *clients) runs(id string, s *Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.nodes, id); s != nil {
		c.nodes[id] = s
	}
}

func (c *clients) pick(rng *rand.Rand) *Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Sorted(maps.Keys(c.nodes))
	if len(ids) == 0 {
		return nil
	}
	return c.nodes[ids[rng.IntN(len(ids))]]
}

// use is one client: it reads, and changes what it has read.
func (c *clients) use(id int, rng *rand.Rand) {
	for number := 0; ; number++ {
		select {
		case <-c.stop:
			return
		case <-time.After(time.Duration(20+rng.IntN(400)) * time.Millisecond):
		}
		s := c.pick(rng)
		if s == nil {
			continue
		}
		ctx, cancel := within(2 * time.Second)
		at := c.clock.Add(1)
		read, err := c.read(ctx, s)
		value, _ := read.CIB.Option(theRegister)
		if err == nil {
			c.remember(id, at, asked{read: true}, told{value: value})
			in := asked{base: value, value: fmt.Sprintf("%d-%d", id, number)}
			time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond) // somebody else may be faster
			at = c.clock.Add(1)
			_, err = s.Apply(ctx, Command{Change: option(theRegister, in.value), BaseRevision: read.ConfigRevision})
			var other *Conflict
			switch {
			case err == nil:
				c.remember(id, at, in, told{end: done})
			case errors.As(err, &other):
				c.remember(id, at, in, told{end: refused})
			case errors.Is(err, ErrNotLeader):
			case c.broken.hastyCommits:
				c.remember(id, at, in, told{end: done})
			default:
				c.remember(id, at, in, told{end: uncertain})
			}
		}
		cancel()
	}
}

// read is what a linearizable read is made of.
func (c *clients) read(ctx context.Context, s *Store) (Snapshot, error) {
	if c.broken.staleReads {
		return s.Snapshot(), nil
	}
	err := s.Barrier(ctx)
	return s.Snapshot(), err
}

func (c *clients) remember(id int, call int64, in asked, out told) {
	op := porcupine.Operation{ClientId: id, Input: in, Call: call, Output: out, Return: c.clock.Add(1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, op)
}

// end lets the clients end.
func (c *clients) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.wg.Wait()
}

// judge says what is wrong with what the clients were told.
func (c *clients) judge() error {
	c.end()
	end := c.clock.Add(1)
	for i := range c.history {
		op := &c.history[i]
		if op.Output.(told).end == uncertain { // another client takes its place: this one may take effect until the end
			op.Return, op.ClientId = end, clientsMany+i
		}
	}
	switch r := porcupine.CheckOperationsTimeout(register, c.history, 20*time.Second); r {
	case porcupine.Ok:
		return nil
	default:
		return fmt.Errorf("the history of %d operations is not linearizable (%s)", len(c.history), r)
	}
}

// playWithClients plays a story while clients use the cluster, and returns how many operations they did.
func playWithClients(t *testing.T, seed uint64, acts []act, broken dishonest) (done int, err error) {
	synctest.Test(t, func(t *testing.T) {
		s := &story{lab: newLab(t), failing: map[string]*atomic.Bool{}, clients: newClients(seed, broken)}
		err = s.play(acts)
		if wrong := s.clients.judge(); err == nil {
			err = wrong
		}
		done = len(s.clients.history)
		s.mendDisks()
		s.stop()
		time.Sleep(drain)
	})
	return done, err
}

// Concurrent commits that compare and set, and reads behind a barrier, through cuts, crashes, failing and damaged disks and
// changes of the leader, are as if one after the other had been done.
func TestCommitsAndReadsAreLinearizable(t *testing.T) {
	operations := 0
	for seed := range 20 {
		acts := manyActs.Example(seed)
		n, err := playWithClients(t, uint64(seed), acts, dishonest{})
		if err != nil {
			t.Errorf("story %d, %+v: %v", seed, acts, err)
		}
		operations += n
	}
	t.Logf("%d operations", operations)
	if operations < 1000 {
		t.Errorf("%d operations say little", operations)
	}
}

// A check that finds nothing proves nothing.
func TestDishonestStoresAreFoundOut(t *testing.T) {
	for name, broken := range map[string]dishonest{
		"stale reads": {staleReads: true}, "a leader that acknowledges alone": {hastyCommits: true},
	} {
		found := false
		for seed := 0; seed < 200 && !found; seed++ {
			if _, err := playWithClients(t, uint64(seed), manyActs.Example(seed), broken); err != nil {
				t.Logf("%s: story %d: %v", name, seed, err)
				found = true
			}
		}
		if !found {
			t.Errorf("%s: not found out", name)
		}
	}
}
