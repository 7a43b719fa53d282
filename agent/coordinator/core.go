package coordinator

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/fencing"
)

// Config is what a Core needs to know that does not change while it leads.
type Config struct {
	Self   string // name of this node
	SelfID string
	Timing Timing
	// Plan is the scheduler.
	Plan func(c *cib.CIB, now time.Time) *scheduler.Result
	// Rand draws delays of fencing devices (pcmk_delay_max).
	Rand *rand.Rand
}

// Core is the coordinator's decisions while it leads: one Core a term. It is not safe for concurrent use.
type Core struct {
	cfg  Config
	term uint64

	snap           Snapshot // the newest committed state
	view           membership.View
	voters         map[string]bool
	answered       map[string]bool // voters that answered at the election
	changingVoters bool

	sessions map[string]*session // by node name
	commits  map[uint64]func(now time.Time, err error)
	seq      uint64

	ready   bool      // sessions of all that are heard are up, or waited for long enough
	joinBy  time.Time // when waiting for them ends
	comesUp bool      // the whole cluster was off, and not all that wait-for-all demands were heard since
	awaits  []string  // for whom it waits
	started time.Time

	machine  *transition.Machine
	plan     *scheduler.Result
	graphs   uint64 // number of the newest transition of this term
	dirty    string // why a new plan is needed; empty if none is
	plans    int    // plans since something new came from outside
	calmTill time.Time
	recheck  time.Time
	planned  uint64 // revision of the newest plan

	fences   map[string]*fence // by target
	tests    map[string]*rehearsal
	fenceNo  uint64
	tied     map[string]time.Time // by node: when its last session of this term was seen to begin or end
	fencedAt map[string]fenced    // targets confirmed fenced in this term
	restarts restarts             // of daemons that announced them
	letGo    map[string]string    // node ID -> incarnation that was let go: it does not join again, even if it is forgotten

	busy map[string]bool // node commits under way
	// recording has the resources, by node and name, whose results are being committed, and what came of them meanwhile:
	// each result is judged by what was committed of those before it.
	recording map[string][]func(now time.Time)

	effects []Effect
	wakes   []time.Time
}

type session struct {
	node        string
	up          bool
	opening     bool
	incarnation string
	boot        string
	presumed    time.Duration // SessionUp.PresumedDead
	watchdog    string
	pillWait    time.Duration // SessionUp.PillWait
	downSince   time.Time
	why         string
	retryAt     time.Time
	// stranger is since when another incarnation answers than the one that gossip hears, whoever of the two is behind; zero: none does.
	stranger time.Time
	// inFlight counts, by resource, the results that are to come of operations that coordinators before ordered; they are waited
	// for until inFlightBy.
	inFlight   map[string]int
	inFlightBy time.Time
}

type fenced struct {
	boot string
	at   time.Time
}

// NewCore returns a Core that waits for Elected.
func NewCore(cfg Config) *Core {
	return &Core{
		cfg:       cfg,
		voters:    map[string]bool{},
		sessions:  map[string]*session{},
		commits:   map[uint64]func(time.Time, error){},
		fences:    map[string]*fence{},
		tests:     map[string]*rehearsal{},
		busy:      map[string]bool{},
		recording: map[string][]func(time.Time){},
		fencedAt:  map[string]fenced{},
		letGo:     map[string]string{},
		restarts:  newRestarts(cfg.Timing.Restart),
		tied:      map[string]time.Time{},
	}
}

// Step takes one event in and returns what is to be done, in order. now must not go back.
func (c *Core) Step(now time.Time, ev Event) []Effect {
	c.effects, c.wakes = nil, nil
	switch e := ev.(type) {
	case Elected:
		c.elected(now, e)
	case Viewed:
		c.view = e.View
		c.afresh()
	case VotersAre:
		c.votersAre(e)
	case SessionUp:
		c.sessionUp(now, e)
	case SessionDown:
		c.sessionDown(now, e)
	case Reported:
		c.session(e.Result.Node).landed(e.Result)
		c.reported(now, e.Result)
	case FenceReported:
		c.fenceReported(now, e.Result)
	case Committed:
		c.committed(now, e)
	case Changed:
		c.adopt(e.Snapshot)
		c.afresh()
		c.replan(e.Why)
	case FenceRehearsed:
		c.rehearse(now, e)
	case FenceAsked:
		c.fenceAsked(now, e)
	case FenceConfirmed:
		c.fenceConfirmed(now, e)
	case Tick:
	default:
		panic(fmt.Sprintf("coordinator: unknown event %T", ev))
	}
	if c.term != 0 {
		c.noteRestarts(now)
		c.reconcileNodes(now)
		c.reconcileVoters(now)
		c.advance(now)
		c.tendFences(now)
	}
	c.wake()
	return c.effects
}

func (c *Core) elected(now time.Time, e Elected) {
	c.term, c.view, c.started = e.Term, e.View, now
	c.adopt(e.Snapshot)
	for _, id := range e.Voters {
		c.voters[id] = true
	}
	c.answered = map[string]bool{}
	for _, id := range e.Answered {
		c.answered[id] = true
	}
	c.joinBy = now.Add(c.cfg.Timing.JoinWait)
	c.comesUp = comesUp(c.snap.CIB, c.view)
	var settled []string // nodes whose state this commit decides: nothing else may be said of them meanwhile
	batch := []cib.Change{{SetQuorum: &cib.SetQuorum{HaveQuorum: true, DC: c.cfg.SelfID}}}
	for _, f := range e.Fenced {
		batch = append(batch, cib.Change{RecordFence: &cib.RecordFence{Event: f}})
		if f.State == fencing.StateOK {
			batch = append(batch, outcome.Fenced(c.snap.CIB, c.stateByName(f.Target), f.Action, now)...)
			if st := c.stateByName(f.Target); st != nil {
				settled = append(settled, "node:"+st.ID)
				c.busy["node:"+st.ID] = true
				c.fencedAt[f.Target] = fenced{boot: st.Boot, at: now}
			}
		}
	}
	c.commit(cib.Change{Batch: batch}, func(time.Time, error) {
		for _, key := range settled {
			delete(c.busy, key)
		}
	})
	c.replan("a coordinator was elected")
	c.say("info", "this node coordinates the cluster", "term", e.Term)
	c.happened(HappenedElection, now, c.cfg.Self, "", fmt.Sprintf("%s coordinates the cluster, in term %d", c.cfg.Self, e.Term))
}

// adopt takes a snapshot as the newest, unless it is older than what is known.
func (c *Core) adopt(s Snapshot) {
	if s.CIB == nil || s.Revision < c.snap.Revision {
		return
	}
	if s.ConfigRevision != c.snap.ConfigRevision && c.snap.CIB != nil {
		c.effects = append(c.effects, Inform{CIB: s.CIB})
	}
	c.snap = s
}

// commit asks for a change; then is called when it is committed or refused.
func (c *Core) commit(ch cib.Change, then func(now time.Time, err error)) {
	c.seq++
	if then == nil {
		then = func(time.Time, error) {}
	}
	c.commits[c.seq] = then
	c.effects = append(c.effects, Commit{Seq: c.seq, Change: ch})
}

func (c *Core) committed(now time.Time, e Committed) {
	then := c.commits[e.Seq]
	delete(c.commits, e.Seq)
	if e.Err == nil {
		c.adopt(e.Snapshot)
	} else {
		c.say("error", "a change of the cluster's state was refused", "err", e.Err)
		c.replan("a change was refused")
	}
	if then != nil {
		then(now, e.Err)
	}
}

// replan asks for a new plan, and aborts the transition that runs. The first reason is kept.
func (c *Core) replan(why string) {
	if c.dirty == "" {
		c.dirty = why
	}
	if c.machine != nil {
		c.machine.Abort(why)
	}
}

// afresh takes in that something new came from outside: what is planned for it does not wait for the calm.
func (c *Core) afresh() { c.plans, c.calmTill = 0, time.Time{} }

func (c *Core) say(level, text string, attrs ...any) {
	c.effects = append(c.effects, Say{Level: level, Text: text, Attrs: attrs})
}

// happened tells a cause, for the history.
func (c *Core) happened(kind HappenedKind, now time.Time, node, resource, text string) {
	c.effects = append(c.effects, Happened{Kind: kind, Now: now, Node: node, Resource: resource, Revision: c.snap.Revision, Text: text})
}

// wakeAt asks for a Tick at t at the latest.
func (c *Core) wakeAt(t time.Time) {
	if !t.IsZero() {
		c.wakes = append(c.wakes, t)
	}
}

func (c *Core) wake() {
	sort.Slice(c.wakes, func(i, j int) bool { return c.wakes[i].Before(c.wakes[j]) })
	var at time.Time
	if len(c.wakes) > 0 {
		at = c.wakes[0]
	}
	c.effects = append(c.effects, Wake{At: at})
}

func (c *Core) session(node string) *session {
	s := c.sessions[node]
	if s == nil {
		s = &session{node: node}
		c.sessions[node] = s
	}
	return s
}

func (c *Core) isUp(node string) bool { return c.sessions[node] != nil && c.sessions[node].up }

// live returns the names of the nodes that have a session, this one first, then sorted.
func (c *Core) live() []string {
	var out []string
	for name, s := range c.sessions {
		if s.up && name != c.cfg.Self {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	if c.isUp(c.cfg.Self) {
		out = append([]string{c.cfg.Self}, out...)
	}
	return out
}
