package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// runVerify checks the session, the shadow copy, the cluster's configuration or a file.
func runVerify(in *invocation) error {
	s, err := in.looking()
	if err != nil {
		return err
	}
	conf := s.Configuration()
	if len(in.args) > 0 {
		text, err := in.readFile(in.arg(0))
		if err != nil {
			return err
		}
		var notes []string
		if conf, notes, err = applyFile(conf, in.arg(0), text, true); err != nil {
			return err
		}
		for _, n := range notes {
			fmt.Fprintln(in.Err, "note: "+n)
		}
	}
	return in.problemsFound(check(conf, in.agents(conf, conf.Primitives())))
}

// problemsFound prints what was found; errors end a command with status 1.
func (in *invocation) problemsFound(problems []api.Problem) error {
	if in.json() {
		if err := in.writeJSON(map[string]any{"schema": api.Schema, "problems": problems}); err != nil {
			return err
		}
	} else {
		printProblems(in.Out, problems)
		if len(problems) == 0 {
			in.printf("no problems found\n")
		}
	}
	if faulty(problems) {
		return &exitStatus{exitFailed}
	}
	return nil
}

func asAPIError(err error, to **api.Error) bool { return err != nil && errors.As(err, to) }

// catalogue is what is known of agents, by their full name; nil for one that the node does not have. An agent that is not in it was not
// to be asked.
type catalogue map[string]*api.Agent

// agents asks the node for what the agents of primitives say of themselves.
func (in *invocation) agents(c *cib.Configuration, primitives []*cib.Resource) catalogue {
	out := catalogue{}
	for _, r := range primitives {
		name := agentOf(c, r)
		if _, asked := out[name]; name == "" || asked {
			continue
		}
		ctx, cancel := context.WithTimeout(in.ctx, agentWait)
		a, err := in.api.Agent(ctx, name)
		cancel()
		e := (*api.Error)(nil)
		switch {
		case err == nil:
			out[name] = &a.Agent
		case asAPIError(err, &e) && e.Code == api.CodeNotFound:
			out[name] = nil
		}
	}
	return out
}

// agentOf returns the full name of a primitive's agent, or "".
func agentOf(c *cib.Configuration, r *cib.Resource) string {
	if r.Kind != cib.KindPrimitive {
		return ""
	}
	if r.Template != "" && r.Agent.Type == "" {
		if t := c.Resource(r.Template); t != nil {
			return t.Agent.String()
		}
	}
	return r.Agent.String()
}

// check lists what is wrong with a configuration and what is doubtful: structure, references and values; then, for agents in the
// catalogue, parameters and time-outs; then fencing.
func check(c *cib.Configuration, agents catalogue) []api.Problem {
	out := []api.Problem{}
	for _, p := range cib.ValidateConfiguration(c) {
		sev := api.SeverityWarning
		if p.Severity == cib.SeverityError {
			sev = api.SeverityError
		}
		out = append(out, api.Problem{Name: "configuration", Severity: sev, Object: p.Object, Attribute: p.Attribute, What: p.Message, Hint: p.Hint})
	}
	k := newChecker(c, agents)
	for r := range c.Walk() {
		if r.Kind == cib.KindPrimitive {
			k.primitive(r)
		}
	}
	k.fencing()
	for i := range c.Alerts {
		k.alert(&c.Alerts[i])
	}
	return append(out, k.list...)
}

// doubts holds what a session adds or changes against what its agents say: parameters and operations that they do not have, or miss. They
// are no reason to refuse: the node that commits need not have the same release of an agent as the one that runs it.
func (in *invocation) doubts(s *draft.Session) []api.Problem {
	_, base := s.Base()
	next := s.Configuration()
	changed := map[string]bool{}
	for _, d := range cib.Diff(base, next) {
		changed[d.Object] = true
	}
	var touched []*cib.Resource
	for r := range next.Walk() {
		if r.Kind == cib.KindPrimitive && changed["primitive "+strconv.Quote(r.ID)] {
			touched = append(touched, r)
		}
	}
	k := newChecker(next, in.agents(next, touched))
	for _, r := range touched {
		k.primitive(r)
	}
	for i := range next.Alerts {
		if a := &next.Alerts[i]; changed["alert "+strconv.Quote(a.ID)] {
			k.alert(a)
		}
	}
	out := filter(k.list, func(p api.Problem) bool {
		return slices.Contains([]string{"missing-parameter", "unknown-parameter", "parameter-type", "unknown-operation", "alert-kept"}, p.Name)
	})
	for i := range out {
		out[i].Severity = api.SeverityWarning
	}
	return out
}

type checker struct {
	c      *cib.Configuration
	index  *cib.Index
	agents catalogue
	unique map[string]string // agent, parameter and value -> resource
	list   []api.Problem
}

func newChecker(c *cib.Configuration, agents catalogue) *checker {
	return &checker{c: c, index: cib.NewIndex(c), agents: agents, unique: map[string]string{}}
}

func (k *checker) add(name, severity string, r *cib.Resource, attribute, what, hint string) {
	k.list = append(k.list, api.Problem{
		Name: name, Severity: severity, Object: "primitive " + strconv.Quote(r.ID), Attribute: attribute, What: what, Hint: hint,
	})
}

// sets lists the parameters, or what of returns, of a primitive and its template, references followed.
func (k *checker) sets(r *cib.Resource, of func(*cib.Resource) []cib.NVSet) []cib.NVPair {
	var out []cib.NVPair
	sources := []*cib.Resource{r}
	if t := k.index.Templates[r.Template]; t != nil {
		sources = append(sources, t)
	}
	for _, source := range sources {
		list := of(source)
		for i := range list {
			if s := k.index.Set(&list[i]); s != nil {
				out = append(out, s.Pairs...)
			}
		}
	}
	return out
}

func (k *checker) primitive(r *cib.Resource) {
	name := agentOf(k.c, r)
	a, asked := k.agents[name]
	if !asked {
		return
	}
	if a == nil {
		k.add("unknown-agent", api.SeverityError, r, "", "agent "+name+" is not installed on this node", "install it on every node that may run it; `paceline ra list CLASS` lists what is there")
		return
	}
	k.parameters(r, a)
	k.operations(r, a)
}

func (k *checker) parameters(r *cib.Resource, a *api.Agent) {
	var names []string
	known := map[string]api.AgentParameter{}
	for _, p := range a.Parameters {
		names = append(names, p.Name)
		known[p.Name] = p
	}
	given := map[string]bool{}
	for i, pair := range k.sets(r, func(r *cib.Resource) []cib.NVSet { return r.Params }) {
		name, value, ok := k.index.Pair(&pair)
		if name == "" || !ok {
			continue
		}
		first := !given[name]
		given[name] = true
		p, is := known[name]
		if !is {
			k.unknownParameter(r, a, name, names)
			continue
		}
		if p.Deprecated {
			k.add("deprecated-parameter", api.SeverityWarning, r, "params "+name, "the agent calls it deprecated", replacedBy(p))
		}
		if what := unfit(p, value); what != "" {
			k.add("parameter-type", api.SeverityError, r, "params "+name, what, "`paceline ra info "+a.Name+"` describes it")
		}
		key := a.Name + " " + name + " " + value
		if other := k.unique[key]; p.Unique && first && other != "" && other != r.ID {
			k.add("not-unique", api.SeverityWarning, r, "params "+name, fmt.Sprintf("%q is the value of %s too; the agent wants each to have its own", value, other), "")
		} else if i >= 0 && p.Unique {
			k.unique[key] = r.ID
		}
	}
	if len(r.Params) > 0 && slices.ContainsFunc(r.Params, func(s cib.NVSet) bool { return k.index.Set(&s) == nil }) {
		return // the reference is told as wrong already; what it would give is not known
	}
	for _, p := range a.Parameters {
		if p.Required && p.Default == "" && !given[p.Name] && !(r.Agent.Class == "stonith" && (p.Name == "action" || p.Name == "plug" || p.Name == "port")) {
			k.add("missing-parameter", api.SeverityError, r, "", fmt.Sprintf("parameter %s is missing: %s", p.Name, orDash(p.Short)), "`paceline ra info "+a.Name+"` describes it")
		}
	}
}

func replacedBy(p api.AgentParameter) string {
	if p.ReplacedBy == "" {
		return ""
	}
	return "use " + p.ReplacedBy
}

func (k *checker) unknownParameter(r *cib.Resource, a *api.Agent, name string, names []string) {
	if r.Agent.Class == "stonith" || strings.HasPrefix(a.Name, "stonith:") {
		if _, ok := cib.Find(cib.DeviceParameters(), name); ok {
			return
		}
	}
	if strings.HasPrefix(name, "OCF_") || strings.HasPrefix(name, "trace_") || len(names) == 0 {
		return // read by the cluster or by every agent; or the agent tells nothing of its parameters
	}
	hint := "`paceline ra info " + a.Name + "` lists them"
	if near := cib.Near(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	k.add("unknown-parameter", api.SeverityWarning, r, "params "+name, "agent "+a.Name+" has no such parameter", hint)
}

// advice are the time-outs that an agent advises, by operation, and by operation and role.
type advice map[string]time.Duration

func adviceOf(a *api.Agent) (timeouts advice, names []string) {
	timeouts = advice{}
	for _, action := range a.Actions {
		if action.Role != "" {
			timeouts[action.Name+" "+action.Role] = time.Duration(action.Timeout)
		}
		if _, known := timeouts[action.Name]; !known {
			timeouts[action.Name] = time.Duration(action.Timeout)
			names = append(names, action.Name)
		}
	}
	return timeouts, names
}

func (t advice) of(op *cib.Op) (time.Duration, bool) {
	if least, known := t[op.Name+" "+op.Role]; known && op.Role != "" {
		return least, true
	}
	least, known := t[op.Name]
	return least, known
}

// operations holds time-outs against the agent's advice.
func (k *checker) operations(r *cib.Resource, a *api.Agent) {
	advice, names := adviceOf(a)
	configured := map[string]bool{}
	ops := slices.Clone(r.Operations.Ops)
	if t := k.index.Templates[r.Template]; t != nil {
		ops = append(ops, t.Operations.Ops...)
	}
	for _, op := range ops {
		configured[op.Name] = true
		least, known := advice.of(op)
		if !known && len(names) > 0 {
			hint := ""
			if near := cib.Near(op.Name, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			k.add("unknown-operation", api.SeverityWarning, r, "op "+op.Name, "agent "+a.Name+" has no such operation", hint)
		}
		k.timeout(r, op.Name, op.Timeout, least)
	}
	for _, name := range []string{"start", "stop"} {
		if !configured[name] {
			k.timeout(r, name, "", advice[name])
		}
	}
	if !configured["monitor"] && advice["monitor"] > 0 && r.Operations.IDRef == "" {
		k.add("no-monitor", api.SeverityWarning, r, "", "it is not monitored: its failure would go unnoticed", "paceline configure monitor "+r.ID+" 10s")
	}
}

// timeout tells one that is below the agent's advice. Without a value the operations' default counts.
func (k *checker) timeout(r *cib.Resource, op, text string, least time.Duration) {
	from := ""
	if text == "" {
		text, from = "20s", " (the default)"
		for _, s := range cib.OrderSets(k.c.OpDefaults) {
			if v, ok := s.Get("timeout"); ok && s.Rule == nil {
				text = v
				break
			}
		}
	}
	ms, err := cib.ParseMilliseconds(text)
	if err != nil || least <= 0 || time.Duration(ms)*time.Millisecond >= least {
		return // a bad value is told by the structure's check
	}
	k.add("short-timeout", api.SeverityWarning, r, "op "+op, fmt.Sprintf("its time-out of %s%s is below the %s that the agent advises", text, from, short(least)),
		fmt.Sprintf("op %s timeout=%s", op, short(least)))
}

// alert tells of one that it is kept and has no effect: nothing else would show it before it was missed.
func (k *checker) alert(a *cib.Alert) {
	k.list = append(k.list, api.Problem{
		Name: "alert-kept", Severity: api.SeverityWarning, Object: "alert " + strconv.Quote(a.ID), What: "it is kept, and no program is run for it",
		Hint: "`paceline status --watch --json` is a stream of changes, `paceline status --metrics` has figures to alert on",
	})
}

// fencing tells of fencing that is switched off; that there is no device is a finding of the structure.
func (k *checker) fencing() {
	v, ok := k.c.Option("fencing-enabled")
	if on, err := cib.ParseBool(v); !ok || err != nil || on || len(k.c.Primitives()) == 0 {
		return
	}
	k.list = append(k.list, api.Problem{
		Name: "fencing-off", Severity: api.SeverityWarning, Object: "fencing",
		What: "it is switched off: a failed node's work is taken over without knowing that it is dead",
		Hint: "configure a fencing device and set fencing-enabled=true",
	})
}
