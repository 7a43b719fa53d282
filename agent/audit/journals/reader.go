package journals

import (
	"maps"
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/resources"
)

// Reader makes facts of the lines of one node's journal, one after the other. It is not safe for concurrent use.
type Reader struct {
	node    string
	boot    string
	cluster string
	last    time.Duration // of the line before
	// idle are the starts under way of what was not active before, by call: one that is called off leaves nothing behind.
	idle    map[int64]bool
	active  map[string]bool
	begun   map[int64]audit.Fact      // operations whose end was not told yet, by call
	fencing map[fenceOf]time.Duration // fencings under way: since when

	// PowerIsKnown says that the machine's losses of power come as facts from elsewhere: then a new boot tells nothing new.
	PowerIsKnown bool
}

type fenceOf struct {
	term, fence uint64
	step        int
}

// NewReader returns a Reader for the journal of a node.
func NewReader(node string) *Reader {
	return &Reader{node: node, idle: map[int64]bool{}, active: map[string]bool{}, begun: map[int64]audit.Fact{}, fencing: map[fenceOf]time.Duration{}}
}

// Off takes in that the machine lost its power, and returns the fact.
func (r *Reader) Off(at time.Duration) audit.Fact {
	clear(r.idle)
	clear(r.active)
	clear(r.begun)
	return audit.Fact{At: at, Kind: audit.Off, Node: r.node, Boot: r.boot}
}

// Line makes facts of one line; at is when it was written, by a clock that all nodes share.
//
// A confirmed fencing is a Fenced fact with Until for when it began:
// which boot its target was in then is in the target's journal.
func (r *Reader) Line(at time.Duration, e *executor.Entry) []audit.Fact {
	before := r.last
	r.last = at
	f := audit.Fact{At: at, Node: r.node, Boot: e.Boot, Resource: e.Resource, Operation: e.Operation, Interval: e.IntervalMS, Call: e.CallID}
	if e.Numbers != nil {
		f.Term, f.Revision = e.Numbers.Term, e.Numbers.Revision
	}
	f.Unasked = e.SelfStop || e.Numbers == nil || e.Numbers.Term == 0
	var out []audit.Fact
	if e.Kind == executor.KindBoot && r.boot != "" && r.boot != e.Boot && !r.PowerIsKnown {
		out = append(out, r.Off(before)) // its last sign of life
	}
	if e.Kind == executor.KindCheckpoint {
		out = append(out, r.Ended(before, e.State)...)
	}
	if e.Boot != "" {
		r.boot = e.Boot
	}
	switch e.Kind {
	case executor.KindCheckpoint:
		return append(out, r.known(at, e.State)...)
	case executor.KindBegin:
		if e.Action != nil && e.Action.Agent.Class == "stonith" {
			return out // a record, not an activity
		}
		f.Kind = audit.Begin
		r.begun[e.CallID] = f
		if e.Operation == resources.Start {
			r.idle[e.CallID] = r.idle[e.CallID] || !r.active[f.Resource]
			r.active[f.Resource] = true
		}
		return append(out, f)
	case executor.KindEnd:
		return append(out, r.end(f, e)...)
	case executor.KindSession:
		return append(out, r.session(f, e)...)
	case executor.KindFenceBegin, executor.KindFenceEnd:
		return append(out, r.fence(f, e)...)
	}
	return out
}

// Last returns when the newest line was written.
func (r *Reader) Last() time.Duration { return r.last }

// Ended makes facts of what ended without a line before a checkpoint of the same boot. A node whose disk fails stops what it has to stop all
// the same: the line about it is in no file, and the next checkpoint leaves the resource out. It may have ended at any time since the line
// before. It starts nothing meanwhile.
func (r *Reader) Ended(at time.Duration, s *executor.State) []audit.Fact {
	if s == nil || s.Boot != r.boot {
		return nil
	}
	return r.ended(at, s)
}

func (r *Reader) ended(at time.Duration, s *executor.State) []audit.Fact {
	var out []audit.Fact
	runs := map[int64]bool{}
	for _, o := range s.Open {
		runs[o.CallID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(r.begun)) {
		if f := r.begun[id]; !runs[id] {
			delete(r.begun, id)
			f.At, f.Kind, f.RC = at, audit.End, -1 // it has ended, and how is not told
			out = append(out, f)
		}
	}
	has := map[string]bool{}
	for _, a := range s.Active {
		has[a.Resource] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.active)) {
		if !has[name] {
			delete(r.active, name)
			out = append(out, audit.Fact{At: at, Kind: audit.Gone, Node: r.node, Resource: name})
		}
	}
	return out
}

// known makes facts of a checkpoint.
func (r *Reader) known(at time.Duration, s *executor.State) []audit.Fact {
	if s == nil {
		return nil
	}
	r.boot, r.cluster = s.Boot, s.Cluster
	var out []audit.Fact
	if s.Term != 0 {
		out = append(out, audit.Fact{At: at, Kind: audit.Led, Node: s.Coordinator, Term: s.Term},
			audit.Fact{At: at, Kind: audit.Session, Node: r.node, Term: s.Term})
	}
	out = append(out, r.ended(at, s)...)
	for _, a := range s.Active {
		if r.active[a.Resource] || a.Action == nil || a.Action.Agent.Class == "stonith" {
			continue
		}
		f := audit.Fact{At: at, Kind: audit.Found, Node: r.node, Boot: s.Boot, Resource: a.Resource}
		if a.Role == executor.RolePromoted {
			f.RC = int(resources.RunningPromoted)
		}
		r.active[f.Resource] = true
		out = append(out, f)
	}
	return out
}

// end makes facts of an operation's end. An end of which nothing is known leaves everything possible.
func (r *Reader) end(f audit.Fact, e *executor.Entry) []audit.Fact {
	f.Kind, f.RC = audit.End, -1
	idle := r.idle[e.CallID]
	delete(r.idle, e.CallID)
	delete(r.begun, e.CallID)
	switch {
	case e.Result == nil:
	case e.Result.Status == cib.OpCancelled: // its agent never ran
		if idle {
			delete(r.active, f.Resource)
			return []audit.Fact{f, {At: f.At, Kind: audit.Gone, Node: f.Node, Resource: f.Resource}}
		}
	case e.Result.Status == cib.OpDone:
		f.RC = e.Result.RC
		runs := f.RC == int(resources.OK) || f.RC == int(resources.RunningPromoted)
		switch {
		case e.Operation == resources.Stop && f.RC == int(resources.OK):
			delete(r.active, f.Resource)
		case e.Operation == resources.Monitor && e.Result.Agent.Class != "stonith" && runs && !r.active[f.Resource]:
			r.active[f.Resource] = true
			found := audit.Fact{At: f.At, Kind: audit.Found, Node: f.Node, Boot: f.Boot, Resource: f.Resource, RC: f.RC}
			return []audit.Fact{found, f}
		}
	default:
		f.RC = max(e.Result.RC, int(resources.GenericError))
	}
	return []audit.Fact{f}
}

func (r *Reader) session(f audit.Fact, e *executor.Entry) []audit.Fact {
	if e.Session == nil {
		return nil
	}
	var out []audit.Fact
	if r.cluster != "" && r.cluster != e.Session.Cluster {
		out = append(out, audit.Fact{At: f.At, Kind: audit.Wiped, Node: f.Node}) // another cluster, with terms of its own
	}
	r.cluster, f.Term = e.Session.Cluster, e.Session.Term
	f.Kind = audit.Session
	return append(out, audit.Fact{At: f.At, Kind: audit.Led, Node: e.Session.Coordinator, Term: f.Term}, f,
		audit.Fact{At: f.At, Kind: audit.Member, Node: f.Node, Boot: e.Boot})
}

func (r *Reader) fence(f audit.Fact, e *executor.Entry) []audit.Fact {
	if e.Fence == nil || e.Fence.Action != "off" && e.Fence.Action != "reboot" { // a question to the device, or its way back
		return nil
	}
	key := fenceOf{e.Fence.Term, e.Fence.Fence, e.Fence.Step}
	if e.Kind == executor.KindFenceBegin {
		r.fencing[key] = f.At
		if e.Fence.Term == 0 {
			return nil // the takeover of two: who votes is in no journal
		}
		f.Kind, f.Target, f.Term, f.Number = audit.FenceSent, e.Fence.Target, e.Fence.Term, e.Fence.Fence
		return []audit.Fact{f}
	}
	began, ok := r.fencing[key]
	delete(r.fencing, key)
	if !e.Fence.OK {
		return nil
	}
	if !ok {
		began = f.At
	}
	return []audit.Fact{{At: f.At, Kind: audit.Fenced, Node: e.Fence.Target, Until: began}}
}
