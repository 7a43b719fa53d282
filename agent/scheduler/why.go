package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// The kinds of a Why.
const (
	WhyNode        = "node"        // the state of the node
	WhyFencing     = "fencing"     // a node must be fenced first
	WhyQuorum      = "quorum"      //
	WhyLocation    = "location"    // Object is the constraint
	WhyColocation  = "colocation"  // Object is the constraint, or the group
	WhyOrder       = "order"       // Object is the constraint, or the group
	WhyTicket      = "ticket"      // Object is the ticket
	WhyUtilization = "utilization" // Object is the attribute that is short
	WhyHealth      = "health"      //
	WhyFailure     = "failure"     // what failed, or is not installed
	WhyTargetRole  = "target-role" // Object is the resource that has it
	WhyUnmanaged   = "unmanaged"   //
	WhyClone       = "clone"       // there is no room for another instance
	WhyAsymmetric  = "asymmetric"  // no constraint allows it, and the cluster asks for one
	WhyScore       = "score"       // another node is worth more
	WhyOther       = "other"
)

// Why is one thing that keeps a resource from a node, or from all where Node is empty; for the node where it is placed, what
// put it there.
type Why struct {
	Resource string `json:"resource"` // instance or member
	Node     string `json:"node,omitempty"`
	Kind     string `json:"kind"`
	Object   string `json:"object,omitempty"`
	Partner  string `json:"partner,omitempty"` // of a constraint: the other resource
	Needed   string `json:"needed,omitempty"`  // of utilization and clone-max: the value that would do
	Text     string `json:"text"`
}

// Why lists what holds for the primitives of a resource: first what holds for it everywhere, then node by node. It is made
// on demand, since it looks at every node.
func (r *Result) Why(resource string) []Why {
	if r.why == nil {
		return nil
	}
	return r.why(resource)
}

func (w *world) whyList(resource string) []Why {
	var out []Why
	for _, r := range w.all {
		if !r.primitive() || !within(r, resource) {
			continue
		}
		out = append(out, w.whyAnywhere(r)...)
		for _, n := range w.nodes {
			if n != r.assigned && !r.isRunningOn(n) || n.unusableWhy() != "" || r.assigned != n {
				out = append(out, w.whyNotOn(r, n)...)
			}
		}
	}
	return out
}

func within(r *rsc, name string) bool {
	for x := r; x != nil; x = x.parent {
		if x.id == name || x.base == name {
			return true
		}
	}
	return false
}

func (r *rsc) because(n *node, kind, object, format string, args ...any) Why {
	y := Why{Resource: r.id, Kind: kind, Object: object, Text: fmt.Sprintf(format, args...)}
	if n != nil {
		y.Node = n.name
	}
	return y
}

// becauseOf is because with the other resource of a constraint.
func (r *rsc) becauseOf(partner string, n *node, kind, object, format string, args ...any) Why {
	y := r.because(n, kind, object, format, args...)
	y.Partner = partner
	return y
}

// whyAnywhere is what holds for an instance on every node.
func (w *world) whyAnywhere(r *rsc) []Why {
	var out []Why
	say := func(kind, object, format string, args ...any) {
		out = append(out, r.because(nil, kind, object, format, args...))
	}
	switch {
	case r.blocked:
		say(WhyFailure, "", "it is left as it is: %s", r.blockedWhy)
	case !r.managed && w.opts.maintenance:
		say(WhyUnmanaged, "maintenance-mode", "the cluster is in maintenance mode: nothing is started, stopped or monitored")
	case !r.managed && r.maintained() != "":
		say(WhyUnmanaged, r.maintained(), "%s is in maintenance: the cluster leaves it alone", r.maintained())
	case !r.managed && r.current() != nil && r.current().maintenance:
		say(WhyNode, r.current().name, "%s, where it is active, is in maintenance: what runs there is left alone", r.current().name)
	case !r.managed:
		say(WhyUnmanaged, "", "it is not managed (is-managed=false): the cluster starts and stops nothing of it")
	}
	if by := r.targetOf(); by != "" && r.target == roleStopped {
		say(WhyTargetRole, by, "target-role of %s is Stopped", by)
	}
	for _, t := range w.ticketsOf(r) {
		if !t.ticket.granted {
			say(WhyTicket, t.ticket.id, "ticket %s is not granted here", t.ticket.id)
		} else if t.ticket.standby {
			say(WhyTicket, t.ticket.id, "ticket %s is in standby", t.ticket.id)
		}
	}
	out = append(out, w.whyOrder(r)...)
	out = append(out, w.whyTogether(r)...)
	if w.opts.stopAll {
		say(WhyOther, "stop-all-resources", "stop-all-resources is set")
	}
	if !w.quorum && w.opts.noQuorum != quorumIgnore && r.requires != requireNothing {
		say(WhyQuorum, "", "there is no quorum, and no-quorum-policy does not let it start without")
	}
	for _, n := range r.running {
		if n.unclean {
			text := "it may be active on " + n.name + ", which must be fenced before it starts elsewhere"
			if !w.canFence(n) {
				text += "; that cannot be: " + w.whyNoFence()
			}
			say(WhyFencing, n.name, "%s", text)
		}
	}
	return out
}

// maintained names what puts the resource into maintenance; "" if nothing does but its node.
func (r *rsc) maintained() string {
	for x := r; x != nil; x = x.parent {
		if b, err := cib.ParseBool(x.meta["maintenance"]); err == nil && b && own(x, "maintenance") {
			return x.base
		}
	}
	if r.maintenance {
		return r.base
	}
	return ""
}

// targetOf names what has the target-role that holds for r.
func (r *rsc) targetOf() string {
	for x := r; x != nil; x = x.parent {
		if own(x, "target-role") {
			return x.base
		}
	}
	if r.target == roleStopped {
		return r.base
	}
	return ""
}

// own tells whether the resource's own meta attributes have a name.
func own(r *rsc, name string) bool {
	if r.conf == nil {
		return false
	}
	return slices.ContainsFunc(r.conf.Meta, func(s cib.NVSet) bool {
		_, ok := s.Get(name)
		return ok
	})
}

func (w *world) ticketsOf(r *rsc) []*rscTicket {
	var out []*rscTicket
	for x := r; x != nil; x = x.parent {
		for _, t := range x.tickets {
			if t.role != rolePromoted {
				out = append(out, t)
			}
		}
	}
	return out
}

// whyOrder is which resources that must be active first are not going to be.
func (w *world) whyOrder(r *rsc) []Why {
	var out []Why
	for _, o := range w.orderings {
		if o.inverse || !o.mandatory || o.firstTask != taskStart && o.firstTask != taskPromote || o.flags&needsFirst == 0 || !within(r, o.then.id) {
			continue
		}
		if !goesOn(o.first, o.firstTask == taskPromote) {
			out = append(out, r.becauseOf(o.first.id, nil, WhyOrder, o.id, "constraint %s lets it start only after %s, which is not going to be %s%s", o.id, o.first.id,
				map[bool]string{true: "promoted", false: "active"}[o.firstTask == taskPromote], stoppedText(o.first)))
		}
	}
	return append(out, w.whyGroup(r)...)
}

// whyGroup is which member before it in its group is not going to be active.
func (w *world) whyGroup(r *rsc) []Why {
	if g := r.parent; g != nil && g.kind == cib.KindGroup {
		for _, k := range g.kids {
			if k == r {
				break
			}
			if g.ordered && k.placed && k.assigned == nil {
				return []Why{r.becauseOf(k.base, nil, WhyOrder, g.base, "%s, which is before it in group %s, is not going to be active%s", k.base, g.base,
					stoppedText(k))}
			}
		}
	}
	return nil
}

// goesOn tells whether any primitive in r is going to be active.
func goesOn(r *rsc, promoted bool) bool {
	found := false
	r.leaves(func(l *rsc) {
		if l.assigned != nil && l.next >= roleStarted && (!promoted || l.next == rolePromoted) {
			found = true
		}
	})
	return found
}

// settled tells whether the place of everything in r is decided: reasons are also asked for on the way.
func settled(r *rsc) bool {
	all := true
	r.leaves(func(l *rsc) { all = all && l.placed })
	return all
}

// stoppedText is why something is not active, to follow a sentence part.
func stoppedText(r *rsc) string {
	text := ""
	r.leaves(func(l *rsc) {
		if text == "" && l.stopWhy != "" {
			text = ": " + l.stopWhy
		}
	})
	return text
}

// whyTogether is which resources that it must be with are placed nowhere.
func (w *world) whyTogether(r *rsc) []Why {
	var out []Why
	for _, c := range r.withList() {
		if c.score < infinity || c.depRole == rolePromoted || !settled(c.pri) || goesOn(c.pri, c.priRole == rolePromoted) {
			continue
		}
		if c.id == groupMembers {
			continue // said as an order
		}
		out = append(out, r.becauseOf(c.pri.id, nil, WhyColocation, c.id, "constraint %s keeps it with %s, which runs nowhere%s", c.id, c.pri.id, stoppedText(c.pri)))
	}
	return out
}

// whyNotOn is what keeps an instance from a node.
func (w *world) whyNotOn(r *rsc, n *node) []Why {
	var out []Why
	say := func(kind, object, format string, args ...any) {
		out = append(out, r.because(n, kind, object, format, args...))
	}
	if why := n.unusableWhy(); why != "" {
		kind := WhyNode
		if n.unclean {
			kind = WhyFencing
		}
		say(kind, n.name, "%s cannot be used: %s", n.name, why)
	}
	if why := r.bans[n]; why != "" && why != occupied {
		kind, object := banKind(why)
		say(kind, object, "%s", why)
	} else if why == occupied {
		say(WhyClone, "", "%s", occupied)
	}
	for _, c := range r.withList() {
		if why := apartText(r, n, c); why != "" {
			say(WhyColocation, c.id, "%s", why)
		}
	}
	for _, c := range r.dependentList() {
		if c.score <= banned && c.priRole != rolePromoted && c.depRole != rolePromoted && places(c.dep, n, c.attr) {
			say(WhyColocation, c.id, "constraint %s keeps it apart from %s, which is placed there", c.id, c.dep.id)
		}
	}
	if w.opts.placement != "default" {
		for _, k := range sortedUtil(r.util) {
			if r.util[k] > n.capacity[k] {
				say(WhyUtilization, k, "it needs %d of %s, and %s has %d left of %d", r.util[k], k, n.name, n.capacity[k], n.offered[k])
				out[len(out)-1].Needed = strconv.Itoa(n.offered[k] - n.capacity[k] + r.util[k])
			}
		}
	}
	if n.health <= banned {
		attr, _, _ := strings.Cut(healthText(n), " ")
		say(WhyHealth, attr, "the health of %s forbids it (%s)", n.name, healthText(n))
	}
	if r.scores[n.idx] == absent {
		say(WhyAsymmetric, "", "no location constraint allows it there, and symmetric-cluster is false")
	}
	if len(out) == 0 && r.managed && r.assigned != nil && r.assigned != n {
		if c := r.inClone(); c != nil && c.clone.max < len(w.nodes) {
			say(WhyClone, c.base, "clone-max of %s is %d, and other nodes have the instances", c.base, c.clone.max)
			out[len(out)-1].Needed = strconv.Itoa(c.clone.max + 1)
		} else if mine, best := r.notedAt(n), r.notedAt(r.assigned); mine < best {
			say(WhyScore, "", "it scores %s here, and %s on %s", cib.FormatScore(mine), cib.FormatScore(best), r.assigned.name)
		} else {
			say(WhyScore, "", "nothing forbids it; %s is as good and was chosen: it is less loaded, or named first", r.assigned.name)
		}
	}
	return out
}

// notedAt is what a node was worth when the instance was placed.
func (r *rsc) notedAt(n *node) int {
	if n.idx < len(r.noted) && r.noted[n.idx] != absent {
		return r.noted[n.idx]
	}
	return r.at(n)
}

// banKind tells what the text of a ban speaks of.
func banKind(why string) (kind, object string) {
	id, ok := strings.CutPrefix(why, "constraint ")
	switch {
	case ok && !strings.Contains(id, " "):
		return WhyLocation, id
	case ok:
		id, _, _ = strings.Cut(id, " ")
		return WhyColocation, id
	case strings.HasPrefix(why, "ticket "):
		return WhyTicket, ""
	case strings.HasPrefix(why, "it failed"), strings.Contains(why, " says "), strings.HasPrefix(why, "a failure"):
		return WhyFailure, ""
	}
	return WhyOther, ""
}

// apartText is why a colocation keeps r, its dependent, from a node; "" if it does not.
func apartText(r *rsc, n *node, c *colocation) string {
	if c.depRole == rolePromoted {
		return ""
	}
	there := places(c.pri, n, c.attr)
	switch {
	case c.score <= banned && there:
		return fmt.Sprintf("constraint %s keeps it apart from %s, which is placed there", c.id, c.pri.id)
	case c.score >= infinity && !there && goesOn(c.pri, c.priRole == rolePromoted):
		if c.id == groupMembers {
			return fmt.Sprintf("%s, before it in the group, is placed on %s", c.pri.base, nodeNames(spread(c.pri)))
		}
		return fmt.Sprintf("constraint %s keeps it with %s, which is placed on %s", c.id, c.pri.id, nodeNames(spread(c.pri)))
	}
	return ""
}

// spread lists the nodes that something is placed on.
func spread(r *rsc) []*node {
	var out []*node
	r.leaves(func(l *rsc) {
		if l.assigned != nil && !slices.Contains(out, l.assigned) {
			out = append(out, l.assigned)
		}
	})
	return out
}

// places tells whether something is placed on a node, or on one with the same value of an attribute.
func places(r *rsc, n *node, attr string) bool {
	return slices.ContainsFunc(spread(r), func(m *node) bool {
		return m == n || attr != "" && attr != "#uname" && m.attrs[attr] != "" && m.attrs[attr] == n.attrs[attr]
	})
}

func sortedUtil(util map[string]int) []string {
	var out []string
	for k := range util {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// healthText lists the health attributes of a node that are not green.
func healthText(n *node) string {
	var parts []string
	for name, value := range n.attrs {
		if strings.HasPrefix(name, "#health") && value != "green" {
			parts = append(parts, name+" is "+value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
