package api

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
)

// edit is a change of the configuration on its way to a commit.
type edit struct {
	change  cib.Change
	base    uint64
	message string
	dryRun  bool
	yes     bool
	wait    time.Duration
	// meant lists resources that the change stops by its very purpose: no confirmation is asked for them.
	meant []string
	// empties names a node that the change takes everything off; what moves away from it is told.
	empties string
	// ask wants a confirmation for what only moves away, too: somebody is at hand who can give it.
	ask bool
	// unseen are status changes committed together with it; they have no difference to show and no preview.
	unseen bool
}

// commit validates, previews, guards and commits a change, and waits if asked to.
func (s *Server) commit(ctx context.Context, q *request, e edit) (*ChangeReply, error) {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if e.base != 0 && e.base != snap.ConfigRevision {
		return nil, Errorf(CodeConflict, q.what, "the configuration is at revision %d, the change was made against %d",
			snap.ConfigRevision, e.base).WithHint("look at what changed with `paceline configure commit-history`, then repeat the change")
	}
	if nothing(e.change) {
		return s.unchanged(ctx, snap, e)
	}
	next, err := cib.Apply(snap.CIB, e.change)
	if err != nil {
		return nil, Errorf(CodeInvalid, q.what, "%v", err)
	}
	if err := s.mayWrite(ctx, q, snap.CIB, next); err != nil {
		return nil, err
	}
	warnings, faults := newProblems(snap.CIB, next)
	if len(faults) > 0 {
		return nil, &Error{
			Code: CodeInvalid, What: q.what, Why: countFaults(faults), Problems: append(faults, warnings...),
			Hint: "nothing was changed; mend what is listed and repeat",
		}
	}
	reply := &ChangeReply{
		Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision, DryRun: e.dryRun, Problems: warnings,
		Changes: differences(&snap.CIB.Configuration, &next.Configuration), Actions: []Action{},
	}
	if len(reply.Changes) == 0 && !e.unseen {
		return s.unchanged(ctx, snap, e)
	}
	q.concerns(reply.Changes)
	now := time.Now()
	before, after := s.planOf(ctx, snap, now), s.plan(next, now)
	if after.Broken != "" && before.Broken == "" {
		return nil, Errorf(CodeFailed, q.what, "the scheduler cannot plan for it: %s", after.Broken).
			WithHint("this is a fault of paceline: please report it, with the change; nothing was changed")
	}
	reply.Actions = nonNil(after.Actions)
	refusal := s.guard(q, e, &snap.CIB.Configuration, &next.Configuration, before, after)
	if e.dryRun {
		if refusal != nil {
			reply.Confirm = asError(refusal, "", "").Why
		}
		return reply, nil
	}
	if refusal != nil {
		return nil, refusal
	}
	if moves := leaving(&snap.CIB.Configuration, e.empties, before, after); len(moves) > 0 {
		reply.Notes = append(reply.Notes, e.empties+" is emptied: "+list(moves))
	}
	cmd := Command{Change: e.change, BaseRevision: e.base, User: q.who.user, Message: e.message}
	if e.change.Configure != nil || !q.may.Unlimited() {
		// A whole configuration was judged against this one: another commit in between must not be overwritten.
		// So were the rights of who may not change everything.
		cmd.BaseRevision = snap.ConfigRevision
	}
	applied, err := s.backend.Apply(ctx, cmd)
	if err != nil {
		return nil, err
	}
	reply.Revision, reply.ConfigRevision = applied.Revision, applied.ConfigRevision
	if reply, err = s.settle(ctx, reply, e.wait); err != nil || e.wait <= 0 {
		return reply, err
	}
	later, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	reply.Failures = newFailures(next, later.CIB)
	return reply, nil
}

// newFailures lists what failed between two states.
func newFailures(before, after *cib.CIB) []Failure {
	known := map[failure]bool{}
	for _, f := range failures(before) {
		f.Count = ""
		known[f] = true
	}
	var out []Failure
	for _, f := range failures(after) {
		shown := f.Failure
		f.Count = ""
		if !known[f] {
			out = append(out, shown)
		}
	}
	return out
}

// nothing says whether a change is empty: a batch of no changes.
func nothing(c cib.Change) bool {
	if len(c.Batch) == 0 {
		c.Batch = nil
	}
	return reflect.ValueOf(c).IsZero()
}

// unchanged answers a request for what is so already.
func (s *Server) unchanged(ctx context.Context, snap Snapshot, e edit) (*ChangeReply, error) {
	return s.settle(ctx, &ChangeReply{
		Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision, DryRun: e.dryRun, Changes: []Change{}, Actions: []Action{}, Problems: []Problem{},
		Notes: []string{"nothing to change: the configuration is so already"},
	}, e.wait)
}

// guard asks for a word of confirmation before the last copy of something goes down, and before the cluster is left to work
// without the fencing that it has. What only moves away from a node is asked about where somebody can answer.
func (s *Server) guard(q *request, e edit, old, next *cib.Configuration, before, after Plan) error {
	if e.yes {
		return nil
	}
	return confirm(q, dangers(e, old, next, before, after))
}

// confirm asks for a word of confirmation, if there is a reason to.
func confirm(q *request, why []string) error {
	if len(why) == 0 {
		return nil
	}
	return Errorf(CodeConfirm, q.what, "%s", strings.Join(why, "; ")).
		WithHint("add --yes if that is meant; --dry-run shows all that would happen")
}

// dangers says what of a change deserves a confirmation.
func dangers(e edit, old, next *cib.Configuration, before, after Plan) []string {
	var why []string
	down := slices.DeleteFunc(lost(old, before, after), func(id string) bool { return slices.Contains(e.meant, id) })
	if len(down) > 0 {
		why = append(why, list(down)+" would run nowhere afterwards")
	}
	if moves := leaving(old, e.empties, before, after); e.ask && len(moves) > 0 {
		why = append(why, e.empties+" would be emptied: "+list(moves))
	}
	if fences(old) && !fences(next) && len(next.Primitives()) > 0 {
		why = append(why, "the cluster would be without fencing: what runs on a node that fails could not be recovered safely")
	}
	return why
}

// leaving says of the primitives (fencing devices aside) that run on a node and would not after a change where they go:
// "web moves to node2", "db stops".
func leaving(c *cib.Configuration, node string, before, after Plan) []string {
	if node == "" {
		return nil
	}
	there := func(list []Placement) map[string]bool {
		return bases(slices.DeleteFunc(slices.Clone(list), func(p Placement) bool { return p.Node != node }))
	}
	now, then := there(before.Active), there(after.Wanted)
	places := map[string][]string{}
	for _, p := range after.Wanted {
		held := slices.ContainsFunc(before.Active, func(b Placement) bool { return baseID(b.Resource) == baseID(p.Resource) && b.Node == p.Node })
		if p.Node != "" && p.Role != "Stopped" && !held {
			places[baseID(p.Resource)] = append(places[baseID(p.Resource)], p.Node)
		}
	}
	devices := fenceDevices(c)
	var out []string
	for _, r := range c.Primitives() {
		switch {
		case !now[r.ID] || then[r.ID] || slices.Contains(devices, r.ID):
		case len(places[r.ID]) > 0:
			out = append(out, r.ID+" moves to "+list(places[r.ID]))
		case bases(after.Wanted)[r.ID]:
			out = append(out, r.ID+" goes on elsewhere")
		default:
			out = append(out, r.ID+" stops")
		}
	}
	return out
}

// fences says whether a configuration can fence at all.
func fences(c *cib.Configuration) bool {
	return optionTrue(c, "fencing-enabled", true) && len(fenceDevices(c)) > 0
}

// settle waits, if asked to, until the cluster has done what the commit causes.
func (s *Server) settle(ctx context.Context, reply *ChangeReply, wait time.Duration) (*ChangeReply, error) {
	if wait <= 0 {
		return reply, nil
	}
	w, err := s.waitSettled(ctx, reply.Revision, wait)
	if err != nil {
		return nil, err
	}
	reply.Settled = w.Settled
	if !w.Settled {
		reply.Notes = append(reply.Notes, "the cluster has not settled within "+wait.String()+": "+w.Why)
	}
	return reply, nil
}

// newProblems validates a state and keeps what the change brings: errors refuse it, warnings are told. What was wrong before
// does not stop a change that has nothing to do with it; a status shows it.
func newProblems(old, next *cib.CIB) (warnings, faults []Problem) {
	known := map[cib.Problem]bool{}
	for _, p := range cib.Validate(old) {
		known[p] = true
	}
	warnings = []Problem{}
	for _, p := range cib.Validate(next) {
		switch w := problemOf(p); {
		case known[p]:
		case w.Severity == SeverityError:
			faults = append(faults, w)
		default:
			warnings = append(warnings, w)
		}
	}
	return warnings, faults
}

func problemOf(p cib.Problem) Problem {
	sev := SeverityWarning
	if p.Severity == cib.SeverityError {
		sev = SeverityError
	}
	return Problem{
		Name: "configuration", Severity: sev, Object: p.Object, Attribute: p.Attribute, What: p.Message, Hint: p.Hint,
	}
}

func countFaults(faults []Problem) string {
	if len(faults) == 1 {
		return "the configuration would have an error"
	}
	return "the configuration would have " + number(len(faults)) + " errors"
}

// differences puts the differences of two configurations into words.
func differences(old, next *cib.Configuration) []Change {
	out := []Change{}
	for _, d := range cib.Diff(old, next) {
		out = append(out, changeOf(d))
	}
	return out
}

func changeOf(d cib.Difference) Change {
	return Change{Object: d.Object, Kind: d.Kind, Text: d.String()}
}

// configurationOnly refuses changes that only the coordinator may make.
func configurationOnly(c *cib.Change) error {
	if c.NodeStatus != nil || c.ClearNode != nil || c.RecordOp != nil || c.ForgetOps != nil || c.SetTransient != nil ||
		c.SetTicket != nil || c.RecordFence != nil || c.SetQuorum != nil || c.SetAccess != nil {
		return Errorf(CodeUsage, "", "the status belongs to the cluster: only the configuration can be changed")
	}
	for i := range c.Batch {
		if err := configurationOnly(&c.Batch[i]); err != nil {
			return err
		}
	}
	return nil
}

// list writes names for people, shortened where there are many.
func list(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and " + number(len(names)-most) + " more"
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
