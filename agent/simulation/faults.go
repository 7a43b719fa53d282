package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/outcome"
)

// fault is one kind of trouble. It returns false if there is nothing that it could hit now.
type fault struct {
	name string
	do   func(w *world) bool
}

var faults = []fault{
	{"power cut", func(w *world) bool {
		n := w.any()
		if !n.power {
			return false
		}
		w.powerOff(n, "a power cut")
		w.powerOn(n, w.between(time.Second, 15*time.Second))
		return true
	}},
	{"power cut of the coordinator", func(w *world) bool {
		for _, n := range w.nodes {
			if n.core != nil {
				w.powerOff(n, "a power cut of the coordinator")
				w.powerOn(n, w.between(300*time.Millisecond, 10*time.Second))
				return true
			}
		}
		return false
	}},
	{"daemon killed", func(w *world) bool {
		n := w.any()
		if !n.up {
			return false
		}
		w.say("the daemon of %s is killed", n.name)
		n.stop()
		boot := n.boot
		w.after(w.between(50*time.Millisecond, 4*time.Second), func() {
			if n.power && n.boot == boot && !n.up {
				n.start()
			}
		})
		return true
	}},
	{"announced restart", func(w *world) bool {
		n, way := w.any(), w.rng.IntN(6)
		quick, dies, slow := w.between(50*time.Millisecond, restartTime-hearMax), w.between(0, 2*time.Second), w.between(restartTime, 8*time.Second)
		on := w.between(2500*time.Millisecond, 15*time.Second)
		return w.announce(n, func() {
			switch way {
			case 0: // it never comes back by itself
			case 1:
				w.after(dies, func() { w.powerOff(n, "a power cut in the middle of its restart") })
				w.powerOn(n, on)
			case 2: // slower than announced
				w.revive(n, slow)
			case 3: // what starts fails at once
				w.revive(n, min(quick, time.Second))
				w.after(time.Second+dies, func() {
					if n.up {
						w.say("the daemon of %s fails after its restart", n.name)
						n.stop()
						w.revive(n, slow)
					}
				})
			default:
				w.revive(n, quick)
			}
		})
	}},
	{"node cut off", func(w *world) bool {
		n := w.any()
		w.say("%s is cut off", n.name)
		for _, m := range w.nodes {
			w.cut(n, m, true, true)
		}
		return true
	}},
	{"link cut", func(w *world) bool {
		a, b := w.any(), w.any()
		w.say("the link of %s and %s is cut", a.name, b.name)
		w.cut(a, b, true, true)
		return a != b
	}},
	{"link cut one way", func(w *world) bool {
		a, b := w.any(), w.any()
		w.say("nothing gets from %s to %s", a.name, b.name)
		w.cut(a, b, true, false)
		return a != b
	}},
	{"short pause of the coordinator", func(w *world) bool {
		for _, n := range w.nodes {
			if n.core != nil && n.up {
				n.paused = max(n.paused, w.now+w.between(150*time.Millisecond, 1200*time.Millisecond))
				w.say("the coordinator %s stands still until %v", n.name, n.paused)
				return true
			}
		}
		return false
	}},
	{"slow sessions", func(w *world) bool {
		w.slow = w.between(100*time.Millisecond, 2*time.Second)
		w.say("messages of sessions take up to %v", w.slow)
		w.after(w.between(time.Second, 8*time.Second), func() { w.slow = 0 })
		return true
	}},
	{"cut at an admission", func(w *world) bool {
		w.snipers++
		return true
	}},
	{"move", func(w *world) bool {
		n := w.any()
		name := "r1"
		if w.states[0].CIB.Resource("r3") != nil && w.chance(0.5) {
			name = "r3"
		}
		return w.operator("move "+name+" to "+n.name, prefer(name, n.name))
	}},
	{"cut off as it returns", func(w *world) bool {
		n := w.any()
		if !n.power {
			return false
		}
		w.powerOff(n, "a power cut, and its links are cut when it is back")
		w.powerOn(n, w.between(time.Second, 5*time.Second))
		for _, m := range w.nodes {
			w.cutFor(n, m, true, true, w.between(5*time.Second, 20*time.Second))
		}
		return true
	}},
	{"long cut", func(w *world) bool {
		n := w.any()
		w.say("%s is cut off for long", n.name)
		d := w.between(10*time.Second, 30*time.Second)
		for _, m := range w.nodes {
			w.cutFor(n, m, true, true, d)
		}
		return true
	}},
	{"pause", func(w *world) bool {
		n := w.any()
		if !n.up {
			return false
		}
		d := w.between(100*time.Millisecond, 12*time.Second)
		w.say("%s stands still for %v", n.name, d)
		n.paused = max(n.paused, w.now+d)
		// It hears nobody and is not heard, as if it were gone: gossip's probes stay without an answer.
		if d > detectMin {
			for _, m := range w.nodes {
				w.cutFor(n, m, true, true, d)
			}
		}
		return true
	}},
	{"late messages", func(w *world) bool {
		w.late = 0.02 + 0.3*w.rng.Float64()
		w.after(w.between(time.Second, 8*time.Second), func() { w.late = 0 })
		return true
	}},
	{"device", func(w *world) bool {
		w.device.mode = []string{"fails", "hangs", "slow", "slow", "late answer", "says no"}[w.rng.IntN(6)]
		w.say("the fencing device %s", w.device.mode)
		w.after(w.between(time.Second, 20*time.Second), func() { w.device.mode = "" })
		return true
	}},
	{"service dies", func(w *world) bool {
		n := w.any()
		names := sorted(n.executor.active)
		if !n.power || len(names) == 0 {
			return false
		}
		n.executor.crash(names[w.rng.IntN(len(names))])
		return true
	}},
	{"agents", func(w *world) bool {
		w.agents = []string{"fail", "slow", "hang"}[w.rng.IntN(3)]
		w.say("resource agents %s", w.agents)
		w.after(w.between(time.Second, 6*time.Second), func() { w.agents = "" })
		return true
	}},
	{"clock step", func(w *world) bool {
		n := w.any()
		n.skew = w.between(0, 2*time.Hour) - time.Hour
		w.say("the wall clock of %s is wrong by %v", n.name, n.skew)
		return true
	}},
	{"flapping link", func(w *world) bool {
		a, b := w.any(), w.any()
		w.say("the link of %s and %s flaps", a.name, b.name)
		for at := time.Duration(0); at < 5*time.Second; at += w.between(200*time.Millisecond, 2*time.Second) {
			d := w.between(100*time.Millisecond, time.Second)
			w.after(at, func() { w.cutFor(a, b, true, true, d) })
		}
		return a != b
	}},
	{"restart of all", func(w *world) bool {
		power := w.chance(0.5)
		for _, n := range w.nodes {
			if power {
				w.powerOff(n, "a power cut of all")
				w.powerOn(n, w.between(300*time.Millisecond, 3*time.Second))
				continue
			}
			n.stop()
			boot := n.boot
			w.after(w.between(50*time.Millisecond, 3*time.Second), func() {
				if n.power && n.boot == boot && !n.up {
					n.start()
				}
			})
		}
		return true
	}},
	{"wiped disk", func(w *world) bool {
		var lost []*node // those that lie without power and have no vote any more
		for _, n := range w.nodes {
			if !n.power && n.votedOut() {
				lost = append(lost, n)
			}
		}
		if len(lost) == 0 {
			return false
		}
		n := lost[w.rng.IntN(len(lost))]
		w.say("the disk of %s is wiped", n.name)
		n.wiped = true
		n.log = raftLog{timer: n.log.timer, touched: map[string]bool{}}
		n.executor.highest, n.executor.callID, n.executor.unacked = 0, 0, nil
		w.fact(audit.Fact{Kind: audit.Wiped, Node: n.name})
		return true
	}},
	{"a person fences", func(w *world) bool {
		n := w.any()
		for _, lead := range w.nodes {
			if lead.core != nil && lead.log.ready && lead != n {
				w.say("a person has %s fenced", n.name)
				if w.asked == nil {
					w.asked = map[string]bool{}
				}
				w.asked[n.name] = true
				lead.tellCore(coordinator.FenceAsked{Target: n.name, Action: "reboot", Origin: "user root"})
				return true
			}
		}
		return false
	}},
	{"operator", func(w *world) bool {
		n := w.any()
		on, off, stopped := "true", "false", "Stopped"
		switch w.rng.IntN(12) {
		case 5:
			return w.operator("maintenance", cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode", Value: &on}})
		case 6:
			return w.operator("end of maintenance", cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode"}})
		case 7:
			return w.operator("unmanage r1", cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "is-managed", Value: &off}})
		case 8:
			return w.operator("manage r1", cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "is-managed"}})
		case 10:
			return w.operator("ban r1 from "+n.name, located("r1", n.name, "-INFINITY"))
		case 11:
			return w.operator("end of the ban of r1", cib.Change{DropConstraint: &cib.DropConstraint{ID: moveID}})
		case 9:
			return w.operator("replace the configuration", w.replaced())
		case 0:
			return w.operator("standby "+n.name, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &on}})
		case 1:
			return w.operator("online "+n.name, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &off}})
		case 2:
			return w.operator("stop r1", cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "target-role", Value: &stopped}})
		case 3:
			return w.operator("start r1", cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "target-role"}})
		}
		if ch := w.cleanup(); len(ch) > 0 {
			return w.operator("cleanup", cib.Change{Batch: ch})
		}
		return false
	}},
}

func (w *world) any() *node { return w.nodes[w.rng.IntN(len(w.nodes))] }

// cut cuts a link, for a while.
func (w *world) cut(a, b *node, there, back bool) {
	w.cutFor(a, b, there, back, w.between(200*time.Millisecond, 12*time.Second))
}

func (w *world) cutFor(a, b *node, there, back bool, d time.Duration) {
	if a == b {
		return
	}
	count := func(by int) {
		if w.over {
			return
		}
		if there {
			w.cuts[a.i][b.i] += by
		}
		if back {
			w.cuts[b.i][a.i] += by
		}
		w.hearing()
	}
	count(1)
	w.after(d, func() { count(-1) })
}

// admitted is told that somebody was committed as on its way to be a voter: a moment at which a cut hurts most.
func (w *world) admitted(by *node, grows string) {
	if w.snipers == 0 || w.over {
		return
	}
	var others []*node
	for _, n := range w.nodes {
		if n != by && n.id != grows && n.up && slices.Contains(by.log.latest(), n.id) {
			others = append(others, n)
		}
	}
	if len(others) == 0 {
		return
	}
	w.snipers--
	n := others[w.rng.IntN(len(others))]
	d := w.between(4*time.Second, 15*time.Second)
	w.after(w.between(0, 100*time.Millisecond), func() {
		w.say("%s is cut off while %s is on its way to be a voter", n.name, grows)
		for _, m := range w.nodes {
			w.cutFor(n, m, true, true, d)
		}
	})
}

// replaced is the configuration committed as a whole, with another stickiness: what an editing session does.
func (w *world) replaced() cib.Change {
	next := w.states[len(w.states)-1].CIB.Configuration
	next.RscDefaults = []cib.NVSet{{ID: "d", Pairs: []cib.NVPair{{ID: "d-s", Name: "resource-stickiness", Value: fmt.Sprint(w.rng.IntN(200))}}}}
	return cib.Change{Configure: &cib.Configure{Configuration: next}}
}

const moveID = "cli-prefer-r1"

// prefer is what a person's move leaves: a location.
func prefer(resource, node string) cib.Change { return located(resource, node, "500") }

func located(resource, node, score string) cib.Change {
	return cib.Change{PutConstraint: &cib.PutConstraint{Constraint: cib.Constraint{Location: &cib.Location{
		ID: moveID, Resource: resource, Node: node, Score: score,
	}}}}
}

// operator has a change committed by whoever leads.
func (w *world) operator(why string, ch cib.Change) bool {
	for _, n := range w.nodes {
		if n.core != nil && n.log.ready {
			w.say("an operator: %s", why)
			w.busy()
			w.news()
			n.propose(&entry{term: n.log.term, change: &ch, why: why})
			return true
		}
	}
	return false
}

// cleanup forgets all failures.
func (w *world) cleanup() []cib.Change {
	var out []cib.Change
	for _, st := range w.states[len(w.states)-1].CIB.Status.Nodes {
		for _, set := range st.Attributes {
			for _, p := range set.Pairs {
				if strings.HasPrefix(p.Name, "fail-count-") || strings.HasPrefix(p.Name, "last-failure-") {
					out = append(out, cib.Change{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: p.Name}})
				}
			}
		}
		for _, h := range st.Resources {
			for _, op := range h.Ops {
				if strings.HasSuffix(op.ID, "_last_failure_0") {
					out = append(out, outcome.Forget(st, h.ID)...)
					break
				}
			}
		}
	}
	return out
}

// heal ends all faults.
func (w *world) heal() {
	w.stir()
	w.over, w.late, w.slow, w.snipers, w.device.mode, w.agents = true, 0, 0, 0, "", ""
	w.say("everything is healed")
	for i := range w.cuts {
		clear(w.cuts[i])
	}
	for _, n := range w.nodes {
		switch { // who stands still does so to its end
		case !n.power:
			w.powerOn(n, 0)
		case !n.up:
			boot := n.boot
			w.after(0, func() {
				if n.power && n.boot == boot && !n.up {
					n.start()
				}
			})
		}
	}
	w.hearing()
}

// settle waits until the cluster is at rest with everything running, and demands that it comes to it.
func (w *world) settle() {
	deadline := w.now + settleMax
	clear, healed, kept := w.now, w.now, ""
	for w.out.Violation == nil {
		if w.now >= clear { // a person looks after what failed for good: a stop on the only node, a start everywhere
			if w.operator("all clear", w.allClear()) {
				clear, w.cleared = w.now+clearEvery, w.now
			}
		}
		w.lively()
		why := w.unrest()
		if why == "" {
			if why = w.missing(); why == "" {
				w.out.Rest = w.now - healed - quietFor
				w.fact(audit.Fact{Kind: audit.Rest})
				w.back(0)
				w.watch()
				return
			}
		}
		if why != justNow {
			kept = why
		}
		if w.now > deadline {
			w.violate(atRest, "after %v: %s", settleMax, kept)
			return
		}
		w.until(w.now + 500*time.Millisecond)
	}
}

// allClear forgets all failures and takes back what operators asked for.
func (w *world) allClear() cib.Change {
	off := "false"
	out := cib.Change{Batch: w.cleanup()}
	for _, n := range w.nodes {
		out.Batch = append(out.Batch, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &off}})
	}
	out.Batch = append(out.Batch, cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "target-role"}})
	out.Batch = append(out.Batch, cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "is-managed"}})
	out.Batch = append(out.Batch, cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode"}})
	if slices.ContainsFunc(w.states[len(w.states)-1].CIB.Configuration.Constraints, func(c *cib.Constraint) bool { return c.Location != nil && c.Location.ID == moveID }) {
		out.Batch = append(out.Batch, cib.Change{DropConstraint: &cib.DropConstraint{ID: moveID}})
	}
	return out
}

const justNow = "something happened just now"

// unrest says what keeps the cluster from rest.
func (w *world) unrest() string {
	var lead *node
	for _, n := range w.nodes {
		if !n.up {
			return n.name + " is down"
		}
		if n.paused > w.now {
			return n.name + " stands still"
		}
		if n.core != nil {
			if lead != nil {
				return "two coordinate"
			}
			lead = n
		}
	}
	if lead == nil {
		return "nobody coordinates"
	}
	p := lead.core.Progress()
	if !p.Idle {
		return fmt.Sprintf("%s is not idle: %d in flight, fences %+v", lead.name, len(p.InFlight), p.Fences)
	}
	if w.now-w.lastDo < quietFor {
		return justNow
	}
	for _, n := range w.nodes {
		if st := lead.snapshot().CIB.NodeState(n.id); st == nil || st.CRMD != "online" || st.Join != "member" {
			return n.name + " is not online"
		}
		if n.wiped && n.log.commit < lead.log.commit {
			return n.name + " has not caught up since its disk was emptied"
		}
	}
	return ""
}

// missing says which resource runs nowhere.
func (w *world) missing() string {
	c := w.states[len(w.states)-1].CIB
	bounds := audit.ConfigOf(c).Bounds
	for _, r := range c.Primitives() {
		at := 0
		for _, n := range w.nodes {
			if n.executor.active[r.ID] != nil {
				at++
			}
		}
		want := 1
		if b, many := bounds[r.ID]; many {
			want = b.Active
		}
		if at != want {
			return fmt.Sprintf("%s is active on %d nodes, wanted %d", r.ID, at, want)
		}
	}
	return ""
}
