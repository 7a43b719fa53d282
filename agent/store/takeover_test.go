package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func (n *node) takeover(peer string) error {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	return n.Takeover(ctx, peer, n.Contact())
}

func (n *node) admit(peer *node) error {
	ctx, cancel := within(20 * time.Second)
	defer cancel()
	return n.Admit(ctx, peer.id, peer.addr)
}

func mustNot(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTakeoverByFollower(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		b := l.nodes["b"]
		a.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		a.kill()
		start := time.Now()
		mustNot(t, b.takeover("a"))
		if l.awaitLeader("b") != b {
			t.Fatal("no leader")
		}
		if d := time.Since(start); d > 50*time.Millisecond {
			t.Errorf("the takeover took %v", d)
		}
		if m := b.Members(); len(m) != 1 || m[0].ID != "b" {
			t.Fatalf("members: %+v", m)
		}
		b.commit("batch-limit", "2")
		mustNot(t, b.takeover("a")) // again: nothing to do

		a.start(false) // with its old log and voters
		time.Sleep(5 * time.Second)
		if a.Snapshot().Revision > 1 {
			t.Error("the old peer got entries before it was admitted")
		}
		b.commit("batch-limit", "3")
		mustNot(t, b.admit(a))
		a.awaitOption("batch-limit", "3")
		b.commit("batch-limit", "4")
	})
}

func TestTakeoverByLeaderWithinItsLease(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		before := l.awaitLeader("a").leadership()
		a.commit("batch-limit", "1")
		l.nodes["b"].kill()
		mustNot(t, a.takeover("b"))
		if got := a.commit("batch-limit", "2"); got.Revision != 2 {
			t.Fatalf("%+v", got)
		}
		if now := a.leadership(); now != before {
			t.Fatalf("it stopped leading in between: %+v, %+v", before, now)
		}
	})
}

func (n *node) leadership() Leadership {
	return <-n.leaders.subscribe(context.Background())
}

func TestTakeoverByLeaderThatLostItsLease(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		a.commit("batch-limit", "1")
		l.nodes["b"].kill()
		time.Sleep(3 * time.Second)
		if _, err := a.try(Command{Change: option("batch-limit", "2")}); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("alone of two: %v", err)
		}
		mustNot(t, a.takeover("b"))
		l.awaitLeader("a").commit("batch-limit", "3")
	})
}

// Of a peer that was cut, started again and was in quorum once more, an earlier fencing proves nothing.
func TestTakeoverAfterAnotherMeetingIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		b := l.nodes["b"]
		b.kill()
		ordered := a.Contact()
		b.start(false)
		leader := l.awaitLeader("a", "b")
		leader.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		a.awaitOption("batch-limit", "1")
		l.isolate("b")
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		if err := a.Takeover(ctx, "b", ordered); !errors.Is(err, ErrMetAgain) {
			t.Fatalf("the order was older than the meeting: %v", err)
		}
		b.kill()
		mustNot(t, a.takeover("b")) // and nothing of the refused one is left behind
		l.awaitLeader("a").commit("batch-limit", "2")
	})
}

// A pair becomes three by the word of two, of which the second of the pair need not be one: from the moment at which it
// knows that a third is on its way it is no pair. Else it would take over what the other two have committed since.
func TestTakeoverIsRefusedWhileAThirdIsOnItsWay(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		c := l.node("c")
		c.start(false)
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		mustNot(t, a.AddNonvoter(ctx, "c", c.addr))
		b := l.nodes["b"]
		a.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		l.isolate("b")
		mustNot(t, a.AddVoter(ctx, "c", c.addr))
		a.commit("batch-limit", "2") // by a and c alone
		a.kill()
		if err := b.takeover("a"); !errors.Is(err, ErrNotPair) {
			t.Fatalf("it took over what it did not know: %v", err)
		}
	})
}

// A leader that removes the third of three has the set of two in effect before the second knows of it. Both others were fenced, and
// come back as two of three.
func TestTakeoverIsRefusedWhileTheRemovalOfAThirdIsNotCommitted(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		b, c := l.nodes["b"], l.nodes["c"]
		a.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		c.awaitOption("batch-limit", "1")
		b.kill()
		c.kill()
		ctx, cancel := within(3 * time.Second)
		defer cancel()
		if err := a.Remove(ctx, "c"); err == nil {
			t.Fatal("one of three removed another alone")
		}
		if m, committed := a.Group(); len(m) != 2 || committed {
			t.Fatalf("the set in effect is %+v, committed: %v", m, committed)
		}
		if err := a.takeover("b"); !errors.Is(err, ErrNotPair) {
			t.Fatalf("it took over what the others may have: %v", err)
		}
		l.isolate("a")
		b.start(false)
		c.start(false)
		l.awaitLeader("b", "c").commit("batch-limit", "2")
		l.join("a")
		a.awaitOption("batch-limit", "2")
		if m, committed := a.Group(); len(m) != 3 || !committed {
			t.Fatalf("the set is %+v, committed: %v", m, committed)
		}
	})
}

// The second of a pair missed that the third has its vote, and the log of the third is the longer one. The two are a majority of
// three, and elect each other.
func TestAVoterThatMissedAnAdmissionElectsTheNewOne(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		b, c := l.nodes["b"], l.node("c")
		c.start(false)
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		mustNot(t, a.AddNonvoter(ctx, "c", c.addr))
		a.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		l.isolate("b")
		mustNot(t, a.AddVoter(ctx, "c", c.addr))
		a.commit("batch-limit", "2") // by a and c alone
		a.kill()
		l.join("b")
		l.awaitLeader("b", "c").commit("batch-limit", "3")
		b.awaitOption("batch-limit", "3")
	})
}

// An admission that fails leaves a pair behind that can still lose one of the two.
func TestAFailedAdmissionIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		l.node("c") // never started
		ctx, cancel := within(3 * time.Second)
		defer cancel()
		if err := a.Admit(ctx, "c", l.nodes["c"].addr); err == nil {
			t.Fatal("a node that is not there was admitted")
		}
		if m := a.Members(); len(m) != 2 {
			t.Fatalf("members: %+v", m)
		}
		l.nodes["b"].kill()
		mustNot(t, a.takeover("b"))
		l.awaitLeader("a").commit("batch-limit", "2")
	})
}

func TestTakeoverIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		if err := a.takeover("b"); !errors.Is(err, ErrNotPair) {
			t.Fatalf("with three voters: %v", err)
		}
		ctx, cancel := within(5 * time.Second)
		defer cancel()
		mustNot(t, a.Remove(ctx, "c"))
		if err := a.takeover("c"); !errors.Is(err, ErrNotPair) {
			t.Fatalf("from a stranger: %v", err)
		}
		if err := a.takeover("a"); !errors.Is(err, ErrNotPair) {
			t.Fatalf("from itself: %v", err)
		}
		l.nodes["b"].kill()
		a.kill()
		a.start(false)
		time.Sleep(3 * time.Second)
		if err := a.takeover("b"); !errors.Is(err, ErrNotTogether) {
			t.Fatalf("alone since its start: %v", err)
		}
		l.nodes["b"].start(false)
		leader := l.awaitLeader("a", "b")
		other := map[string]*node{"a": l.nodes["b"], "b": a}[leader.id]
		leader.commit("batch-limit", "1")
		other.awaitOption("batch-limit", "1")
		leader.kill()
		mustNot(t, other.takeover(leader.id))
	})
}

// interruptedTakeover makes a pair of which a dies, and b, too, when it has written that it takes over.
func (l *lab) interruptedTakeover(t *testing.T) (a, b *node) {
	a = l.form("a", "b")
	b = l.nodes["b"]
	a.commit("batch-limit", "1")
	b.awaitOption("batch-limit", "1")
	a.kill()
	mustNot(t, b.run.disk.put(bucketMeta, keyGhost, []byte(`{"peer":"a","since":1}`)))
	b.kill()
	return a, b
}

// A crash after the mark was written, at any point, ends in the same takeover.
func TestTakeoverGoesOnAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		_, b := l.interruptedTakeover(t)
		b.start(false)
		l.awaitLeader("b").commit("batch-limit", "2")
		mustNot(t, b.takeover("a")) // waits for its end
		if mark, err := b.run.disk.ghostMark(); mark != nil || err != nil || len(b.Members()) != 1 {
			t.Fatalf("mark %v, %v; members %v", mark, err, b.Members())
		}
	})
}

// But not when the peer is there again.
func TestInterruptedTakeoverIsVoidIfThePeerIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a, b := l.interruptedTakeover(t)
		a.start(false)
		b.start(false)
		leader := l.awaitLeader("a", "b")
		leader.commit("batch-limit", "2")
		a.awaitOption("batch-limit", "2")
		b.awaitOption("batch-limit", "2")
		if len(leader.Members()) != 2 {
			t.Fatalf("members: %+v", leader.Members())
		}
	})
}

// The dead leader has entries that it could not commit: they must go when it comes back, and it must never lead.
func TestPeerReturnsWithAnUncommittedTail(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		b := l.nodes["b"]
		a.commit("batch-limit", "1")
		b.awaitOption("batch-limit", "1")
		l.isolate("a")
		ctx, cancel := within(50 * time.Millisecond)
		for i := range 5 {
			if _, err := a.Apply(ctx, Command{Change: option("batch-limit", fmt.Sprint(100+i))}); err == nil {
				t.Fatal("acknowledged alone")
			}
		}
		cancel()
		tail, _ := a.run.disk.LastIndex()
		a.kill()
		mustNot(t, b.takeover("a"))
		b.commit("batch-limit", "2")
		if last, _ := b.run.disk.LastIndex(); tail < 5 || last < 5 {
			t.Fatalf("tails: %d, %d", tail, last)
		}
		a.start(false)
		if got := l.awaitLeader("a", "b"); got != b {
			t.Fatalf("%s leads", got.id)
		}
		time.Sleep(5 * time.Second)
		if a.leadership().Leader {
			t.Fatal("the old peer leads")
		}
		mustNot(t, b.admit(a))
		a.awaitOption("batch-limit", "2")
		time.Sleep(time.Second)
		if a.option("batch-limit") != "2" || b.option("batch-limit") != "2" {
			t.Fatal("the uncommitted tail came back")
		}
		l.isolate("b")
		b.kill()
		mustNot(t, a.takeover("b"))
		l.awaitLeader("a").commit("batch-limit", "3")
	})
}

// A peer that is recorded as dead and speaks is not listened to.
func TestGhostIsNotHeard(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		a.commit("batch-limit", "1")
		l.nodes["b"].awaitOption("batch-limit", "1")
		l.nodes["b"].run.net.setGhost("a")
		if _, err := a.try(Command{Change: option("batch-limit", "2")}); err == nil {
			t.Fatal("the survivor acknowledged an entry of the dead")
		}
		if got := l.awaitLeader("b"); got.id != "b" {
			t.Fatal(got.id)
		}
		l.nodes["b"].run.net.setGhost("")
		l.awaitLeader("a", "b").commit("batch-limit", "3")
	})
}

// takeoverPlan is one random story of two voters.
type takeoverPlan struct {
	LeaderDies   bool
	Before       int           // commands acknowledged before
	Tail         int           // commands given to the victim alone, when it leads
	Delay        time.Duration // from the death to the takeover
	CrashAfter   time.Duration // of the survivor, from the begin of the takeover; 0 is none
	Return       time.Duration // of the victim, from the end of the takeover
	Lag          time.Duration // of new connections
	After        int           // commands on the survivor
	SecondVictim bool          // and then the other way round
}

func drawPlan(t *rapid.T) takeoverPlan {
	ms := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most*10).Draw(t, label)) * 100 * time.Microsecond
	}
	return takeoverPlan{
		LeaderDies: rapid.Bool().Draw(t, "leader dies"), Before: rapid.IntRange(0, 8).Draw(t, "before"),
		Tail: rapid.IntRange(0, 4).Draw(t, "tail"), Delay: ms("delay", 700),
		CrashAfter: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5, 20, 100}).Draw(t, "crash")) * time.Millisecond,
		Return:     ms("return", 800), Lag: ms("lag", 3), After: rapid.IntRange(0, 4).Draw(t, "after"),
		SecondVictim: rapid.Bool().Draw(t, "second"),
	}
}

// tell tells a story and returns an error if an acknowledged command is lost. Each command sets an option of its own.
func (p takeoverPlan) tell(l *lab) error {
	l.net.lag = p.Lag
	var acked []string
	give := func(n *node, name string) error {
		ctx, cancel := within(5 * time.Second)
		defer cancel()
		_, err := n.Apply(ctx, Command{Change: option(name, "yes"), RequestID: name})
		if err == nil {
			acked = append(acked, name)
		}
		return err
	}
	check := func(n *node) error {
		for _, name := range acked {
			if n.option(name) != "yes" {
				return fmt.Errorf("%s lost %s of %v", n.id, name, acked)
			}
		}
		return nil
	}
	lead := l.form("a", "b")
	for i := range p.Before {
		if err := give(lead, fmt.Sprintf("before-%d", i)); err != nil {
			return err
		}
	}
	victim, survivor := l.nodes["b"], l.nodes["a"]
	if p.LeaderDies {
		victim, survivor = survivor, victim
	}
	rounds := 1
	if p.SecondVictim {
		rounds = 2
	}
	for round := range rounds {
		l.isolate(victim.id)
		for i := range p.Tail {
			ctx, cancel := within(time.Millisecond)
			_, err := victim.Apply(ctx, Command{Change: option(fmt.Sprintf("tail-%d-%d", round, i), "yes")})
			cancel()
			if err == nil {
				return fmt.Errorf("%s acknowledged alone", victim.id)
			}
		}
		victim.kill()
		time.Sleep(p.Delay)
		crash := p.CrashAfter
		ctx, cancel := within(20 * time.Second)
		if crash > 0 {
			ctx, cancel = within(crash)
		}
		err := survivor.Takeover(ctx, victim.id, survivor.Contact())
		cancel()
		if crash > 0 {
			survivor.kill()
			if err := survivor.tryStart(false); err != nil {
				return err
			}
		}
		if err != nil && (crash == 0 || !errors.Is(err, context.DeadlineExceeded)) {
			return err
		}
		if l.findLeader(survivor.id) != survivor {
			return errors.New("the survivor does not lead")
		}
		if err := check(survivor); err != nil {
			return err
		}
		for i := range p.After {
			if err := give(survivor, fmt.Sprintf("after-%d-%d", round, i)); err != nil {
				return err
			}
		}
		time.Sleep(p.Return)
		if err := victim.tryStart(false); err != nil {
			return err
		}
		if err := give(survivor, fmt.Sprintf("met-%d", round)); err != nil {
			return err
		}
		if err := survivor.admit(victim); err != nil {
			return err
		}
		last := fmt.Sprintf("together-%d", round)
		if err := give(survivor, last); err != nil {
			return err
		}
		if err := victim.await(last, "yes"); err != nil {
			return err
		}
		if err := errors.Join(check(survivor), check(victim)); err != nil {
			return err
		}
		victim, survivor = survivor, victim
	}
	return nil
}

func TestTakeoverLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := drawPlan(rt)
		var err error
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			err = plan.tell(l)
			l.stop()
			time.Sleep(drain)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
