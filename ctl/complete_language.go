package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/shell"
)

// languageCandidates returns the completion of a line of the crm language that begins with a word.
func languageCandidates(word string) func(context.Context, *facts, []string, string) []shell.Candidate {
	return func(ctx context.Context, k *facts, args []string, last string) []shell.Candidate {
		l := &languageLine{ctx: ctx, k: k, word: word, args: args, last: last}
		return without(l.candidates(), args)
	}
}

// languageLine is a line of the crm language up to the word that is to be completed.
type languageLine struct {
	ctx  context.Context
	k    *facts
	word string
	args []string // behind word
	last string
}

func (l *languageLine) candidates() []shell.Candidate {
	n := len(l.args)
	switch l.word {
	case "property":
		return l.pairs(cib.ClusterOptions())
	case "rsc_defaults":
		return l.pairs(cib.MetaAttributes())
	case "op_defaults":
		return l.pairs(cib.OperationAttributes())
	case "node":
		if n == 0 {
			return l.named(argNode)
		}
		return choices("attributes", "utilization", "standby=on", "maintenance=on")
	case "delete", "set", "rename":
		return l.named(argObject)
	case "monitor":
		if n == 0 {
			return l.named(argResource)
		}
		return nil
	case "fencing_topology":
		return l.topology()
	case "modgroup":
		return l.modgroup()
	}
	if n == 0 {
		return nil // a new ID
	}
	switch l.word {
	case "primitive", "rsc_template":
		if n == 1 {
			return l.agents()
		}
		return l.sections(l.agent())
	case "group":
		return append(l.kind(cib.KindPrimitive), l.sections(nil)...)
	case "clone", "ms":
		if n == 1 {
			return append(l.kind(cib.KindPrimitive), l.kind(cib.KindGroup)...)
		}
		return l.sections(nil)
	case "bundle":
		return choices("podman", "docker", "network", "port-mapping", "storage", "storage-mapping", "primitive", "meta", "image=", "replicas=", "promoted-max=", "ip-range-start=", "port=", "source-dir=", "target-dir=")
	case "location":
		return l.location()
	case "colocation":
		if n == 1 {
			return scores()
		}
		return append(l.withSuffix(argResource, roleSuffixes), shell.Candidate{Word: "node-attribute="})
	case "order":
		if n == 1 {
			return choices("Mandatory:", "Optional:", "Serialize:")
		}
		return append(l.withSuffix(argResource, actionSuffixes), shell.Candidate{Word: "symmetrical="})
	case "rsc_ticket":
		if n == 1 {
			var out []shell.Candidate
			for _, t := range l.named(argTicket) {
				out = append(out, shell.Candidate{Word: t.Word + ":", Text: t.Text})
			}
			return out
		}
		return append(l.withSuffix(argResource, roleSuffixes), choices("loss-policy=stop", "loss-policy=demote", "loss-policy=fence", "loss-policy=freeze")...)
	case "tag":
		return l.named(argObject)
	case "alert":
		return choices("attributes", "meta", "select", "to")
	case "role":
		return choices("read", "write", "deny", "xpath:", "ref:", "type:", "tag:", "property", "node", "cib", "status")
	case "acl_target", "acl_group":
		var out []shell.Candidate
		for _, r := range l.k.configuration(l.ctx).ACLs.Roles {
			out = append(out, shell.Candidate{Word: r.ID, Text: "role"})
		}
		return out
	}
	return nil
}

var (
	roleSuffixes   = []string{":Started", ":Promoted", ":Unpromoted"}
	actionSuffixes = []string{":start", ":stop", ":promote", ":demote"}
)

func choices(words ...string) []shell.Candidate {
	var out []shell.Candidate
	for _, w := range words {
		out = append(out, shell.Candidate{Word: w})
	}
	return out
}

func scores() []shell.Candidate {
	return []shell.Candidate{{Word: "inf:", Text: "always"}, {Word: "-inf:", Text: "never"}, {Word: "100:", Text: "rather"}, {Word: "-100:", Text: "rather not"}}
}

func (l *languageLine) named(kind argKind) []shell.Candidate {
	return l.k.named(l.ctx, arg{kind: kind}, l.last)
}

// withSuffix offers names, and once one is there with a colon behind it, what may stand behind the colon.
func (l *languageLine) withSuffix(kind argKind, suffixes []string) []shell.Candidate {
	name, _, open := strings.Cut(l.last, ":")
	if !open {
		return l.named(kind)
	}
	var out []shell.Candidate
	for _, s := range suffixes {
		out = append(out, shell.Candidate{Word: name + s})
	}
	return out
}

func (l *languageLine) kind(kind cib.ResourceKind) []shell.Candidate {
	var out []shell.Candidate
	for r := range l.k.configuration(l.ctx).Walk() {
		if r.Kind == kind {
			out = append(out, shell.Candidate{Word: r.ID, Text: resourceText(r)})
		}
	}
	return out
}

func (l *languageLine) agents() []shell.Candidate {
	out := l.named(argAgent)
	for _, t := range l.k.configuration(l.ctx).Templates {
		out = append(out, shell.Candidate{Word: "@" + t.ID, Text: "template of " + t.Agent.String()})
	}
	return out
}

// agent returns what the agent of the line says of itself; behind a template's name that template's.
func (l *languageLine) agent() *api.Agent {
	name := l.args[1]
	if id, ok := strings.CutPrefix(name, "@"); ok {
		for _, t := range l.k.configuration(l.ctx).Templates {
			if t.ID == id {
				name = t.Agent.String()
			}
		}
	}
	return l.k.agent(l.ctx, name)
}

// sections completes params, meta, utilization and op of a resource; without an agent there are meta attributes alone.
func (l *languageLine) sections(a *api.Agent) []shell.Candidate {
	section, from := "meta", 0
	words := choices("meta")
	if a != nil {
		section, words = "params", choices("params", "meta", "op", "utilization")
	}
	for i, w := range l.args {
		switch strings.ToLower(w) {
		case "params", "meta", "utilization", "op", "op_params", "op_meta", "operations":
			section, from = strings.ToLower(w), i+1
		}
	}
	inside := l.args[from:]
	var out []shell.Candidate
	switch section {
	case "params":
		out = l.params(a)
	case "meta":
		out = l.pairs(cib.MetaAttributes())
	case "op":
		if len(inside) == 0 {
			return operations(a)
		}
		out = l.operation(a, inside[0])
	}
	if !strings.Contains(l.last, "=") && len(inside) > 0 || section == "params" && from == 0 || section == "meta" && from == 0 {
		out = append(out, words...)
	}
	return out
}

// params offers the parameters of an agent that are not set yet, the required ones first, each with what it is; behind '=' its
// values.
func (l *languageLine) params(a *api.Agent) []shell.Candidate {
	if name, _, ok := strings.Cut(l.last, "="); ok {
		for _, p := range a.Parameters {
			if p.Name == name {
				return parameterValues(p)
			}
		}
		return nil
	}
	var out []shell.Candidate
	for _, required := range []bool{true, false} {
		for _, p := range a.Parameters {
			if p.Required == required && !p.Deprecated && !l.has(p.Name) {
				out = append(out, shell.Candidate{Word: p.Name + "=", Text: parameterText(p)})
			}
		}
	}
	if strings.HasPrefix(a.Name, "stonith:") {
		out = append(out, l.pairs(cib.DeviceParameters())...)
	}
	return out
}

func parameterText(p api.AgentParameter) string {
	text := p.Short
	if p.Required {
		text = "(required) " + text
	}
	if p.Default != "" {
		text += " [" + p.Default + "]"
	}
	return strings.TrimSpace(text)
}

func parameterValues(p api.AgentParameter) []shell.Candidate {
	values := p.Values
	if p.Type == "boolean" {
		values = []string{"true", "false"}
	}
	if len(values) == 0 && p.Default != "" {
		values = []string{p.Default}
	}
	var out []shell.Candidate
	for _, v := range values {
		text := ""
		if v == p.Default {
			text = "the default"
		}
		out = append(out, shell.Candidate{Word: p.Name + "=" + v, Text: text})
	}
	if len(out) == 0 { // nothing to offer but what it is
		out = append(out, shell.Candidate{Word: p.Name + "=", Text: parameterText(p)})
	}
	return out
}

// has says whether a pair of that name is on the line.
func (l *languageLine) has(name string) bool {
	return slices.ContainsFunc(l.args, func(w string) bool { return strings.HasPrefix(w, name+"=") })
}

// pairs offers options that the cluster knows and the line has not; behind '=' their values.
func (l *languageLine) pairs(known []cib.Known) []shell.Candidate {
	if name, _, ok := strings.Cut(l.last, "="); ok {
		o, found := cib.Find(known, name)
		if !found {
			return nil
		}
		p := api.AgentParameter{Name: name, Default: o.Default, Values: o.Allowed, Short: o.Text}
		if o.Type == cib.TypeBool {
			p.Type = "boolean"
		}
		return parameterValues(p)
	}
	var out []shell.Candidate
	for _, o := range known {
		if !l.has(o.Name) {
			out = append(out, shell.Candidate{Word: o.Name + "=", Text: knownText(o)})
		}
	}
	return out
}

// operations offers what an agent can do, but for what is never configured.
func operations(a *api.Agent) []shell.Candidate {
	var out []shell.Candidate
	seen := map[string]bool{"meta-data": true, "validate-all": true}
	if a == nil || len(a.Actions) == 0 {
		return choices("start", "stop", "monitor", "promote", "demote")
	}
	for _, x := range a.Actions {
		if seen[x.Name] {
			continue
		}
		seen[x.Name] = true
		text := ""
		if x.Timeout > 0 {
			text = "advised: timeout=" + seconds(x.Timeout)
			if x.Interval > 0 {
				text += " interval=" + seconds(x.Interval)
			}
		}
		out = append(out, shell.Candidate{Word: x.Name, Text: text})
	}
	return out
}

// seconds writes a duration as configurations do.
func seconds(d api.Duration) string {
	t := time.Duration(d)
	if t%time.Second == 0 {
		return fmt.Sprintf("%ds", t/time.Second)
	}
	return t.String()
}

// operation offers the attributes of an operation, with the values that the agent's author advises.
func (l *languageLine) operation(a *api.Agent, name string) []shell.Candidate {
	if attribute, _, ok := strings.Cut(l.last, "="); ok && a != nil {
		for _, x := range a.Actions {
			advised := x.Timeout
			if attribute == "interval" {
				advised = x.Interval
			}
			if x.Name == name && advised > 0 && (attribute == "timeout" || attribute == "interval") {
				return []shell.Candidate{{Word: attribute + "=" + seconds(advised), Text: "advised by the agent"}}
			}
		}
	}
	return l.pairs(cib.OperationAttributes())
}

func (l *languageLine) location() []shell.Candidate {
	if len(l.args) == 1 {
		return l.named(argResource)
	}
	if strings.HasSuffix(l.args[len(l.args)-1], ":") {
		return l.named(argNode)
	}
	return append(scores(), choices("rule", "role=Promoted", "role=Started", "resource-discovery=always", "resource-discovery=never", "resource-discovery=exclusive")...)
}

func (l *languageLine) topology() []shell.Candidate {
	var out []shell.Candidate
	for _, n := range l.named(argNode) {
		out = append(out, shell.Candidate{Word: n.Word + ":", Text: "the levels of " + n.Word})
	}
	for r := range l.k.configuration(l.ctx).Walk() {
		if r.Agent.Class == "stonith" {
			out = append(out, shell.Candidate{Word: r.ID, Text: r.Agent.String()})
		}
	}
	return out
}

func (l *languageLine) modgroup() []shell.Candidate {
	switch len(l.args) {
	case 0:
		return l.kind(cib.KindGroup)
	case 1:
		return choices("add", "remove")
	case 2, 4:
		return l.kind(cib.KindPrimitive)
	case 3:
		return choices("before", "after")
	}
	return nil
}
