package membership

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

// fault is something that befalls a cluster.
type fault struct {
	Kind string // kill, start, leave, split, oneway, heal, loss
	Node int    // 1..n
	Wait time.Duration
}

func genFault(n int) *rapid.Generator[fault] {
	return rapid.Custom(func(t *rapid.T) fault {
		return fault{
			Kind: rapid.SampledFrom([]string{"kill", "kill", "start", "start", "leave", "split", "oneway", "heal", "loss"}).Draw(t, "kind"),
			Node: rapid.IntRange(1, n).Draw(t, "node"),
			Wait: time.Duration(rapid.IntRange(0, 5000).Draw(t, "wait")) * time.Millisecond,
		}
	})
}

// TestWhateverHappensItConverges lets anything befall a cluster. Once the faults are over and everybody runs, all views are
// right within convergeMax.
func TestWhateverHappensItConverges(t *testing.T) {
	const n = 4
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfN(genFault(n), 0, 12).Draw(rt, "faults")
		var err error
		synctest.Test(t, func(t *testing.T) { err = suffer(t, n, faults) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// convergeMax: a partition heals within HealMax; who restarted during a false alarm is let in again by the next exchange
// of states.
const convergeMax = HealMax + 2*5*time.Second

func suffer(t *testing.T, n int, faults []fault) error {
	w := newWorld(t)
	var seeds []string
	for i := 1; i <= n; i++ {
		seeds = append(seeds, ipOf(i)+":7946")
	}
	running := map[int]*Membership{}
	start := func(i int) {
		if running[i] == nil {
			c := w.config(i, LAN)
			c.Seeds = seeds
			running[i] = w.start(c)
		}
	}
	for i := 1; i <= n; i++ {
		start(i)
	}
	time.Sleep(2 * time.Second)
	var loss atomic.Bool
	var packets atomic.Int64
	w.net.SetDelay(func(_, _ string) (time.Duration, bool) {
		return time.Millisecond, packets.Add(1)%4 == 0 && loss.Load()
	})
	for _, f := range faults {
		switch m := running[f.Node]; f.Kind {
		case "kill":
			if m != nil {
				w.kill(m)
				running[f.Node] = nil
			}
		case "start":
			start(f.Node)
		case "leave":
			if m != nil {
				m.Leave(t.Context())
				w.kill(m)
				running[f.Node] = nil
			}
		case "split":
			var left, right []string
			for i := 1; i <= n; i++ {
				if i <= f.Node {
					left = append(left, ipOf(i))
				} else {
					right = append(right, ipOf(i))
				}
			}
			w.net.Split(left, right)
		case "oneway":
			w.net.Cut(ipOf(f.Node), ipOf(f.Node%n+1))
		case "heal":
			w.net.Heal()
			loss.Store(false)
		case "loss":
			loss.Store(true)
		}
		time.Sleep(f.Wait)
	}
	w.net.Heal()
	loss.Store(false)
	for i := 1; i <= n; i++ {
		start(i)
	}
	deadline := time.Now().Add(convergeMax)
	for {
		err := agree(running, n)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// agree says which view is wrong.
func agree(running map[int]*Membership, n int) error {
	for i := 1; i <= n; i++ {
		v := running[i].View()
		for j := 1; j <= n; j++ {
			m, _ := v.Member(fmt.Sprintf("n%d", j))
			if want := running[j].config.Incarnation; m.Status != Alive || m.Incarnation != want {
				return fmt.Errorf("n%d sees n%d as %s in incarnation %s, and it runs as %s", i, j, m.Status, m.Incarnation, want)
			}
		}
	}
	return nil
}
