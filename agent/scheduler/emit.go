package scheduler

import (
	"fmt"
	"sort"
	"strconv"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// emit turns what must and can be done into a transition graph.
func (w *world) emit() *transition.Graph {
	list := w.wanted()
	w.cutLoops(list)
	g := &transition.Graph{Actions: []*transition.Action{}}
	for i, a := range list {
		a.id = i + 1
	}
	for _, a := range list {
		g.Actions = append(g.Actions, w.emitAction(a))
	}
	return g
}

// wanted lists the actions of the transition, in a stable order.
func (w *world) wanted() []*action {
	var list []*action
	for _, a := range w.actions {
		if a.done() && !(a.beforeStop != nil && a.beforeStop.done()) && !(a.unless != nil && a.unless.need) {
			list = append(list, a)
		}
	}
	if !anyDoing(list) {
		return nil // marks alone do nothing: the cluster is at rest
	}
	kindRank := func(a *action) int {
		switch {
		case a.kind == transition.KindFence:
			return 0
		case a.task == taskMonitor && a.interval == 0:
			return 1
		}
		return 2
	}
	sort.SliceStable(list, func(i, j int) bool { return kindRank(list[i]) < kindRank(list[j]) })
	for _, a := range list {
		a.listed = true
	}
	return list
}

// anyDoing tells whether some action is more than a mark.
func anyDoing(list []*action) bool {
	for _, a := range list {
		if !a.pseudo && a.kind != transition.KindPseudo {
			return true
		}
	}
	return false
}

// inputs are the edges into an action whose first action is in the transition too.
func inputs(a *action) []*edge {
	var out []*edge
	for _, e := range a.in {
		if counts(e) {
			out = append(out, e)
		}
	}
	return out
}

// counts tells whether an edge orders two actions of the transition.
func counts(e *edge) bool {
	return e.first.listed && e.then.listed && !e.cut && e.flags&hidden == 0 && !e.apart()
}

// cutLoops drops orderings that would make the transition wait for itself: the weakest of each loop goes.
func (w *world) cutLoops(list []*action) {
	for rest := waiting(list); len(rest) > 0; rest = waiting(rest) {
		loop := findLoop(rest)
		weakest := loop[0]
		for _, e := range loop {
			if e.weight() < weakest.weight() {
				weakest = e
			}
		}
		weakest.cut = true
		w.problem(fmt.Sprintf("the orderings form a loop; %s does not wait for %s", weakest.then.describe(),
			weakest.first.describe()))
	}
}

// waiting lists the actions that wait for themselves, directly or through others, or for such.
func waiting(list []*action) []*action {
	left := map[*action]int{}
	for _, a := range list {
		left[a] = 0
	}
	var ready []*action
	for _, a := range list {
		for _, e := range inputs(a) {
			if _, here := left[e.first]; here {
				left[a]++
			}
		}
		if left[a] == 0 {
			ready = append(ready, a)
		}
	}
	done := map[*action]bool{}
	for len(ready) > 0 {
		a := ready[0]
		ready = ready[1:]
		done[a] = true
		for _, e := range a.out {
			if _, here := left[e.then]; !here || !counts(e) {
				continue
			}
			if left[e.then]--; left[e.then] == 0 {
				ready = append(ready, e.then)
			}
		}
	}
	var rest []*action
	for _, a := range list {
		if !done[a] {
			rest = append(rest, a)
		}
	}
	return rest
}

// findLoop walks back from an action that waits in vain until it meets itself.
func findLoop(rest []*action) []*edge {
	in := map[*action]bool{}
	for _, a := range rest {
		in[a] = true
	}
	at := map[*action]int{}
	var path []*edge
	for a := rest[0]; ; {
		if i, seen := at[a]; seen {
			return path[i:]
		}
		at[a] = len(path)
		for _, e := range inputs(a) {
			if in[e.first] {
				path = append(path, e)
				a = e.first
				break
			}
		}
	}
}

func (e *edge) weight() int {
	n := 0
	if e.flags&(forcesFirst|forcesThen) != 0 {
		n++
	}
	if e.flags&needsFirst != 0 {
		n += 2
	}
	if e.flags&(upward|restarts) != 0 {
		n += 4
	}
	return n
}

func (w *world) emitAction(a *action) *transition.Action {
	t := &transition.Action{ID: a.id, Kind: a.kind, Operation: a.task, Key: a.key, IntervalMS: a.interval,
		TargetRC: a.targetRC, Reason: w.reasonOf(a), After: []int{}}
	if a.pseudo {
		t.Kind = transition.KindPseudo
	}
	if a.fenceOp != "" {
		t.Operation = a.fenceOp
		t.StartDelayMS = w.fenceDelay(a.node)
	}
	seen := map[int]bool{}
	for _, e := range inputs(a) {
		if !seen[e.first.id] {
			seen[e.first.id] = true
			t.After = append(t.After, e.first.id)
		}
	}
	sort.Ints(t.After)
	if a.rsc != nil {
		t.Resource = a.rsc.id
	}
	if a.node != nil {
		t.Node = a.node.name
	}
	if t.Kind == transition.KindResource {
		t.Key = ""
		w.fillOperation(t, a)
	} else if a.kind != transition.KindPseudo || t.Kind != transition.KindPseudo {
		t.Key = ""
	}
	return t
}

// fillOperation adds what an executor needs to carry an operation out.
func (w *world) fillOperation(t *transition.Action, a *action) {
	r := a.rsc
	task := a.task
	if a.cancelOf != "" {
		task = a.cancelOf
	}
	meta := w.opMeta(r, task, a.interval)
	t.Agent = r.agent
	if a.cancelOf != "" {
		meta = map[string]string{"timeout": "0"}
	}
	if a.cancelOf == "" {
		t.TimeoutMS = w.timeoutOf(meta)
	}
	if v, ok := meta["start-delay"]; ok {
		if ms, err := cib.ParseMilliseconds(v); err == nil && ms > 0 {
			t.StartDelayMS = ms
		}
	}
	t.Params = w.paramsOn(r, a.node)
	if op := r.op(task, a.interval); op != nil {
		for k, v := range w.values(op.Params, scope{node: a.node, agent: &r.agent}) {
			if _, have := t.Params[k]; !have {
				t.Params[k] = v
			}
		}
	}
	w.bundleParams(t, a)
	splitArgs(t)
	digested := task
	if task == taskReload {
		digested = taskStart // what it brings about is what a start with the new parameters would
	}
	t.Digest = cib.ParametersDigest(w.digestParams(r, a.node, digested, a.interval))
	if a.interval == 0 {
		t.RestartDigest = t.Digest
	}
	t.Meta = map[string]string{
		"timeout": strconv.FormatInt(t.TimeoutMS, 10), "name": task, "on_node": a.node.name,
		"interval": strconv.FormatInt(a.interval, 10),
	}
	if a.interval == 0 {
		delete(t.Meta, "interval")
	}
	if c := r.inClone(); c != nil {
		w.cloneMetaOf(t, r, c)
	}
	for k, v := range a.extraMeta {
		t.Meta[k] = v
	}
	t.Notify, t.NotifyLists = a.notify, a.notifyLists
	t.Router = w.routerOf(a)
	t.Priority = r.uber().priority
}

// splitArgs tells arguments by position from named parameters: no name begins with a digit.
func splitArgs(t *transition.Action) {
	for name, v := range t.Params {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if t.Args == nil {
			t.Args = map[string]string{}
		}
		t.Args[name] = v
		delete(t.Params, name)
	}
}

// cloneMetaOf adds what agents of clones are told.
func (w *world) cloneMetaOf(t *transition.Action, r, c *rsc) {
	k := c.clone
	t.Meta["clone"] = strconv.Itoa(max(0, instanceNumber(r)))
	t.Meta["clone_max"] = strconv.Itoa(k.max)
	t.Meta["clone_node_max"] = strconv.Itoa(k.nodeMax)
	t.Meta["globally_unique"] = strconv.FormatBool(k.unique)
	t.Meta["notify"] = strconv.FormatBool(k.notify)
	if k.promotable {
		t.Meta["promoted_max"], t.Meta["promoted_node_max"] = strconv.Itoa(k.promotedMax), strconv.Itoa(k.promotedNodeMax)
		t.Meta["master_max"], t.Meta["master_node_max"] = t.Meta["promoted_max"], t.Meta["promoted_node_max"]
	}
}

func instanceNumber(r *rsc) int {
	for ; r != nil; r = r.parent {
		if r.number >= 0 {
			return r.number
		}
	}
	return -1
}
