package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"paceline/agent/api"
)

// reload is SIGHUP and what the unit does then: the daemon says that it starts anew, and ends; its services run on. The daemon that
// follows starts after a while.
func (n *wholeNode) reload(away time.Duration) {
	n.hangUp()
	time.Sleep(away)
	n.on()
}

// hangUp ends the daemon with its announcement.
func (n *wholeNode) hangUp() {
	n.daemon().announceRestart(context.Background())
	n.off(false, "SIGHUP")
	n.mu.Lock()
	stopped := n.stopped
	n.mu.Unlock()
	<-stopped
}

// places says what is active where, and how many starts there were.
func (w *whole) places() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%d starts;", w.starts)
	for _, name := range slices.Sorted(maps.Keys(w.active)) {
		text += fmt.Sprintf(" %s on %v", name, slices.Sorted(maps.Keys(w.active[name])))
	}
	return text
}

// unmoved demands that nothing was started or moved since, and that the cluster is at rest.
func (w *whole) unmoved(before, what string) bool {
	if !w.settle(time.Minute, false, "come to rest after "+what) {
		return false
	}
	if now := w.places(); now != before {
		w.violate("%s moved something: %s, before: %s", what, now, before)
		return false
	}
	return true
}

// stateOf is the word of status for a node.
func (w *whole) stateOf(on *wholeNode, node string) (api.NodeState, string) {
	b := backend{on.daemon()}
	snap, err := b.Snapshot(context.Background())
	if err != nil {
		return "", err.Error()
	}
	live, err := b.Live(context.Background())
	if err != nil {
		return "", err.Error()
	}
	for _, n := range api.Summarize(snap, live, api.Plan{}, time.Now()).Nodes {
		if n.Name == node {
			return n.State, n.Cause
		}
	}
	return "", "not listed"
}

// A daemon that starts anew as it announced is waited for, and nothing moves: also the coordinator's, one after the other in a whole
// cluster, and with two nodes, where the other has no quorum meanwhile.
func TestAnnouncedRestarts(t *testing.T) {
	for _, nodes := range []int{2, 3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			tell(t, nodes, 1, func(w *whole) {
				before := w.places()
				for _, away := range []time.Duration{100 * time.Millisecond, 1500 * time.Millisecond, 2200 * time.Millisecond} {
					for _, n := range w.nodes {
						n.reload(away)
						if !w.unmoved(before, fmt.Sprintf("a reload of %s that took %v", n.name, away)) {
							return
						}
					}
				}
			})
		})
	}
}

// Without its word a daemon that is away for as long is missed, and its node fenced: the story above proves something.
func TestARestartWithoutAWord(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		tell(t, nodes, 1, func(w *whole) {
			w.expectFencing()
			n := w.nodes[1]
			n.off(false, "killed")
			time.Sleep(1500 * time.Millisecond)
			n.on()
			if !w.settle(time.Minute, false, "come to rest") {
				return
			}
			if w.fenced != 1 {
				w.violate("%d nodes: %d fencings", nodes, w.fenced)
			}
		})
	}
}

// A node that does not come back is fenced when the time is over: that its power fails meanwhile costs the rest of that time, and
// nothing else. People are told meanwhile why it is not fenced yet.
func TestAnAnnouncedRestartThatNeverEnds(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		for _, power := range []bool{false, true} {
			tell(t, nodes, 1, func(w *whole) {
				w.expectFencing()
				w.dark = true
				n, other := w.nodes[1], w.nodes[0]
				n.hangUp()
				said := time.Now()
				if power {
					n.off(true, "a power cut")
				}
				time.Sleep(2500 * time.Millisecond)
				if state, cause := w.stateOf(other, n.name); state != api.NodeRestarting {
					w.violate("after %v status calls %s %s: %s", time.Since(said), n.name, state, cause)
				}
				w.mu.Lock()
				fenced := w.fenced
				w.mu.Unlock()
				if fenced != 0 {
					w.violate("fenced within %v", time.Since(said))
				}
				if !w.must(3*time.Second, "fence the node that does not come back", func() string {
					w.mu.Lock()
					defer w.mu.Unlock()
					if w.fenced == 0 {
						return "it is not"
					}
					return ""
				}) {
					return
				}
				if took := time.Since(said); took < 3*time.Second || took > 4200*time.Millisecond {
					w.violate("%d nodes: fenced %v after it said that it is back within 3 s", nodes, took)
				}
				w.must(10*time.Second, "run everything on the others", func() string {
					w.mu.Lock()
					defer w.mu.Unlock()
					for _, name := range []string{"r1", "r2", "g1", "g2"} {
						if len(w.active[name]) != 1 || w.active[name][n.name] {
							return fmt.Sprintf("%s is active on %v", name, w.active[name])
						}
					}
					return ""
				})
				n.on()
				w.settle(time.Minute, false, "come to rest with the node that was fenced")
			})
		}
	}
}

// Whoever coordinates next knows of the announcement.
func TestAnAnnouncedRestartUnderTwoCoordinators(t *testing.T) {
	tell(t, 3, 1, func(w *whole) {
		before := w.places()
		name, _ := w.term()
		i := slices.IndexFunc(w.nodes, func(n *wholeNode) bool { return n.name != name })
		n := w.nodes[i]
		n.hangUp()
		time.Sleep(time.Second)
		w.coordinator().current().handOver(context.Background()) // two of three are there: one of them leads
		if now, _ := w.term(); now == name {
			w.violate("%s coordinates still", now)
		}
		time.Sleep(1200 * time.Millisecond)
		n.on()
		w.unmoved(before, "a reload under two coordinators")
	})
}

// The daemon that comes back and fails at once had no announcement of its own.
func TestAnAnnouncementIsForOneRestart(t *testing.T) {
	tell(t, 3, 1, func(w *whole) {
		w.expectFencing()
		n := w.nodes[2]
		before := w.places()
		n.reload(500 * time.Millisecond)
		if !w.unmoved(before, "a reload") {
			return
		}
		n.off(false, "killed")
		w.must(2*time.Second, "fence the node whose daemon was killed", func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.fenced != 1 {
				return fmt.Sprint(w.fenced, " fencings")
			}
			return ""
		})
		w.settle(time.Minute, false, "come to rest")
	})
}

// A machine is back with an empty disk before anybody has missed it: by gossip it is alive, as the one that it was. It is one that is lost.
func TestANodeThatIsBackAtOnceWithoutItsDisk(t *testing.T) {
	tell(t, 4, 1, func(w *whole) {
		w.calm, w.over = false, true
		w.nodes[3].replace(20 * time.Millisecond)
		w.settle(time.Minute, false, "take the node in again")
		if w.fenced == 0 {
			w.violate("nobody fenced the node that was lost")
		}
	})
}
