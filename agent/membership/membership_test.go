package membership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/membership/memnet"
)

// world is a cluster in memory.
type world struct {
	t      testing.TB
	net    *memnet.Net
	nodes  map[string]*Membership
	starts int
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, net: memnet.New(), nodes: map[string]*Membership{}}
	t.Cleanup(func() {
		for _, m := range w.nodes {
			m.Close()
		}
		time.Sleep(time.Minute) // timers of the libraries run out
	})
	return w
}

func ipOf(i int) string { return fmt.Sprintf("10.0.0.%d", i) }

// config is that of node i: n1, n2, ...
func (w *world) config(i int, p Profile) Config {
	w.starts++
	return Config{
		Cluster: "c1", Name: fmt.Sprintf("n%d", i), ID: fmt.Sprintf("id%d", i), Incarnation: fmt.Sprintf("inc%d.%d", i, w.starts),
		Boot: fmt.Sprintf("boot%d", i), Version: "0.1", Role: RoleVoter, Address: ipOf(i), Port: 7946, PeerPort: 7947,
		Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Profile: p,
	}
}

func (w *world) start(c Config) *Membership {
	w.t.Helper()
	if c.Transport == nil {
		tr, err := w.net.Transport(c.Address, c.Port)
		if err != nil {
			w.t.Fatal(err)
		}
		c.Transport = tr
	}
	m, err := Start(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[c.Incarnation] = m
	return m
}

// cluster starts nodes 1..n and lets them find each other.
func (w *world) cluster(n int, p Profile) []*Membership {
	w.t.Helper()
	var ms []*Membership
	for i := 1; i <= n; i++ {
		m := w.start(w.config(i, p))
		if i > 1 {
			if _, err := m.Join(w.t.Context(), []string{ipOf(1) + ":7946"}); err != nil {
				w.t.Fatal(err)
			}
		}
		ms = append(ms, m)
	}
	for _, m := range ms {
		await(w.t, m, 10*time.Second, "all are alive", func(v View) bool { return len(v.Alive()) == n })
	}
	return ms
}

// kill cuts a node's power.
func (w *world) kill(m *Membership) {
	w.net.Kill(m.config.Address)
	m.Close()
	delete(w.nodes, m.config.Incarnation)
}

// await waits for a view that fits, and returns how long it took.
func await(t testing.TB, m *Membership, bound time.Duration, what string, fits func(View) bool) time.Duration {
	t.Helper()
	began := time.Now()
	deadline := time.After(bound)
	for {
		if fits(m.View()) {
			return time.Since(began)
		}
		select {
		case <-m.Views():
		case <-deadline:
			t.Fatalf("%s: not within %s that %s: %+v", m.config.Name, bound, what, m.View())
		}
	}
}

func status(name string, want Status) func(View) bool {
	return func(v View) bool { m, _ := v.Member(name); return m.Status == want }
}

func TestThreeMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		v := ms[1].View()
		want := Member{Name: "n3", ID: "id3", Incarnation: "inc3.3", Boot: "boot3", Addr: "10.0.0.3", Port: 7946, PeerPort: 7947,
			Role: RoleVoter, Version: "0.1", Status: Alive}
		got, _ := v.Member("n3")
		got.Since = time.Time{}
		if got != want {
			t.Errorf("n3 is %+v, want %+v", got, want)
		}
		if !slices.Equal(v.Alive(), []string{"n1", "n2", "n3"}) {
			t.Errorf("alive: %v", v.Alive())
		}
		if byID, ok := v.ByID("id1"); !ok || byID.Name != "n1" {
			t.Errorf("ByID: %+v", byID)
		}
		for _, m := range ms {
			if p := m.Problems(); len(p) > 0 {
				t.Errorf("problems: %+v", p)
			}
		}
	})
}

func TestViewsAreNumberedWithoutGaps(t *testing.T) {
	tab := newTable()
	for i := range 5 {
		tab.mu.Lock()
		tab.publish()
		tab.mu.Unlock()
		if i%2 == 0 {
			continue // a late reader
		}
		if v := <-tab.views; v.Seq != uint64(i+1) {
			t.Errorf("view %d, want the latest, %d", v.Seq, i+1)
		}
	}
}

// A leave that nobody answers, closed at any moment of it: it ends, and nothing panics.
func TestCloseDuringLeave(t *testing.T) {
	for after := time.Duration(0); after <= 3*LAN.LeaveWait; after += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			ms := w.cluster(2, LAN)
			w.net.Kill(ipOf(1))
			go ms[1].Leave(t.Context())
			time.Sleep(after)
			began := time.Now()
			ms[1].Close()
			if took := time.Since(began); took > 3*LAN.LeaveWait {
				t.Errorf("closed after %v: took %v", after, took)
			}
		})
	}
}

func TestLeaveIsNotFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		began := time.Now()
		if err := ms[2].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*LAN.LeaveWait {
			t.Errorf("took %s", took)
		}
		ms[2].Close()
		for _, m := range ms[:2] {
			await(t, m, time.Second, "n3 left", status("n3", Left))
		}
		time.Sleep(10 * time.Second)
		for _, m := range ms[:2] {
			if !status("n3", Left)(m.View()) {
				t.Errorf("%+v", m.View())
			}
		}
		// It comes back, and this time it dies: that is a failure, whatever was said before.
		again := w.start(w.config(3, LAN))
		if _, err := again.Join(t.Context(), []string{ipOf(1) + ":7946"}); err != nil {
			t.Fatal(err)
		}
		for _, m := range ms[:2] {
			await(t, m, 5*time.Second, "n3 is back", status("n3", Alive))
		}
		time.Sleep(time.Second)
		w.kill(again)
		for _, m := range ms[:2] {
			await(t, m, 5*time.Second, "n3 failed", status("n3", Failed))
		}
		if !ms[0].Forget("n3") || ms[0].Forget("n2") {
			t.Error("Forget should take n3 out, and not n2")
		}
		if _, there := ms[0].View().Member("n3"); there {
			t.Error("n3 is still there")
		}
	})
}

func TestRestartFasterThanDetection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		w.kill(ms[2])
		time.Sleep(100 * time.Millisecond)
		again := w.start(w.config(3, LAN))
		if _, err := again.Join(t.Context(), []string{ipOf(1) + ":7946"}); err != nil {
			t.Fatal(err)
		}
		for _, m := range ms[:2] {
			for {
				n3, _ := m.View().Member("n3")
				if n3.Status != Alive {
					t.Fatalf("n3 is %s", n3.Status)
				}
				if n3.Incarnation == again.config.Incarnation {
					break
				}
				select {
				case <-m.Views():
				case <-time.After(time.Second):
					t.Fatalf("the new incarnation is not seen: %+v", n3)
				}
			}
			if p := m.Problems(); len(p) > 0 {
				t.Errorf("problems: %+v", p)
			}
		}
	})
}

func TestPartitionHeals(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		for _, apart := range []time.Duration{2 * time.Second, 2 * time.Minute} {
			t.Run(fmt.Sprintf("%d/%s", n, apart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					ms := w.cluster(n, LAN)
					var left, right []string
					for i := 1; i <= n; i++ {
						if i <= n/2 {
							left = append(left, ipOf(i))
						} else {
							right = append(right, ipOf(i))
						}
					}
					w.net.Split(left, right)
					for i, m := range ms {
						side := len(left)
						if i >= len(left) {
							side = len(right)
						}
						await(t, m, 2*LAN.Detect(n), "the other side failed", func(v View) bool { return len(v.Alive()) == side })
					}
					time.Sleep(apart)
					w.net.Heal()
					began := time.Now()
					for _, m := range ms {
						await(t, m, HealMax-time.Since(began), "all are alive again", func(v View) bool { return len(v.Alive()) == n })
					}
					t.Logf("healed after %s", time.Since(began))
				})
			})
		}
	}
}

func TestOneWayCut(t *testing.T) {
	// n3 hears everybody and is heard by n2 alone: through n2 it stays alive. Memberlist probes indirectly.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		w.net.Cut(ipOf(3), ipOf(1))
		time.Sleep(30 * time.Second)
		if v := ms[0].View(); len(v.Alive()) != 3 {
			t.Errorf("%+v", v)
		}
	})
}

func TestSecondOfANameIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		c := w.config(4, LAN)
		c.Name = "n2"
		second := w.start(c)
		_, err := second.Join(t.Context(), []string{ipOf(1) + ":7946"})
		if !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), "two nodes are called n2: node id4 at 10.0.0.4:7946 is a member, node id2 at 10.0.0.2:7946 is refused") {
			t.Errorf("join: %v", err)
		}
		time.Sleep(20 * time.Second)
		for _, m := range ms {
			if n2, _ := m.View().Member("n2"); n2.ID != "id2" || n2.Status != Alive {
				t.Errorf("%s sees n2 as %+v", m.config.Name, n2)
			}
		}
		want := "two nodes are called n2: node id2 at 10.0.0.2:7946 is a member, node id4 at 10.0.0.4:7946 is refused"
		if p := ms[0].Problems(); len(p) != 1 || p[0].Kind != NameCollision || p[0].Remote != "10.0.0.4:7946" || !strings.HasPrefix(p[0].Text, want) {
			t.Errorf("problems: %+v", p)
		}
	})
}

func TestCopiedMachineIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		c := w.config(2, LAN)
		c.Address = ipOf(9)
		clone := w.start(c)
		if _, err := clone.Join(t.Context(), []string{ipOf(1) + ":7946"}); !errors.Is(err, ErrNameTaken) {
			t.Errorf("join: %v", err)
		}
		// Seen once it may be a node that has moved. The copy exchanges all it knows with one of the three every half minute or so,
		// drawn by lot: within minutes each has seen it twice.
		for range 30 {
			time.Sleep(20 * time.Second)
			if len(ms[0].Problems()) > 0 {
				break
			}
		}
		if n2, _ := ms[0].View().Member("n2"); n2.Addr != ipOf(2) || n2.Status != Alive {
			t.Errorf("n2 is %+v", n2)
		}
		if p := ms[0].Problems(); len(p) == 0 || !strings.Contains(p[0].Text, "have the same node ID id2") {
			t.Errorf("problems: %+v", p)
		}
	})
}

func TestSecondAtAnAddressIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		c := w.config(4, LAN)
		c.Address = ipOf(2)
		c.Transport = w.net.Share(ipOf(2), 7946) // steals n2's packets, as a second machine with its address does
		second := w.start(c)
		second.Join(t.Context(), []string{ipOf(1) + ":7946"})
		time.Sleep(200 * time.Millisecond)
		want := "two nodes have the address 10.0.0.2:7946: n2 (node id2) is a member, n4 (node id4) is refused"
		if p := ms[0].Problems(); len(p) != 1 || p[0].Kind != AddressCollision || p[0].Text != want {
			t.Errorf("problems: %+v", p)
		}
		if _, in := ms[0].View().Member("n4"); in {
			t.Error("n4 was let in")
		}
	})
}

func TestMovedNodeIsLetInOnceItsOldSelfIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		w.kill(ms[2])
		c := w.config(3, LAN)
		c.Address = ipOf(33)
		c.Seeds = []string{ipOf(1) + ":7946"}
		moved := w.start(c)
		for _, m := range ms[:2] {
			// It was refused while its old self was not missed yet, and is heard again by the next exchange of all state, of which
			// each has one about every PushPull with somebody drawn by lot.
			await(t, m, 12*LAN.PushPull, "n3 is at its new address", func(v View) bool {
				n3, _ := v.Member("n3")
				return n3.Status == Alive && n3.Addr == ipOf(33)
			})
		}
		time.Sleep(LAN.PushPull)
		for _, m := range append(ms[:2], moved) {
			if p := m.Problems(); len(p) > 0 {
				t.Errorf("%s still shows %+v", m.config.Name, p)
			}
		}
	})
}

func TestReinstalledNodeTakesItsNameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ms := w.cluster(3, LAN)
		w.kill(ms[2])
		await(t, ms[0], 5*time.Second, "n3 failed", status("n3", Failed))
		await(t, ms[1], 5*time.Second, "n3 failed", status("n3", Failed))
		c := w.config(3, LAN)
		c.ID = "id3-reinstalled"
		c.Address = ipOf(33)
		w.start(c)
		if _, err := w.nodes[c.Incarnation].Join(t.Context(), []string{ipOf(1) + ":7946"}); err != nil {
			t.Fatal(err)
		}
		for _, m := range ms[:2] {
			await(t, m, 10*time.Second, "n3 is back with its new ID", func(v View) bool {
				n3, _ := v.Member("n3")
				return n3.Status == Alive && n3.ID == "id3-reinstalled" && n3.Addr == ipOf(33)
			})
		}
	})
}

func TestForeignGossipIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log bytes.Buffer
		c := w.config(1, LAN)
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		home := w.start(c)

		other := w.config(2, LAN)
		other.Cluster = "c2"
		key := w.config(3, LAN)
		key.Keys = [][]byte{bytes.Repeat([]byte{8}, 32)}
		for _, c := range []Config{other, key} {
			m := w.start(c)
			if _, err := m.Join(t.Context(), []string{ipOf(1) + ":7946"}); err == nil {
				t.Errorf("%s %s joined", c.Cluster, c.Name)
			}
		}
		stray, err := w.net.Transport(ipOf(4), 7946)
		if err != nil {
			t.Fatal(err)
		}
		stray.WriteTo([]byte("hello"), ipOf(1)+":7946")
		synctest.Wait()
		var got []string
		for _, p := range home.Problems() {
			got = append(got, p.Kind+": "+p.Text)
		}
		want := []string{
			`foreign-cluster: 10.0.0.2 sends gossip of a cluster called "c2", this is cluster "c1": it is ignored`,
			`foreign-cluster: 10.0.0.4 sends gossip of something that is not paceline, this is cluster "c1": it is ignored`,
			"wrong-key: 10.0.0.3 sends gossip that the key of this cluster does not open: it is ignored (it has another cluster key)",
		}
		if !slices.Equal(got, want) {
			t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if v := home.View(); len(v.Members) != 1 {
			t.Errorf("somebody was let in: %+v", v)
		}
		for _, remote := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"} {
			if n := strings.Count(log.String(), "remote="+remote); n != 1 {
				t.Errorf("%s is in %d log lines:\n%s", remote, n, &log)
			}
		}
	})
}

func TestProblemsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := 0
		p := newProblems(func(Problem) { reports++ })
		for i := range 1000 {
			p.add(ForeignCluster, "10.0.0.9", fmt.Sprint("made up ", i), 0)
		}
		if got := p.all(); len(got) != problemsMax || reports != reportsMax || len(p.reported) > reportsMax {
			t.Errorf("%d problems, %d reports", len(got), reports)
		}
		p.add(WrongKey, "10.0.0.9", "the same", 0)
		time.Sleep(problemKeep)
		p.add(WrongKey, "10.0.0.9", "the same", 0)
		time.Sleep(problemKeep + time.Second)
		if got := p.all(); len(got) != 0 || len(p.reported) != 0 {
			t.Errorf("still %+v", got)
		}
	})
}

func TestSeedsAreCalledUntilSomebodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.config(1, LAN)
		c.Seeds = []string{"10.0.0.1:7946", "10.0.0.2:7946", "10.0.0.3:7946"}
		first := w.start(c)
		time.Sleep(time.Minute)
		w.start(w.config(2, LAN))
		await(t, first, HealMax, "n2 is there", status("n2", Alive))
	})
}

func TestJoinTellsWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.start(w.config(1, LAN))
		for addr, want := range map[string]string{
			"10.0.0.9:7946": "10.0.0.9:7946",
			"nowhere":       `"nowhere" is not of the form host:port`,
		} {
			if _, err := m.Join(t.Context(), []string{addr}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", addr, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := m.Join(ctx, []string{"10.0.0.9:7946"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		began := time.Now()
		_, err := m.Join(t.Context(), []string{"10.0.0.7:7946", "10.0.0.8:7946", "10.0.0.9:7946"})
		if took := time.Since(began); err == nil || took > LAN.TCPTimeout {
			t.Errorf("three dead addresses took %s: %v", took, err)
		}
		m.Close()
		if _, err := m.Join(t.Context(), []string{"10.0.0.9:7946"}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := m.Leave(t.Context()); err != nil {
			t.Errorf("leave after close: %v", err)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	w := &world{}
	for want, spoil := range map[string]func(*Config){
		"no name":             func(c *Config) { c.Name = "" },
		"longer than 128":     func(c *Config) { c.Name = strings.Repeat("x", 129) },
		"cluster's name":      func(c *Config) { c.Cluster = "" },
		"has 3 bytes, not 32": func(c *Config) { c.Keys = [][]byte{[]byte("key")} },
		"is not an IP":        func(c *Config) { c.Address = "host" },
		"no address that":     func(c *Config) { c.Address = "0.0.0.0" },
		"no time profile":     func(c *Config) { c.Profile = Profile{} },
	} {
		c := w.config(1, LAN)
		spoil(&c)
		if _, err := Start(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := ProfileByName("lam"); err == nil || !strings.Contains(err.Error(), "allowed are lan, fast and wan") {
		t.Error(err)
	}
	for _, name := range []string{"", "lan", "fast", "wan"} {
		if _, err := ProfileByName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLoopback(t *testing.T) {
	ms := loopback(t, Fast)
	if _, err := Start(ms[0].config); err == nil || !strings.Contains(err.Error(), "127.0.77.1") {
		t.Errorf("started twice at one address: %v", err)
	}
	ms[2].Close()
	began := time.Now()
	for _, m := range ms[:2] {
		await(t, m, 20*time.Second, "n3 failed", status("n3", Failed))
	}
	t.Logf("known after %s", time.Since(began))
}

// loopback starts three members on addresses of their own and waits until they know each other.
func loopback(t testing.TB, p Profile) []*Membership {
	w := &world{}
	var ms []*Membership
	port := freePort(t)
	for i := 1; i <= 3; i++ {
		c := w.config(i, p)
		c.Address, c.Port = fmt.Sprintf("127.0.77.%d", i), port
		if i > 1 {
			c.Seeds = []string{fmt.Sprintf("127.0.77.1:%d", port)}
		}
		m, err := Start(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		ms = append(ms, m)
	}
	for _, m := range ms {
		await(t, m, 20*time.Second, "three are alive", func(v View) bool { return len(v.Alive()) == 3 })
	}
	return ms
}

// freePort returns a port that is free for UDP and TCP on 127.0.77.1.
func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.77.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
