package agent

import (
	"context"
	"fmt"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/peer"
)

// rotate has the coordinator rotate the key.
func (w *whole) rotate(withoutAbsent bool) (api.KeyRotateReply, error) {
	d := w.coordinator()
	if d == nil {
		return api.KeyRotateReply{}, fmt.Errorf("nobody coordinates")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return backend{d}.RotateKey(ctx, api.KeyRotateRequest{WithoutAbsent: withoutAbsent})
}

// oneKey says what keeps a node from having this key alone, in its file and in memory.
func (w *whole) oneKey(key string, nodes ...*wholeNode) string {
	for _, n := range nodes {
		d := n.daemon()
		if d == nil {
			return n.name + " is off"
		}
		opt := n.options()
		file, err := peer.LoadRing(opt.keyPath())
		if err != nil {
			return err.Error()
		}
		for _, r := range []peer.Ring{file, d.current().keys.now()} {
			if r.Rotating() || r.Current.CAFingerprint().String() != key {
				return fmt.Sprintf("%s has %d keys, the current one is %s", n.name, len(r.Keys()), r.Current.CAFingerprint())
			}
		}
	}
	return ""
}

// The key is rotated while services run: nobody is lost, the coordinator stays, no agent is told to do anything, and afterwards the old key
// opens nothing. It is done twice, as the second must not stumble over the first.
func TestKeyRotation(t *testing.T) {
	for _, nodes := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			tell(t, nodes, 1, func(w *whole) {
				for range 2 {
					old := w.nodes[0].daemon().current().keys.now().Current
					w.mu.Lock()
					starts := w.starts
					w.mu.Unlock()
					r, err := w.rotate(false)
					if err != nil || r.Waiting || len(r.Nodes) != nodes || r.Key == old.CAFingerprint().String() {
						w.violate("rotate: %+v, %v", r, err)
						return
					}
					if why := w.oneKey(r.Key, w.nodes...); why != "" {
						w.violate("after the rotation %s", why)
					}
					if !w.watch(10*time.Second, "after the rotation") {
						return
					}
					w.mu.Lock()
					if w.starts != starts {
						w.violate("services were started for a rotation")
					}
					w.mu.Unlock()
					if !w.apply("a change", standbyOff(w.nodes[0])) {
						w.violate("no change is committed after the rotation")
					}
					stranger, err := peer.New(peer.Config{
						Keys: []peer.Key{old}, Identity: peer.Identity{Cluster: "whole", Node: "x", ID: "x"}, NetDial: w.nodes[0].socket().Dial,
					})
					if err != nil {
						w.violate("%v", err)
						return
					}
					if c, err := stranger.Dial(context.Background(), w.nodes[0].ip+":7947", peer.ALPNHTTP); err == nil {
						c.Close()
						w.violate("the old key still opens the peer port")
					}
					stranger.Close()
				}
			})
		})
	}
}

// A rotation is cut short at every step, by the crash of a node that then comes back, or of the coordinator: the same command goes
// on with it, and all have one key, the same.
func TestKeyRotationIsResumed(t *testing.T) {
	for _, until := range []string{stepAccept, stepUse, stepDrop} {
		for taken := 1; taken <= 3; taken++ {
			t.Run(fmt.Sprintf("%s on %d of 3", until, taken), func(t *testing.T) {
				tell(t, 3, 1, func(w *whole) {
					w.expectFencing()
					next := peer.NewKey()
					full := next.CAFingerprint().Hex()
					for _, s := range []keyStep{{Step: stepAccept, Key: next.Hex()}, {Step: stepUse, Fingerprint: full}, {Step: stepDrop, Fingerprint: full}} {
						last := s.Step == until
						for i, n := range w.nodes {
							if last && i == taken {
								break
							}
							if _, err := n.daemon().current().take(s); err != nil {
								w.violate("%s: %v", s.Step, err)
								return
							}
						}
						if last {
							break
						}
					}
					if !w.watch(5*time.Second, "in the middle of a rotation") {
						return
					}
					name, _ := w.term()
					for _, n := range w.nodes {
						if n.name == name {
							n.off(false, "crash of the daemon")
							n.on()
						}
					}
					if !w.must(2*time.Minute, "be one cluster again", func() string {
						if why := w.everybody(); why != "" {
							return why
						}
						return w.rest(3)
					}) {
						return
					}
					r, err := w.rotate(false)
					if err != nil || r.Waiting {
						w.violate("go on with the rotation: %+v, %v", r, err)
						return
					}
					if why := w.oneKey(r.Key, w.nodes...); why != "" {
						w.violate("afterwards %s", why)
					}
					if until != stepDrop && r.Key != next.CAFingerprint().String() {
						w.violate("another key was drawn, and the one before is known to some")
					}
				})
			})
		}
	}
}

// A node without power misses the rotation: the old key stays accepted, the node fetches the new one when it comes back, and the same
// command ends the rotation. Another time the old key is dropped without waiting: the node says what is wrong, and a token brings
// it back.
func TestKeyRotationWithoutANode(t *testing.T) {
	tell(t, 3, 1, func(w *whole) {
		w.expectFencing()
		w.mu.Lock()
		w.dark = true
		w.mu.Unlock()
		away := w.nodes[2]
		w.kill(away)
		if !w.must(time.Minute, "go on with two", func() string { return w.rest(2) }) {
			return
		}
		r, err := w.rotate(false)
		if err != nil || !r.Waiting || len(r.Absent) != 1 || r.Absent[0] != away.name {
			w.violate("rotate without %s: %+v, %v", away.name, r, err)
			return
		}
		away.on()
		if !w.must(time.Minute, "take it in with the key that it fetched", func() string { return w.rest(3) }) {
			return
		}
		if r, err = w.rotate(false); err != nil || r.Waiting {
			w.violate("end the rotation: %+v, %v", r, err)
			return
		}
		if why := w.oneKey(r.Key, w.nodes...); why != "" {
			w.violate("afterwards %s", why)
		}

		w.kill(away)
		if !w.must(time.Minute, "go on with two again", func() string { return w.rest(2) }) {
			return
		}
		if r, err = w.rotate(true); err != nil || r.Waiting {
			w.violate("rotate and do not wait: %+v, %v", r, err)
			return
		}
		away.on()
		if !w.must(time.Minute, "say what is wrong", func() string { return w.problem(away, "key-replaced", away.name) }) {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		token, err := backend{w.nodes[0].daemon()}.Token(ctx, api.TokenRequest{TTL: api.Duration(time.Hour)})
		if err != nil {
			w.violate("a token: %v", err)
			return
		}
		if _, err := (backend{away.daemon()}).RenewKey(ctx, token.Token); err != nil {
			w.violate("renew the key: %v", err)
			return
		}
		if w.must(time.Minute, "take it in with the key of the token", func() string { return w.rest(3) }) {
			if why := w.oneKey(r.Key, w.nodes...); why != "" {
				w.violate("afterwards %s", why)
			}
		}
	})
}
