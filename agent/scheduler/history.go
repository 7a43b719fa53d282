package scheduler

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// record is one entry of the history of an instance on a node, interpreted.
type record struct {
	op       *cib.OpRecord
	rsc      *rsc
	node     *node
	task     string
	interval int64
	call     int
	rc       int
	status   int
	target   int // expected exit code; -1 when not known
	failed   bool
	expired  bool
	fail     onFail
}

func (h *record) probe() bool { return h.task == taskMonitor && h.interval == 0 }

// changed is the time of the last change of the result, in Unix seconds; 0 when not known.
func (h *record) changed() int64 {
	t, _ := strconv.ParseInt(h.op.LastRCChange, 10, 64)
	if t == 0 {
		t, _ = strconv.ParseInt(h.op.LastRun, 10, 64)
	}
	return t
}

// unpackHistory reads what every node has done. Cluster nodes come first: they decide whether remote nodes are up.
func (w *world) unpackHistory() {
	for round := 0; round < 3; round++ {
		for _, s := range w.cib.Status.Nodes {
			n := w.find(s)
			if n == nil || n.unpacked {
				continue
			}
			if n.remote() {
				if round == 0 || !w.unpackRemote(n, s, round == 2) {
					continue
				}
			}
			n.unpacked = true
			w.unpackNodeHistory(n, s)
		}
	}
	for _, n := range w.nodes {
		if n.remote() && !n.unpacked {
			w.unpackRemote(n, nil, true)
		}
	}
	w.settleHistory()
}

func (w *world) unpackNodeHistory(n *node, s *cib.NodeState) {
	for _, h := range s.Resources {
		w.unpackResourceHistory(n, h)
	}
}

func (w *world) unpackResourceHistory(n *node, h *cib.ResourceHistory) {
	records := interpret(n, h)
	if len(records) == 0 {
		if h.ShutdownLock != "" {
			if r := w.instanceFor(n, h, records); r != nil {
				w.lockHistory(r, n, h)
			}
		}
		return
	}
	r := w.instanceFor(n, h, records)
	if r == nil {
		return
	}
	if h.ShutdownLock != "" {
		w.lockHistory(r, n, h)
	}
	for _, k := range records {
		k.rsc = r
	}
	if r.knownOn(n) && !everActive(records) {
		return // an older history of the same thing: it was never here under that number
	}
	r.hist.add(n, records)
	w.replay(r, n, records)
	r.noteAgent(n, h.Agent)
}

func (w *world) lockHistory(r *rsc, n *node, h *cib.ResourceHistory) {
	since, err := strconv.ParseInt(h.ShutdownLock, 10, 64)
	if err != nil || !w.opts.shutdownLock {
		return
	}
	r.lockNode, r.lockSince = n, since
}

// interpret reads the records of one resource and puts them into the order in which they happened.
func interpret(n *node, h *cib.ResourceHistory) []*record {
	all, out := make([]record, len(h.Ops)), make([]*record, len(h.Ops))
	for i, op := range h.Ops {
		k := &all[i]
		out[i] = k
		*k = record{op: op, node: n, task: canonicalTask(op.Operation), target: targetOf(op.TransitionKey)}
		k.interval, _ = strconv.ParseInt(op.IntervalMS, 10, 64)
		k.call, _ = strconv.Atoi(op.CallID)
		k.rc, _ = strconv.Atoi(op.RC)
		k.status, _ = strconv.Atoi(op.OpStatus)
		if op.OpStatus == "" && op.TransitionMagic != "" {
			if s, _, ok := strings.Cut(op.TransitionMagic, ":"); ok {
				k.status, _ = strconv.Atoi(s)
			}
		}
		if op.RC == "" {
			k.rc = 193
		}
	}
	if len(out) > 1 { // of most there is one, on the many nodes where it never ran
		slices.SortStableFunc(out, func(a, b *record) int {
			return cmp.Or(cmp.Compare(callOrder(a), callOrder(b)), cmp.Compare(a.changed(), b.changed()))
		})
	}
	return out
}

// targetOf reads the expected exit code from a transition key ("action:graph:target:uuid"); -1 if there is none.
func targetOf(key string) int {
	_, rest, _ := strings.Cut(key, ":")
	_, rest, _ = strings.Cut(rest, ":")
	code, _, whole := strings.Cut(rest, ":")
	if t, err := strconv.Atoi(code); err == nil && whole {
		return t
	}
	return -1
}

func callOrder(k *record) int {
	if k.call < 0 {
		return 1 << 30
	}
	return k.call
}

// canonicalTask maps names that older documents use.
func canonicalTask(name string) string {
	if name == "status" {
		return taskMonitor
	}
	return name
}

// splitInstance separates "ip:1" into "ip" and 1; -1 without number.
func splitInstance(id string) (string, int) {
	i := strings.LastIndexByte(id, ':')
	if i < 0 {
		return id, -1
	}
	n, err := strconv.Atoi(id[i+1:])
	if err != nil || n < 0 {
		return id, -1
	}
	return id[:i], n
}

// instanceFor finds the instance that a node's history speaks of, and makes one when there is none.
func (w *world) instanceFor(n *node, h *cib.ResourceHistory, records []*record) *rsc {
	base, number := splitInstance(h.ID)
	if r := w.byRsc[h.ID]; r != nil && r.primitive() {
		if c := r.inClone(); c == nil || c.clone.unique {
			return r
		}
	}
	var leaf *rsc // some instance of the same primitive
	for _, id := range []string{h.ID + ":0", base + ":0", base} {
		if r := w.byRsc[id]; r != nil && r.primitive() && !r.removed {
			leaf = r
			break
		}
	}
	if leaf != nil {
		c := leaf.inClone()
		switch {
		case c == nil && number >= 0 && leaf.id == base:
			// Was a clone once and is a plain resource now: its instance is a removed one, unless it is inactive.
			return w.removed(n, h, records)
		case c == nil:
			return leaf
		case c.clone.unique:
			if number < 0 {
				return w.byRsc[base+":0"]
			}
			return w.uniqueInstance(c, leaf, number)
		default:
			r := w.anonymousInstance(c, leaf, n, records)
			if r != nil && r.histName == "" && number >= 0 && everActive(records) {
				r.histName = h.ID
			}
			return r
		}
	}
	return w.removed(n, h, records)
}

// uniqueInstance returns the instance of that number; one beyond clone-max is made, to be stopped.
func (w *world) uniqueInstance(c, leaf *rsc, number int) *rsc {
	id := leaf.base + ":" + strconv.Itoa(number)
	if r := w.byRsc[id]; r != nil {
		return r
	}
	if number > cloneNodesMax {
		return nil
	}
	kid := w.build(c.clone.template, c, ":"+strconv.Itoa(number))
	if kid == nil {
		return nil
	}
	kid.number, kid.filler = number, true
	kid.leaves(func(l *rsc) { l.filler = true })
	c.kids = append(c.kids, kid)
	return w.byRsc[id]
}

// anonymousInstance gives history on a node to an instance: the one already there, else the first that is free. A second
// history of the same thing on a node where an instance is active gets an instance of its own, one too many: only a clone
// that was globally unique once leaves such, and each number was a resource of its own.
func (w *world) anonymousInstance(c, leaf *rsc, n *node, records []*record) *rsc {
	var free *rsc
search:
	for _, kid := range c.kids {
		l := leafOf(kid, leaf.base)
		switch {
		case l == nil:
		case kid.claimed == n && !l.isRunningOn(n):
			return l
		case kid.claimed == n:
			free = nil
			break search
		case kid.claimed == nil && free == nil:
			free = kid
		}
	}
	if free == nil {
		free = w.addFiller(c)
	}
	if free == nil {
		return nil // its name is taken; the problem has been noted
	}
	if everActive(records) {
		free.claimed = n
	} // nothing but "not running" is true of whichever instance would come here
	return leafOf(free, leaf.base)
}

// addFiller adds an instance for history beyond clone-max; nil if its name is taken.
func (w *world) addFiller(c *rsc) *rsc {
	kid := w.addInstance(c)
	if kid != nil {
		kid.filler = true
		kid.leaves(func(l *rsc) { l.filler = true })
	}
	return kid
}

// everActive tells whether anything in the history may mean that the instance is active.
func everActive(records []*record) bool {
	active := false
	for _, k := range records {
		switch {
		case k.task == taskStop && k.rc == 0 && k.status == cib.OpDone:
			active = false
		case k.task == taskMonitor && k.rc == rcNotRunning && (k.interval == 0 || k.target == rcNotRunning):
			active = active && k.interval != 0
		case k.task == taskNotify || k.task == taskMigrateTo && k.rc == 0:
		case k.task == taskMonitor && k.interval == 0 && k.status == cib.OpPending:
		default:
			active = true
		}
	}
	return active
}

// leafOf returns the primitive of that base name in an instance.
func leafOf(kid *rsc, base string) *rsc {
	if kid.primitive() {
		if kid.base == base {
			return kid
		}
		return nil
	}
	for _, k := range kid.kids {
		if l := leafOf(k, base); l != nil {
			return l
		}
	}
	return nil
}

// removed makes a resource for history whose configuration is gone: it is to be stopped and forgotten.
func (w *world) removed(n *node, h *cib.ResourceHistory, records []*record) *rsc {
	id := h.ID
	if r := w.byRsc[id]; r != nil {
		if r.removed {
			return r
		}
		return nil
	}
	conf := &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: h.Agent}
	if h.Container != "" {
		conf.Meta = []cib.NVSet{{ID: id + "-meta", Pairs: []cib.NVPair{{Name: "container", Value: h.Container},
			{Name: "internal-resource", Value: "true"}}}}
	}
	r := w.build(conf, nil, "")
	if r == nil {
		return nil
	}
	r.removed = true
	if h.Container != "" {
		if c := w.byRsc[h.Container]; c != nil {
			r.container = c
			r.containerRemoved = true
		}
	}
	if isRemoteAgent(h.Agent) {
		if g := w.byName[id]; g != nil && g.conn == nil {
			g.conn = r
		} else if g == nil {
			w.lateNode(id, r)
		}
	}
	if !w.opts.stopRemoved {
		r.managed = false
	} else {
		r.target = roleStopped
	}
	w.top = append(w.top, r)
	return r
}

// lateNode adds the remote node of a removed connection, and room for it in every score table.
func (w *world) lateNode(name string, conn *rsc) {
	n := w.addNode(name, name, kindRemote)
	n.conn = conn
	n.shutdown = true
	for _, s := range w.cib.Status.Nodes {
		if w.find(s) == n {
			n.stat = s
		}
	}
	w.unpackAttributes(n)
	n.shutdown = true
	for _, r := range w.all {
		s := banned
		if !w.opts.symmetric {
			s = absent
		}
		r.scores = append(r.scores, s)
	}
}
