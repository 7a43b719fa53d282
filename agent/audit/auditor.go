package audit

import (
	"fmt"
	"slices"
)

// Rule is one promise.
type Rule struct {
	Name string // "S1 single activity"
	Says string // as a sentence
	new  func() check
}

// check judges facts; it keeps what it needs to know of those before.
type check func(f *Fact, r *verdict)

// verdict takes a judgement down.
type verdict struct {
	judged int
	broken string
}

// must judges: once for each fact that could break the rule.
func (v *verdict) must(ok bool, format string, args ...any) {
	v.judged++
	if !ok && v.broken == "" {
		v.broken = fmt.Sprintf(format, args...)
	}
}

// Finding is a rule that did not hold.
type Finding struct {
	Rule   string
	Detail string
	Fact   Fact
}

func (f *Finding) Error() string { return fmt.Sprintf("%s at %v: %s", f.Rule, f.Fact.At, f.Detail) }

// Auditor checks facts against all rules, in the order in which they happened. It is not safe for concurrent use.
type Auditor struct {
	rules  []Rule
	checks []check
	judged []int
}

// New returns an Auditor that has seen nothing. Rules that are named are left out: those of which not all facts will come.
func New(without ...string) *Auditor {
	a := &Auditor{rules: slices.DeleteFunc(Rules(), func(r Rule) bool { return slices.Contains(without, r.Name) })}
	for _, r := range a.rules {
		a.checks = append(a.checks, r.new())
	}
	a.judged = make([]int, len(a.rules))
	return a
}

// See judges one fact; it returns the first rule that it breaks, or nil.
func (a *Auditor) See(f Fact) *Finding {
	var found *Finding
	for i, c := range a.checks {
		v := verdict{}
		c(&f, &v)
		a.judged[i] += v.judged
		if v.broken != "" && found == nil {
			found = &Finding{Rule: a.rules[i].Name, Detail: v.broken, Fact: f}
		}
	}
	return found
}

// Judged returns how often each rule was put to the test, by its name. A rule that was never is not proved by silence.
func (a *Auditor) Judged() map[string]int {
	out := map[string]int{}
	for i, r := range a.rules {
		out[r.Name] = a.judged[i]
	}
	return out
}

// Rules lists all promises that facts can break.
func Rules() []Rule {
	return []Rule{
		{"S1 single activity", "what is no instance of a clone is never active on two nodes", singleActivity},
		{"S2 promoted within bounds", "no more instances are promoted than the configuration allows", promotedWithinBounds},
		{"S3 fencing before recovery", "what ran on a machine that lost power starts elsewhere only after the fencing is committed, or the machine is back", fencingBeforeRecovery},
		{"S5 no start without a lease", "a node whose lease is over starts and promotes nothing", noStartWithoutLease},
		{"S6 rightful fencing", "a device is let loose by an elected coordinator, or by one of exactly two voters, and never against oneself", rightfulFencing},
		{"S6 no fencing after its order expired", "a device acts within the time of its order, or not at all", noLateFencing},
		{"S7 one winner of a split", "of two nodes that lost each other at most one is fenced, unless a device fails meanwhile, or takes longer than it ever has", oneWinner},
		{"S9 one commander per term", "nobody else leads in a term in which one leads", oneCommander},
		{"S9 orders of the newest term only", "an executor takes no session and no order of a term before the highest it has seen", newestTermOnly},
		{"S10 committed changes are never lost", "what one node takes for committed no other node ever has another entry for", committedForEver},
		{"S15 order", "what comes after something else starts after it has started, and that stops only after it has stopped; what is unmanaged counts as started", orderKept},
		{"S16 colocation and location", "at rest resources are with what they belong with, apart from what they are kept apart from, and nowhere where they may not be", placedAsAsked},
		{"S17 groups", "a member of a group starts only on the node on which the member before it was started", groupsArePrefixes},
		{"S17 clones within bounds", "no more instances of a clone are active, in all and on one node, than the configuration allows; what runs on a node that is no member is not counted", clonesWithinBounds},
		{"S18 capacity", "what is active on a node, and what is about to leave it, never needs more than the node has", withinCapacity},
		{"S19 hands off", "no order acts on what is unmanaged or in maintenance by the configuration that it was planned for", handsOff},
		{"S20 one operation at a time", "on one node two operations of one resource never overlap", oneOperation},
		{"S21 results count once", "an operation's result is committed at most once", resultsCountOnce},
		{"S22 no resurrection", "once a stop, a deletion or a ban is committed the coordinator orders no start by an older plan", noResurrection},
		{"S28 a fenced boot never returns", "a node is no member again in the boot in which it was confirmed fenced", fencedBootStaysOut},
		{"S29 bounded queues", "what waits on a node stays within its bounds", boundedQueues},
		{"S32 no needless kill", "nobody is fenced while nothing is wrong", noNeedlessKill},
	}
}
