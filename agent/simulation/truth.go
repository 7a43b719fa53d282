package simulation

import (
	"fmt"
	"reflect"
	"slices"

	"paceline/agent/audit"
	"paceline/agent/cib"
)

// fact tells the auditor what truly happened, at this moment.
func (w *world) fact(f audit.Fact) {
	f.At = w.now
	if w.opt.Watch != nil {
		w.opt.Watch(f)
	}
	if found := w.auditor.See(f); found != nil {
		w.violate(found.Rule, "%s", found.Detail)
	}
	w.spring(f)
}

// told turns what a commit changes into facts.
func (w *world) told(c *cib.CIB, ch *cib.Change) {
	type call struct {
		node, resource, operation string
		interval                  string
	}
	seen := map[call]bool{} // one result makes several records
	var walk func(ch *cib.Change)
	walk = func(ch *cib.Change) {
		for i := range ch.Batch {
			walk(&ch.Batch[i])
		}
		if s := ch.NodeStatus; s != nil {
			n := w.byID(s.ID)
			if s.Fenced != "" && s.Fenced != "-" {
				if st := c.NodeState(s.ID); st != nil {
					w.fact(audit.Fact{Kind: audit.Fenced, Node: n.name, Boot: st.Boot})
				}
			}
			if s.Join == "member" {
				w.fact(audit.Fact{Kind: audit.Member, Node: n.name, Boot: s.Boot})
			} else if s.Join != "" {
				w.fact(audit.Fact{Kind: audit.Outside, Node: n.name})
			}
		}
		if r := ch.RecordOp; r != nil {
			var number int64
			fmt.Sscan(r.Record.CallID, &number)
			k := call{r.NodeID, r.Resource, r.Record.Operation, r.Record.IntervalMS}
			if forgets(c, r) {
				return
			}
			if number > 0 && r.Record.OpStatus != fmt.Sprint(cib.OpTimeout) && !seen[k] {
				seen[k] = true
				var interval int64
				fmt.Sscan(r.Record.IntervalMS, &interval)
				w.fact(audit.Fact{Kind: audit.Recorded, Node: w.byID(r.NodeID).name, Resource: r.Resource, Operation: r.Record.Operation, Interval: interval, Call: number})
			}
		}
	}
	walk(ch)
}

// forgets says that a record is only written back as it was, to drop that of a failure beside it: no result is counted.
func forgets(c *cib.CIB, r *cib.RecordOp) bool {
	st := c.NodeState(r.NodeID)
	if st == nil || !slices.Contains(r.Drop, r.Resource+"_last_failure_0") {
		return false
	}
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if h.ID == r.Resource && reflect.DeepEqual(*op, r.Record) {
				return true
			}
		}
	}
	return false
}
