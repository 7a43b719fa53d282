package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
)

// Announce returns the change by which a node's daemon says that it ends and starts anew, while what it started runs on. It is
// refused of a boot and incarnation that is not the member that is known: what it says holds for no other.
func Announce(c *cib.CIB, id, boot, incarnation string) (cib.Change, error) {
	switch st := c.NodeState(id); {
	case st == nil || !online(st) || st.Expected == "down" || st.Fenced != "":
		return cib.Change{}, errors.New("it is no member now")
	case boot == "" || incarnation == "" || st.Boot != boot || st.Incarnation != incarnation:
		return cib.Change{}, fmt.Errorf("the member that is known is its incarnation %s, not %s", st.Incarnation, incarnation)
	}
	text := boot + " " + incarnation
	return cib.Change{SetTransient: &cib.SetTransient{NodeID: id, Name: cib.RestartAttribute, Value: &text}}, nil
}

// announced returns of which boot and incarnation a node announced that its daemon starts anew.
func announced(st *cib.NodeState) (boot, incarnation string, ok bool) {
	for _, set := range st.Attributes {
		for _, p := range set.Pairs {
			if p.Name == cib.RestartAttribute {
				return strings.Cut(p.Value, " ")
			}
		}
	}
	return "", "", false
}

// Restart is a daemon that announced that it starts anew, and until when its node is waited for.
type Restart struct {
	Node  string
	Until time.Time
}

// restarts says how long nodes are waited for whose daemons announced that they start anew. What is committed names the boot and
// the incarnation; the time counts from when it is first seen here, once for each incarnation, so that no clock is compared with
// another's. Whoever coordinates after an election counts anew: then nobody else decided meanwhile.
type restarts struct {
	limit time.Duration
	seen  *cib.CIB
	known map[string]announcement // by node ID
}

type announcement struct {
	boot, incarnation string
	until             time.Time
}

func newRestarts(limit time.Duration) restarts {
	return restarts{limit: limit, known: map[string]announcement{}}
}

// note takes in what is committed, and returns the names of the nodes that it is the first to tell of.
func (r *restarts) note(now time.Time, c *cib.CIB) []string {
	if c == nil || c == r.seen {
		return nil
	}
	r.seen = c
	var fresh []string
	for _, st := range c.Status.Nodes {
		boot, incarnation, ok := announced(st)
		if have := r.known[st.ID]; !ok || have.boot == boot && have.incarnation == incarnation {
			continue
		}
		r.known[st.ID] = announcement{boot, incarnation, now.Add(r.limit)}
		if !r.until(st).IsZero() {
			fresh = append(fresh, st.Uname)
		}
	}
	return fresh
}

// until returns until when a node is waited for. It is the zero time for one that announced nothing in the boot and incarnation
// that it is a member in: the daemon that came back needs a word of its own.
func (r *restarts) until(st *cib.NodeState) time.Time {
	if st == nil || !isTrue(st.InCCM) || st.Expected == "down" || st.Fenced != "" {
		return time.Time{}
	}
	a := r.known[st.ID]
	if boot, incarnation, ok := announced(st); !ok || boot != st.Boot || incarnation != st.Incarnation || a.incarnation != incarnation {
		return time.Time{}
	}
	return a.until
}

// all lists the nodes that are waited for, or were until just now, by name, but those that are there: has says so.
func (r *restarts) all(has func(id string) bool) []Restart {
	if r.seen == nil {
		return nil
	}
	var out []Restart
	for _, st := range r.seen.Status.Nodes {
		if until := r.until(st); !until.IsZero() && !has(st.ID) {
			out = append(out, Restart{Node: st.Uname, Until: until})
		}
	}
	slices.SortFunc(out, func(a, b Restart) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// restartingUntil returns until when a member without a session is waited for, because its daemon said that it starts anew; the zero
// time if it did not, or if that time is over. Without fencing every lost node is waited for longer than that.
func (c *Core) restartingUntil(now time.Time, st *cib.NodeState) time.Time {
	if until := c.restarts.until(st); now.Before(until) && FencingEnabled(c.snap.CIB) {
		return until
	}
	return time.Time{}
}

// awaitRestart leaves a node what it is until then: what it runs is taken to run on, and nothing is planned (sessionsSettled), for plans
// with a pending node stop what hangs on its resources. If another node is lost meanwhile, its recovery does not wait.
func (c *Core) awaitRestart(now, until time.Time, st *cib.NodeState) {
	c.wakeAt(until)
	if !online(st) || !c.anotherLost(st.ID) {
		return
	}
	why := "its daemon starts anew, and another node is lost meanwhile"
	c.nodeCommit(st.ID, st.Uname+" is pending: "+why, []cib.Change{{NodeStatus: &cib.NodeStatus{
		ID: st.ID, Uname: st.Uname, Join: "pending", Since: now.UnixMilli(), Cause: why,
	}}})
}

// anotherLost reports whether a node other than this one is unclean by what is committed.
func (c *Core) anotherLost(id string) bool {
	return slices.ContainsFunc(c.snap.CIB.Status.Nodes, func(st *cib.NodeState) bool {
		return st.ID != id && st.RemoteNode == "" && st.Expected == "member" && !isTrue(st.InCCM)
	})
}

// noteRestarts takes in the announcements that are committed, and tells people.
func (c *Core) noteRestarts(now time.Time) {
	for _, node := range c.restarts.note(now, c.snap.CIB) {
		if _, dead := c.fencedAt[node]; dead {
			continue // fenced in a takeover; that is about to be committed
		}
		text := fmt.Sprintf("%s announced that its daemon starts anew: it is waited for until it is back, %v at most", node, c.restarts.limit)
		c.say("info", text)
		c.happened(HappenedMembership, now, node, "", text)
	}
}
