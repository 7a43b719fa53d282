package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/agent/executor"
	"paceline/integration/lab"
)

// The rules beside those of package audit, by the numbers of docs/reliability.md.
const (
	ruleRest     = "L3 rest after every round"
	ruleBytes    = "S10 all nodes show the same at the same revision"
	ruleWrites   = "S10 no acknowledged write is lost"
	ruleOnce     = "S1 every service's process runs once, where the status says"
	ruleLock     = "S1 no lease is held twice (by the kernel's locks)"
	ruleReattach = "S19 maintenance and new daemons touch nothing"
	ruleCrash    = "no daemon ends by itself"
	ruleAnswer   = "L8 every command answers"
	ruleNeedless = "S32 nobody is fenced without need"
	ruleSecret   = "S30 no password in a log or a list of processes"
)

// finding is a rule that did not hold.
type finding struct {
	Rule, Detail string
	Round        int
}

func (f finding) String() string { return fmt.Sprintf("round %d: %s: %s", f.Round, f.Rule, f.Detail) }

// judged notes that a rule was put to the test.
func (r *run) judged(rule string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[rule]++
}

// broken notes that a rule did not hold.
func (r *run) broken(rule, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, finding{rule, detail, r.round})
	fmt.Fprintf(r.out, "VIOLATION: %s: %s\n", rule, detail)
}

// answered judges how long a command took.
func (r *run) answered(args []string, took time.Duration) {
	r.judged(ruleAnswer)
	if took > answerMax {
		r.broken(ruleAnswer, fmt.Sprintf("`paceline %s` took %v", strings.Join(args, " "), took.Round(time.Millisecond)))
	}
}

// lines are those of a node's journal that were taken in, by their numbers. The file's order is not quite that of the numbers: a line
// may stand behind one that got its number later.
type lines struct {
	taken  map[int64]bool
	newest int64
}

// add tells whether a line is new.
func (l *lines) add(seq int64) bool {
	if l.taken == nil {
		l.taken = map[int64]bool{}
	}
	if l.taken[seq] {
		return false
	}
	l.taken[seq] = true
	l.newest = max(l.newest, seq)
	return true
}

// collect takes in what the journals have that was not seen. It is called before a node's disk is emptied, and at rest.
func (r *run) collect() error {
	for _, n := range r.c.Nodes() {
		dir := n.Disk("/var/lib/paceline")
		seen := r.seen[n.Name]
		if seen == nil {
			seen = &lines{}
			r.seen[n.Name] = seen
		}
		entries, err := unread(filepath.Join(dir, executor.JournalName), seen.newest)
		if err != nil {
			return fmt.Errorf("journal of %s: %w", n.Name, err)
		}
		for _, e := range entries {
			if seen.add(e.Seq) {
				r.fresh[n.Name] = append(r.fresh[n.Name], e)
			}
		}
	}
	return nil
}

// unread reads a journal with so many of its rotated files as hold lines after a number, the oldest first. Every file begins with a
// checkpoint, which tells what a disk that failed had kept out of the file before it.
func unread(path string, after int64) ([]executor.Entry, error) {
	var all []executor.Entry
	for i := 0; i <= executor.JournalsKept; i++ {
		name := path
		if i > 0 {
			name += fmt.Sprintf(".%d", i)
		}
		entries, err := executor.ReadJournal(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(entries, all...)
		if len(entries) > 0 && entries[0].Seq <= after+1 {
			break
		}
	}
	return all, nil
}

// complete waits until the journals of nodes whose disk failed go on: what they did meanwhile is told by the next file's head.
func (r *run) complete(ctx context.Context, round Round) error {
	mended := lab.Monotonic().Milliseconds()
	ctx, cancel := context.WithTimeout(ctx, journalMax)
	defer cancel()
	for _, f := range round.Faults {
		if f.Kind != DiskFull && f.Kind != DiskError {
			continue
		}
		for _, n := range r.nodes {
			for {
				if err := r.collect(); err != nil {
					return err
				}
				if slices.ContainsFunc(r.fresh[n], func(e executor.Entry) bool { return e.MonoMS >= mended }) {
					break
				}
				if ctx.Err() != nil {
					return fmt.Errorf("the journal of %s does not go on within %v", n, journalMax)
				}
				pause(ctx, lookAgain)
			}
		}
	}
	return nil
}

// forget is to be called when a node's disk was emptied: its lines begin again.
func (r *run) forget(node string) {
	delete(r.seen, node)
	r.known(audit.Fact{At: lab.Monotonic(), Kind: audit.Wiped, Node: node})
}

// known adds facts that are in no journal.
func (r *run) known(facts ...audit.Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others = append(r.others, facts...)
}

// judge puts a round's facts to the rules, and the state at rest.
func (r *run) judge(ctx context.Context, round Round, s *api.Status, events []lab.PowerEvent) error {
	if err := r.collect(); err != nil {
		return err
	}
	r.mu.Lock()
	others := r.others
	r.others = nil
	r.mu.Unlock()
	slices.SortStableFunc(others, func(a, b audit.Fact) int { return int(a.At - b.At) })
	facts := r.teller.Tell(r.fresh, events, others)
	r.fresh = map[string][]executor.Entry{}
	for _, f := range facts {
		if found := r.auditor.See(f); found != nil {
			r.broken(found.Rule, fmt.Sprintf("%s (at %v since boot)", found.Detail, f.At))
		}
	}
	r.recovered = append(r.recovered, Recoveries(facts, events)...)
	if round.Needless() {
		r.needless(events)
	}
	r.logs()
	r.locks()
	if s == nil {
		return nil
	}
	r.processes(ctx, s)
	r.alike(ctx)
	return r.writes(ctx)
}

// needless judges a round in which nobody has to be fenced. Where the program's own timers were late the machine may be the cause.
func (r *run) needless(events []lab.PowerEvent) {
	r.judged(ruleNeedless)
	for _, e := range events {
		if !strings.HasPrefix(e.What, "asked:off") && !strings.HasPrefix(e.What, "asked:reboot") {
			continue
		}
		if late := r.stall.worst(); late >= stallMin {
			r.say("  %s was fenced by %s; the machine stood still for %v", e.Node, e.By, late.Round(time.Millisecond))
			r.mu.Lock()
			r.starved++
			r.mu.Unlock()
			continue
		}
		r.broken(ruleNeedless, fmt.Sprintf("%s was fenced by %s", e.Node, e.By))
	}
}

// logs looks for daemons that ended by themselves, and for the password, in what their logs have since the last look.
func (r *run) logs() {
	for _, n := range r.c.Nodes() {
		text, at := since(n.Log(daemon), r.readTo[n.Name])
		r.readTo[n.Name] = at
		r.judged(ruleCrash)
		for _, line := range crashes(text) {
			r.broken(ruleCrash, n.Name+": "+line)
		}
		r.judged(ruleSecret)
		if strings.Contains(text, canary) {
			r.broken(ruleSecret, "in the log of "+n.Name)
		}
		list, err := n.Processes()
		if err != nil {
			continue // without power
		}
		for _, p := range list {
			if strings.Contains(strings.Join(p.Args, " "), canary) {
				r.broken(ruleSecret, fmt.Sprintf("%s: %q", n.Name, p.Args))
			}
		}
	}
}

// since reads a file from a place on, up to the end of its last line.
func since(path string, at int64) (string, int64) {
	f, err := os.Open(path)
	if err != nil {
		return "", at
	}
	defer f.Close()
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return "", at
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return "", at
	}
	whole := strings.LastIndexByte(string(text), '\n') + 1
	return string(text[:whole]), at + int64(whole)
}

// locks reads what the leases' own logs say.
func (r *run) locks() {
	for _, name := range leases {
		path := filepath.Join(r.c.Dir(), "shared", "leases", name+".events")
		text, at := since(path, r.readTo[path])
		r.readTo[path] = at
		r.judged(ruleLock)
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) > 1 && (f[1] == "DOUBLE" || f[1] == "LOST") {
				r.broken(ruleLock, strings.TrimSpace(line))
			}
		}
	}
}

// processes compares the processes with the status at rest. What happens just then is no rest: it looks again.
func (r *run) processes(ctx context.Context, s *api.Status) {
	r.judged(ruleOnce)
	var wrong string
	for range looks {
		if wrong = r.misplaced(s); wrong == "" {
			return
		}
		pause(ctx, lookAgain)
		if again := r.glance(ctx); again != nil {
			s = again
		}
	}
	r.broken(ruleOnce, wrong)
}

// misplaced names a service whose processes are not where the status says.
func (r *run) misplaced(s *api.Status) string {
	have := map[string][]string{}
	for who := range r.servicePIDs() {
		node, resource, _ := strings.Cut(who, " ")
		have[resource] = append(have[resource], node)
	}
	for _, resource := range append([]string{"web", "first", "second"}, leases...) {
		where := whereOf(s, resource)
		slices.Sort(have[resource])
		if !slices.Equal(have[resource], where) {
			return fmt.Sprintf("%s runs on %v, and the status says %v", resource, have[resource], where)
		}
	}
	return ""
}

// alike holds every node's own status to the others': at one revision all have to say the same of resources.
func (r *run) alike(ctx context.Context) {
	said := map[uint64]map[string]string{} // revision -> what is said -> by whom
	for _, n := range r.nodes {
		client, err := r.c.API(n)
		if err != nil {
			continue
		}
		brief, cancel := context.WithTimeout(ctx, 2*time.Second)
		s, err := client.Status(brief)
		cancel()
		if err != nil || s.Stale {
			continue
		}
		text, err := json.Marshal([]any{s.ConfigRevision, s.Resources, s.Failures})
		if err != nil {
			continue
		}
		digest := fmt.Sprintf("%x", sha256.Sum256(text))
		r.known(audit.Fact{At: lab.Monotonic(), Kind: audit.Applied, Node: n, Index: s.Revision, Digest: digest})
		if said[s.Revision] == nil {
			said[s.Revision] = map[string]string{}
		}
		said[s.Revision][digest] += " " + n
		r.judged(ruleBytes)
	}
	for revision, by := range said {
		if len(by) > 1 {
			r.broken(ruleBytes, fmt.Sprintf("revision %d is not the same on%s", revision, strings.Join(slices.Sorted(maps.Values(by)), " as on")))
		}
	}
}

// writes holds what stands to what was acknowledged.
func (r *run) writes(ctx context.Context) error {
	r.writer.hold()
	defer r.writer.release()
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	var last error
	for _, n := range r.nodes {
		client, err := r.c.API(n)
		if err != nil {
			continue
		}
		reply, err := client.CIB(ctx)
		if err != nil {
			last = err
			continue
		}
		if _, err := r.writer.lost(standing(&reply.CIB.Configuration)); err != nil {
			r.broken(ruleWrites, err.Error())
		}
		r.judged(ruleWrites)
		return nil
	}
	return fmt.Errorf("read the configuration: %w", last)
}

// takeHandsOff runs a command that takes the cluster's hands off resources, and tells the rules from which revision on.
func (r *run) takeHandsOff(ctx context.Context, args []string) error {
	if _, err := r.command(ctx, "", args...); err != nil {
		return err
	}
	client, err := r.anyAPI()
	if err != nil {
		return nil // then nothing is judged
	}
	ctx, cancel := context.WithTimeout(ctx, writeMax)
	defer cancel()
	reply, err := client.CIB(ctx)
	if err != nil {
		return nil
	}
	r.known(audit.Fact{At: lab.Monotonic(), Kind: audit.Configure, Revision: reply.Revision, Config: audit.ConfigOf(reply.CIB)})
	return nil
}

// handsOff gives the command that ends it. The rules are told before it: what is done by it is done rightly.
func (r *run) handsOff(args []string) func(context.Context) error {
	return func(ctx context.Context) error {
		r.known(audit.Fact{At: lab.Monotonic(), Kind: audit.Configure, Config: r.config})
		return r.undo(ctx, args)
	}
}

// anyAPI is a client of some node that has power.
func (r *run) anyAPI() (*api.Client, error) {
	for _, n := range r.c.Nodes() {
		if n.On() && !r.isPaused(n.Name) && !r.stopped(n.Name) {
			return r.c.API(n.Name)
		}
	}
	return nil, errors.New("no node has power")
}

// whereOf lists the nodes on which the status has a resource, sorted.
func whereOf(s *api.Status, resource string) []string {
	var out []string
	var walk func([]api.Resource)
	walk = func(list []api.Resource) {
		for _, r := range list {
			if r.ID == resource {
				out = append(out, r.Nodes...)
			}
			walk(r.Children)
		}
	}
	walk(s.Resources)
	slices.Sort(out)
	return out
}
