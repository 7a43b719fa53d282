package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paceline/resources"
)

// Verdict is what came of one check.
type Verdict string

// The verdicts. A warning does not fail the agent.
const (
	Pass Verdict = "pass"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
	Skip Verdict = "skip"
)

// Finding is one check and what came of it.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // why it is no pass
}

// Report is what all checks found.
type Report struct {
	Agent    string    `json:"agent"`
	Findings []Finding `json:"findings"`
}

// Count says how many checks had a verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Passed says whether no check failed.
func (r *Report) Passed() bool { return r.Count(Fail) == 0 }

type tester struct {
	cfg    Config
	node   string
	mark   string // in the environment of all that the agent begins
	meta   *resources.MetaData
	report *Report
	slow   []string // operations that took longer than advised
	loud   []string // operations that printed too much
	held   []string // operations that left their output open
	mute   []string // failures without a reason
}

// Check checks an agent. The error is only for agents that cannot be checked at all.
func Check(ctx context.Context, cfg Config) (*Report, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, err
	}
	cfg.Path = path
	if cfg.Name == "" {
		cfg.Name = "ra-test"
	}
	if cfg.OCFRoot == "" {
		cfg.OCFRoot = "/usr/lib/ocf"
	}
	t := &tester{cfg: cfg, mark: "PACELINE_RA_TEST=" + rand.Text(), report: &Report{Agent: cfg.Path}}
	t.node, _ = os.Hostname()
	info, err := os.Stat(cfg.Path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("there is no agent %s", cfg.Path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", cfg.Path)
	case info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%s is not executable (chmod 755 %s)", cfg.Path, cfg.Path)
	}
	if !t.metaData(ctx) {
		return t.report, nil
	}
	t.usage(ctx)
	if !t.parameters(ctx) {
		return t.report, nil
	}
	before := look()
	if a := t.op(ctx, resources.Monitor); a.code == resources.OK || a.code == resources.RunningPromoted {
		return nil, errors.New("a resource with these parameters is active on this machine: a test would stop it; use other parameters")
	} else {
		t.expect("monitor of what is stopped says so (7)", a, resources.NotRunning)
	}
	t.life(ctx)
	t.interrupted(ctx)
	t.leftovers(ctx, before)
	return t.report, nil
}

func (t *tester) add(check string, v Verdict, format string, args ...any) {
	t.report.Findings = append(t.report.Findings, Finding{check, v, fmt.Sprintf(format, args...)})
}

// judge adds a pass, or something else if why says what is wrong.
func (t *tester) judge(check, why string, otherwise Verdict) {
	if why == "" {
		otherwise = Pass
	}
	t.add(check, otherwise, "%s", why)
}

// expect adds what came of an operation that has to end with one of some codes.
func (t *tester) expect(check string, a answer, codes ...resources.ExitCode) bool {
	if slices.Contains(codes, a.code) && a.fault == nil && !a.timedOut {
		t.add(check, Pass, "")
		return true
	}
	var want []string
	for _, c := range codes {
		want = append(want, fmt.Sprint(int(c)))
	}
	t.add(check, Fail, "%v, not with %s", a, strings.Join(want, " or "))
	return false
}

func (t *tester) promotable() bool {
	if t.meta == nil {
		return false
	}
	_, ok := t.meta.Action(resources.Promote)
	return ok
}

func (t *tester) has(operation string) bool { _, ok := t.meta.Action(operation); return ok }

// op runs an operation with the parameters under test.
func (t *tester) op(ctx context.Context, operation string) answer {
	return t.with(ctx, operation, t.cfg.Params, t.cfg.Timeout)
}

func (t *tester) with(ctx context.Context, operation string, params map[string]string, budget time.Duration) answer {
	advice, _ := t.meta.Action(operation)
	if budget == 0 {
		budget = min(advice.Timeout, operationMax)
	}
	if budget == 0 {
		budget = operationMax
	}
	a := t.run(ctx, call{args: []string{operation}, params: params, budget: budget})
	note := func(list *[]string, bad bool, format string, args ...any) {
		if s := operation + fmt.Sprintf(format, args...); bad && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	note(&t.slow, advice.Timeout > 0 && a.took > advice.Timeout/2, " took %v of the %v that it advises", a.took.Round(time.Millisecond), advice.Timeout)
	note(&t.loud, len(a.out)+len(a.err) > printMax, " printed %d KiB", (len(a.out)+len(a.err))>>10)
	note(&t.held, a.held, "")
	bad := a.code != resources.OK && a.code != resources.NotRunning && a.code != resources.RunningPromoted && a.code != resources.Unimplemented
	note(&t.mute, bad && a.fault == nil && !a.timedOut && a.reason() == "", " ended with %d", int(a.code))
	return a
}

// metaData checks the meta-data, without which nothing else can be.
func (t *tester) metaData(ctx context.Context) bool {
	query := call{args: []string{resources.MetaDataOp}, budget: queryMax}
	a := t.run(ctx, query)
	if !t.expect("meta-data is printed", a, resources.OK) {
		return false
	}
	m, err := resources.ParseMetaData([]byte(a.out))
	if err != nil {
		t.add("meta-data can be read", Fail, "%v", err)
		return false
	}
	t.add("meta-data can be read", Pass, "")
	t.meta = m
	t.judge("meta-data is well-formed XML and nothing else", strictXML(a.out), Fail)
	why := ""
	if m.Name != filepath.Base(t.cfg.Path) {
		why = fmt.Sprintf("it calls itself %s, and the file is %s", m.Name, filepath.Base(t.cfg.Path))
	}
	t.judge("meta-data has the agent's name", why, Fail)
	var lacks []string
	for _, op := range []string{resources.Start, resources.Stop, resources.Monitor, resources.MetaDataOp, resources.ValidateAll} {
		if !t.has(op) {
			lacks = append(lacks, op)
		}
	}
	t.judge("the actions that every agent needs are listed", lack(lacks), Fail)
	lacks = nil
	for _, x := range m.Actions {
		if x.Timeout <= 0 {
			lacks = append(lacks, x.Name)
		}
	}
	t.judge("every action has a time-out", lack(lacks), Fail)
	why = ""
	for _, pair := range [][2]string{{resources.Promote, resources.Demote}, {resources.MigrateTo, resources.MigrateFrom}} {
		if t.has(pair[0]) != t.has(pair[1]) {
			why = fmt.Sprintf("%s and %s go together", pair[0], pair[1])
		}
	}
	t.judge("actions that belong together are both there", why, Fail)
	lacks = nil
	if m.ShortDesc == "" || m.LongDesc == "" {
		lacks = append(lacks, "the agent itself")
	}
	for _, p := range m.Parameters {
		if p.ShortDesc == "" || p.LongDesc == "" {
			lacks = append(lacks, p.Name)
		}
	}
	t.judge("everything is described", lack(lacks), Warn)
	why = ""
	for _, p := range m.Parameters {
		one := resources.MetaData{Name: m.Name, Parameters: []resources.Parameter{p}}
		if p.Default == "" || p.Deprecated {
			continue
		}
		for _, q := range one.Check(map[string]string{p.Name: p.Default}) {
			why = "the default of " + q.String()
		}
	}
	t.judge("defaults fit their types", why, Warn)
	if os.Geteuid() == 0 {
		query.nobody = true
		b := t.run(ctx, query)
		switch {
		case b.fault != nil:
			t.add("meta-data needs no privileges", Skip, "user nobody may not run the file: %v", b.fault)
		case b.code != resources.OK:
			t.add("meta-data needs no privileges", Warn, "as user nobody %v", b)
		default:
			t.add("meta-data needs no privileges", Pass, "")
		}
	}
	return true
}

func lack(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "missing: " + strings.Join(names, ", ")
}

func strictXML(text string) string {
	d := xml.NewDecoder(bytes.NewReader([]byte(text)))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for depth, roots := 0, 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			return ""
		}
		if err != nil {
			return err.Error()
		}
		switch x := token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				roots++
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(x)) > 0 {
				return fmt.Sprintf("there is text outside of it: %.40q", bytes.TrimSpace(x))
			}
		}
		if roots > 1 {
			return "there is more than one document"
		}
	}
}

// usage checks what an agent says to operations that it does not know.
func (t *tester) usage(ctx context.Context) {
	t.expect("an unknown operation is refused (3)", t.run(ctx, call{args: []string{"no-such-operation"}, params: t.cfg.Params, budget: queryMax}), resources.Unimplemented)
	why := ""
	if a := t.run(ctx, call{budget: queryMax}); a.code == resources.OK || a.fault != nil || a.timedOut {
		why = "without an operation " + a.String()
	}
	t.judge("no operation at all is refused", why, Warn)
}

// parameters checks validate-all.
func (t *tester) parameters(ctx context.Context) bool {
	if !t.has(resources.ValidateAll) {
		return true
	}
	if !t.expect("validate-all takes the parameters of the test", t.op(ctx, resources.ValidateAll), resources.OK) {
		var names []string
		for _, p := range t.meta.Parameters {
			if p.Required {
				names = append(names, p.Name)
			}
		}
		t.add("life", Skip, "without working parameters nothing can be started (required: %s)", strings.Join(names, ", "))
		return false
	}
	refuses := func(check string, otherwise Verdict, change func(map[string]string)) {
		params := maps.Clone(t.cfg.Params)
		if params == nil {
			params = map[string]string{}
		}
		change(params)
		a := t.with(ctx, resources.ValidateAll, params, t.cfg.Timeout)
		why := ""
		if a.code == resources.OK || a.fault != nil || a.timedOut {
			why = a.String()
		}
		t.judge(check, why, otherwise)
	}
	for _, p := range t.meta.Parameters {
		if p.Required && !p.Deprecated && t.cfg.Params[p.Name] != "" {
			refuses("validate-all misses "+p.Name, Fail, func(m map[string]string) { delete(m, p.Name) })
		}
		bad := map[string]string{"integer": "12abc", "boolean": "perhaps", "time": "soon"}[p.Type]
		if bad != "" && !p.Deprecated {
			refuses(fmt.Sprintf("validate-all refuses %s=%s", p.Name, bad), Warn, func(m map[string]string) { m[p.Name] = bad })
		}
	}
	return true
}

// life starts and stops the resource in every order that managers use.
func (t *tester) life(ctx context.Context) {
	t.expect("stop of what is stopped succeeds", t.op(ctx, resources.Stop), resources.OK)
	t.expect("it is stopped", t.op(ctx, resources.Monitor), resources.NotRunning)
	if !t.expect("start", t.op(ctx, resources.Start), resources.OK) {
		t.expect("stop after a failed start", t.op(ctx, resources.Stop), resources.OK)
		t.expect("it is stopped after a failed start", t.op(ctx, resources.Monitor), resources.NotRunning)
		return
	}
	t.expect("monitor of what runs succeeds", t.op(ctx, resources.Monitor), resources.OK)
	t.expect("start of what runs succeeds", t.op(ctx, resources.Start), resources.OK)
	t.expect("it still runs", t.op(ctx, resources.Monitor), resources.OK)
	if t.promotable() {
		t.expect("demote of what is not promoted succeeds", t.op(ctx, resources.Demote), resources.OK)
		t.expect("promote", t.op(ctx, resources.Promote), resources.OK)
		t.expect("monitor of what is promoted says so (8)", t.op(ctx, resources.Monitor), resources.RunningPromoted)
		t.expect("promote of what is promoted succeeds", t.op(ctx, resources.Promote), resources.OK)
		t.expect("demote", t.op(ctx, resources.Demote), resources.OK)
		t.expect("it is no longer promoted", t.op(ctx, resources.Monitor), resources.OK)
	}
	for _, op := range []string{resources.Reload, resources.ReloadAgent, resources.Notify} {
		if t.has(op) {
			t.expect(op, t.op(ctx, op), resources.OK)
		}
	}
	if t.has(resources.MigrateTo) {
		t.add("migration", Skip, "it takes two nodes")
	}
	t.expect("stop", t.op(ctx, resources.Stop), resources.OK)
	t.expect("monitor after the stop says stopped (7)", t.op(ctx, resources.Monitor), resources.NotRunning)
	t.expect("a second stop succeeds", t.op(ctx, resources.Stop), resources.OK)
}

// interrupted kills a start in the middle, as a time-out does: a stop must mend what is left.
func (t *tester) interrupted(ctx context.Context) {
	t.run(ctx, call{args: []string{resources.Start}, params: t.cfg.Params, budget: operationMax, killAt: interruptAfter})
	t.expect("stop after a start that was killed", t.op(ctx, resources.Stop), resources.OK)
	t.expect("it is stopped after that", t.op(ctx, resources.Monitor), resources.NotRunning)
	t.expect("it can be started after that", t.op(ctx, resources.Start), resources.OK)
	t.expect("the last stop", t.op(ctx, resources.Stop), resources.OK)
}

// leftovers compares the machine with what it was.
func (t *tester) leftovers(ctx context.Context, before scene) {
	after := look()
	behind := func(what, names string, v Verdict) {
		if names != "" {
			names = "left behind: " + names
		}
		t.judge("no "+what+" are left behind", names, v)
	}
	behind("processes", t.processes(ctx), Fail)
	behind("mounts", added(before.mounts, after.mounts), Fail)
	behind("addresses", added(before.addresses, after.addresses), Fail)
	behind("files in /run", added(before.files, after.files), Warn)
	t.judge("operations take less than half of their time-out", strings.Join(t.slow, "; "), Warn)
	t.judge("operations print little", strings.Join(t.loud, "; "), Warn)
	why := ""
	if len(t.held) > 0 {
		why = "what they started holds the output of " + strings.Join(t.held, ", ") + ": redirect it"
	}
	t.judge("operations close their output", why, Warn)
	if len(t.mute) > 0 {
		why = strings.Join(t.mute, ", ") + " without an ocf-exit-reason"
	} else {
		why = ""
	}
	t.judge("failures have a reason", why, Warn)
}
