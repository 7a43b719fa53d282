package scheduler

import (
	"cmp"
	"fmt"
	"sort"
	"strings"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// explain fills in the result what people want to know: the state of the nodes, why every instance is where it is or is
// not, and what would have to be done and cannot be.
func (w *world) explain(res *Result) {
	for _, n := range w.nodes {
		res.Nodes = append(res.Nodes, NodeStatus{Name: n.name, State: n.state(), Why: n.uncleanWhy})
		if why := n.unusableWhy(); why != "" {
			w.say("", n, "nothing is placed on %s: %s", n.name, why)
		}
	}
	for _, r := range w.all {
		if r.primitive() {
			w.explainPrimitive(r)
		}
	}
	for _, a := range w.actions {
		w.explainBlocked(res, a)
	}
	w.explainLeft(res)
	res.Reasons = w.reasons
	if res.Reasons == nil {
		res.Reasons = []Reason{}
	}
	res.scores, res.capacities, res.why = w.scoreList, w.capacityList, w.whyList
}

// say adds a sentence.
func (w *world) say(resource string, n *node, format string, args ...any) {
	name := ""
	if n != nil {
		name = n.name
	}
	w.reasons = append(w.reasons, Reason{Resource: resource, Node: name, Text: fmt.Sprintf(format, args...)})
}

// state names the state of a node in one word.
func (n *node) state() string {
	switch {
	case n.unclean:
		return "unclean"
	case n.pending:
		return "pending"
	case !n.online:
		return "offline"
	case n.maintenance:
		return "maintenance"
	case n.standby:
		return "standby"
	case n.shutdown:
		return "leaving"
	}
	return "online"
}

// unusableWhy tells why nothing may be placed on a node; "" if something may.
func (n *node) unusableWhy() string {
	switch n.state() {
	case "unclean":
		return "its state is unknown (" + n.uncleanWhy + ")"
	case "pending":
		return "it is still joining"
	case "offline":
		return "it is offline"
	case "maintenance":
		return "it is in maintenance: what runs there is left alone"
	case "standby":
		if n.standbyFail {
			return "it is in standby after a failure with on-fail=standby"
		}
		return "it is in standby"
	case "leaving":
		return "it asked to leave"
	}
	return ""
}

// explainPrimitive says what becomes of one instance, and which nodes are closed to it.
func (w *world) explainPrimitive(r *rsc) {
	now, then := r.current(), r.assigned
	switch {
	case r.blocked:
		w.say(r.id, now, "%s is left as it is on %s: %s; clean up the failure once the cause is gone", r.id, nodeName(now),
			r.blockedWhy)
	case !r.managed && now != nil:
		w.say(r.id, now, "%s is left as it is on %s: it is not managed", r.id, now.name)
	case !r.managed:
		w.say(r.id, nil, "%s is not started: it is not managed", r.id)
	case len(r.running) > 1 && r.partialTo == nil:
		w.say(r.id, then, "%s is active on %s at once; it is %s", r.id, nodeNames(r.running), multipleWord(r))
	case now == nil && then == nil:
		w.say(r.id, nil, "%s is not running: %s", r.id, r.whyStopped())
	case then == nil:
		w.say(r.id, now, "%s stops on %s: %s", r.id, now.name, r.whyStopped())
	case now == nil:
		w.explainStart(r, then)
	case now != then:
		w.explainMove(r, now, then)
	default:
		w.explainStay(r, now)
	}
	w.explainBans(r)
}

func nodeName(n *node) string {
	if n == nil {
		return "no node"
	}
	return n.name
}

func nodeNames(list []*node) string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.name
	}
	return strings.Join(names, " and ")
}

func multipleWord(r *rsc) string {
	switch r.recovery {
	case multiStopOnly:
		return "stopped everywhere (multiple-active=stop_only)"
	case multiStopUnexpected:
		return "stopped where it should not be (multiple-active=stop_unexpected)"
	}
	return "stopped everywhere and started once (multiple-active=stop_start)"
}

func (r *rsc) whyStopped() string {
	if r.stopWhy != "" {
		return r.stopWhy
	}
	return "no node may run it"
}

func (w *world) explainStart(r *rsc, n *node) {
	start := w.existing(r, taskStart, n, 0)
	if start != nil && !start.runnable {
		w.say(r.id, n, "%s should start on %s but cannot: %s", r.id, n.name, start.blocked)
		return
	}
	w.say(r.id, n, "%s starts on %s: %s", r.id, n.name, w.whyThere(r, n))
}

func (w *world) explainMove(r *rsc, from, to *node) {
	how := "moves"
	if r.migrating {
		how = "migrates live"
	}
	if start := w.existing(r, taskStart, to, 0); start != nil && start.need && !start.runnable {
		w.say(r.id, to, "%s should move from %s to %s (%s) but cannot start there: %s", r.id, from.name, to.name,
			w.whyNotStay(r, from, to), start.blocked)
		return
	}
	w.say(r.id, to, "%s %s from %s to %s: %s", r.id, how, from.name, to.name, w.whyNotStay(r, from, to))
	if r.stayWhy != "" {
		w.say(r.id, to, "%s cannot migrate live because %s", r.id, r.stayWhy)
	}
}

func (w *world) explainStay(r *rsc, n *node) {
	stop, start := w.existing(r, taskStop, n, 0), w.existing(r, taskStart, n, 0)
	switch {
	case stop != nil && stop.done() && start != nil && !start.runnable:
		w.say(r.id, n, "%s stops on %s: %s", r.id, n.name, start.blocked)
	case stop != nil && stop.need && !stop.runnable:
		w.say(r.id, n, "%s should be restarted on %s but cannot be: %s", r.id, n.name, stop.blocked)
	case stop != nil && stop.need:
		w.say(r.id, n, "%s is restarted on %s: %s", r.id, n.name, cmp.Or(stop.why, "what it depends on changes"))
	case r.role != r.next && r.next == rolePromoted:
		w.say(r.id, n, "%s is promoted on %s", r.id, n.name)
	case r.role == rolePromoted && r.next != rolePromoted:
		w.say(r.id, n, "%s is demoted on %s", r.id, n.name)
	default:
		w.say(r.id, n, "%s stays on %s: %s", r.id, n.name, w.whyThere(r, n))
	}
}

// whyThere tells why a node was chosen.
func (w *world) whyThere(r *rsc, n *node) string {
	best, others := r.at(n), 0
	for _, m := range w.nodes {
		if m != n && r.scores[m.idx] != absent && r.at(m) >= 0 && m.usable() {
			others++
		}
	}
	switch {
	case others == 0:
		return "it is the only node that may run it"
	case best > 0:
		return fmt.Sprintf("it has the best score, %s", cib.FormatScore(best))
	}
	return "no node is preferred, and it is the least loaded"
}

// whyNotStay tells why an instance leaves a node.
func (w *world) whyNotStay(r *rsc, from, to *node) string {
	if why := from.unusableWhy(); why != "" {
		return from.name + " cannot be used: " + why
	}
	if why, ok := r.bans[from]; ok && r.at(from) < 0 {
		return from.name + " is closed to it: " + why
	}
	if r.at(from) < 0 {
		return fmt.Sprintf("the constraints give %s the score %s", from.name, cib.FormatScore(r.at(from)))
	}
	return fmt.Sprintf("%s scores %s, %s %s", to.name, cib.FormatScore(r.at(to)), from.name, cib.FormatScore(r.at(from)))
}

// explainBans says which nodes are closed to an instance, where more than the node's own state is the reason.
func (w *world) explainBans(r *rsc) {
	for _, n := range w.nodes {
		if why, ok := r.bans[n]; ok && n != r.assigned && why != occupied {
			w.say(r.id, n, "%s cannot run on %s: %s", r.id, n.name, why)
		}
	}
}

// whyNowhere tells why no node can run an instance.
func (w *world) whyNowhere(r *rsc) string {
	if r.next == roleStopped && r.stopWhy != "" {
		return r.stopWhy
	}
	for x := r; x != nil; x = x.parent {
		if why, ok := x.bans[nil]; ok {
			return why
		}
	}
	if list := append(w.whyTogether(r), w.whyGroup(r)...); len(list) > 0 {
		return list[0].Text
	}
	var parts []string
	for _, n := range w.nodes {
		if r.scores[n.idx] == absent && !n.usable() {
			continue
		}
		if len(parts) == reasonNodesMax {
			parts = append(parts, "and so on")
			break
		}
		switch why := n.unusableWhy(); {
		case why != "":
			parts = append(parts, n.name+": "+why)
		case r.bans[n] != "":
			parts = append(parts, n.name+": "+r.bans[n])
		case r.scores[n.idx] == absent:
			parts = append(parts, n.name+": no constraint allows it (symmetric-cluster is false)")
		case r.at(n) >= 0 && w.opts.placement != "default" && !fitsOn(n, r.util):
			parts = append(parts, n.name+": it has not enough room left")
		default:
			parts = append(parts, n.name+": "+w.whyBanned(r, n))
		}
	}
	if len(parts) == 0 {
		return "there is no node that it may use"
	}
	return "no node may run it (" + strings.Join(parts, "; ") + ")"
}

// whyBanned tells why a usable node that no ban names cannot run an instance.
func (w *world) whyBanned(r *rsc, n *node) string {
	if list := w.whyNotOn(r, n); len(list) > 0 {
		return list[0].Text
	}
	return "the constraints give it the score " + cib.FormatScore(r.at(n))
}

// explainBlocked reports what would have to be done and cannot be.
func (w *world) explainBlocked(res *Result, a *action) {
	if !a.need || a.runnable || a.dead || a.pseudo || a.rsc == nil || a.task == taskMonitor {
		return
	}
	b := Blocked{Resource: a.rsc.id, Operation: a.task, Text: a.blocked}
	if a.node != nil {
		b.Node = a.node.name
		if a.node.unclean && !w.canFence(a.node) {
			b.Text = a.node.name + " must be fenced first, and cannot be: " + w.whyNoFence()
		}
	}
	res.Blocked = append(res.Blocked, b)
}

// explainLeft reports what failed and is left as it is, where no action of it is blocked: nothing else says that people have
// to look after it.
func (w *world) explainLeft(res *Result) {
	told := map[string]bool{}
	for _, b := range res.Blocked {
		told[b.Resource] = true
	}
	for _, r := range w.all {
		if r.primitive() && r.blocked && r.blockedWhy != "" && len(r.running) > 0 && !told[r.id] {
			res.Blocked = append(res.Blocked, Blocked{Resource: r.id, Node: r.running[0].name, Operation: taskStop,
				Text: "it failed, and is left as it is: " + r.blockedWhy})
		}
	}
}

func (w *world) whyNoFence() string {
	if !w.opts.fencing {
		return "fencing is disabled (fencing-enabled=false)"
	}
	return "there is no quorum"
}

// reasonOf is the reason of an action, in words.
func (w *world) reasonOf(a *action) string {
	if a.why != "" || a.kind == transition.KindPseudo || a.pseudo || a.rsc == nil {
		return a.why
	}
	switch a.task {
	case taskStart:
		return w.whyThere(a.rsc, a.node)
	case taskStop, taskDemote:
		if a.rsc.assigned == nil {
			return a.rsc.whyStopped()
		}
		return "it does not stay in this role here"
	case taskPromote:
		return "it is to be promoted here"
	}
	return ""
}

// noteScores keeps what every node was worth when an instance was placed.
func (w *world) noteScores(r *rsc) { r.noted = copyScores(r.scores) }

// scoreList lists them.
func (w *world) scoreList() []Score {
	var out []Score
	for _, r := range w.all {
		for _, n := range w.nodes {
			if n.idx < len(r.noted) && r.noted[n.idx] != absent {
				out = append(out, Score{Resource: r.id, Node: n.name, Score: cib.FormatScore(r.noted[n.idx])})
			}
		}
		if r.parent != nil && r.parent.kind == cib.KindClone && r.parent.clone.promotable {
			out = append(out, Score{Resource: r.id, Node: nodeName(nodeOf(r)), Score: cib.FormatScore(r.promoScore),
				Promotion: true})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Resource < out[j].Resource })
	return out
}
