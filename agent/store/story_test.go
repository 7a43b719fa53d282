package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

// act is one thing that happens to a cluster of three voters.
type act struct {
	Kind  string
	Node  string
	Pause time.Duration // before it
}

var anAct = rapid.Custom(func(t *rapid.T) act {
	return act{
		Kind:  rapid.SampledFrom([]string{"commit", "commit", "commit", "cut", "join", "kill", "start", "fail disk", "mend disk", "damage", "transfer"}).Draw(t, "kind"),
		Node:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "node"),
		Pause: time.Duration(rapid.SampledFrom([]int{0, 1, 30, 200, 1000}).Draw(t, "pause")) * time.Millisecond,
	}
})

var someActs, manyActs = rapid.SliceOfN(anAct, 1, 40), rapid.SliceOfN(anAct, 20, 60)

// story plays acts on three voters. Of the damages that it does to logs, only one node's is unmended at a time: two could
// be a majority of the copies of an entry, which no protocol survives.
type story struct {
	*lab
	failing map[string]*atomic.Bool
	damaged string
	acked   []string
	clients *clients // who uses the cluster meanwhile; nil: nobody
}

// runs tells the clients which store a node has.
func (s *story) runs(id string, now *Store) {
	if s.clients != nil {
		s.clients.runs(id, now)
	}
}

func (s *story) play(acts []act) error {
	for _, id := range []string{"a", "b", "c"} {
		fails := new(atomic.Bool)
		s.failing[id] = fails
		s.node(id).fault = func() error {
			if fails.Load() {
				return errNoSpace
			}
			return nil
		}
	}
	// Two of them cut their logs all the time: what they do not have any more the others get as snapshots.
	s.node("a").compact = Compaction{After: 8, Keep: 3, Every: 100 * time.Millisecond}
	s.node("b").compact = Compaction{After: 4, Keep: 1, Every: 50 * time.Millisecond}
	s.form("a", "b", "c")
	if s.clients != nil { // before the first change there is no revision to compare with
		s.node("a").commit(theRegister, firstValue)
	}
	for id, n := range s.nodes {
		s.runs(id, n.Store)
	}
	for i, a := range acts {
		time.Sleep(a.Pause)
		if err := s.do(i, a); err != nil {
			return fmt.Errorf("act %d: %w", i, err)
		}
	}
	// In the end everything is mended, and all that was acknowledged is there.
	s.mendDisks()
	for _, id := range []string{"a", "b", "c"} {
		s.join(id)
		if n := s.nodes[id]; n.Store == nil {
			if err := n.tryStart(false); err != nil {
				return err
			}
			s.runs(id, n.Store)
		}
	}
	time.Sleep(20 * time.Second)
	if s.clients != nil {
		s.clients.end()
	}
	leader := s.findLeader("a", "b", "c")
	if leader == nil {
		return errors.New("no leader in the end")
	}
	if _, err := leader.try(Command{Change: option("end", "yes")}); err != nil {
		return err
	}
	for id, n := range s.nodes {
		if err := n.await("end", "yes"); err != nil {
			return err
		}
		for _, name := range s.acked {
			if n.option(name) != "yes" {
				return fmt.Errorf("%s lost %s of %v", id, name, s.acked)
			}
		}
		if err := n.Health(); err != nil {
			return fmt.Errorf("%s in the end: %w", id, err)
		}
	}
	return nil
}

func (s *story) mendDisks() {
	for _, fails := range s.failing {
		fails.Store(false)
	}
}

func (s *story) do(i int, a act) error {
	n := s.nodes[a.Node]
	running := n.Store != nil
	switch a.Kind {
	case "commit":
		if !running || s.clients != nil { // who compares and sets is alone with the configuration
			return nil
		}
		name := fmt.Sprint("site-", i)
		ctx, cancel := within(2 * time.Second)
		defer cancel()
		if _, err := n.Apply(ctx, Command{Change: option(name, "yes"), RequestID: name}); err == nil {
			s.acked = append(s.acked, name)
		}
	case "cut":
		s.isolate(a.Node)
	case "join":
		s.join(a.Node)
	case "kill":
		s.runs(a.Node, nil)
		n.kill()
	case "start":
		if !running && !s.failing[a.Node].Load() {
			err := n.tryStart(false)
			s.runs(a.Node, n.Store)
			return err
		}
	case "fail disk":
		if running {
			s.failing[a.Node].Store(true)
		}
	case "mend disk":
		s.failing[a.Node].Store(false)
	case "damage":
		if s.damaged != "" && s.damaged != a.Node {
			if d := s.nodes[s.damaged]; d.Store == nil || d.Health() != nil {
				return nil
			}
		}
		s.runs(a.Node, nil)
		n.stop()
		s.damaged = a.Node
		n.breakLog(1)
	case "transfer":
		if running {
			ctx, cancel := within(time.Second)
			defer cancel()
			n.TransferLeadership(ctx, "")
		}
	}
	return nil
}

func TestThreeVotersLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := someActs.Draw(rt, "acts")
		var err error
		synctest.Test(t, func(t *testing.T) {
			s := &story{lab: newLab(t), failing: map[string]*atomic.Bool{}}
			err = s.play(acts)
			s.mendDisks()
			s.stop()
			time.Sleep(drain)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
