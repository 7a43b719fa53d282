package ctl

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/resources/secret"
)

// agentName takes "class:provider:type" or "class:type" apart; the type of a unit may hold colons.
func agentName(name string) (class, provider, kind string) {
	class, rest, _ := strings.Cut(name, ":")
	if class == "ocf" {
		provider, kind, _ = strings.Cut(rest, ":")
		return class, provider, kind
	}
	return class, "", rest
}

func runClasses(in *invocation) error {
	reply, err := in.api.Agents(in.ctx)
	if err != nil {
		return err
	}
	type class struct {
		Class     string   `json:"class"`
		Agents    int      `json:"agents"`
		Providers []string `json:"providers,omitempty"`
	}
	list := []class{}
	for _, name := range reply.Agents {
		c, p, _ := agentName(name)
		i := slices.IndexFunc(list, func(x class) bool { return x.Class == c })
		if i < 0 {
			i = len(list)
			list = append(list, class{Class: c})
		}
		list[i].Agents++
		if p != "" && !slices.Contains(list[i].Providers, p) {
			list[i].Providers = append(list[i].Providers, p)
		}
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema  int     `json:"schema"`
			Node    string  `json:"node"`
			Classes []class `json:"classes"`
		}{api.Schema, reply.Node, list})
	}
	for _, c := range list {
		in.printf("%s", c.Class)
		if len(c.Providers) > 0 {
			in.printf(" / %s", strings.Join(c.Providers, " "))
		}
		in.printf("\n")
	}
	return nil
}

func runAgents(in *invocation) error {
	reply, err := in.api.Agents(in.ctx)
	if err != nil {
		return err
	}
	class, provider, _ := strings.Cut(in.arg(0), ":")
	if in.arg(1) != "" {
		provider = in.arg(1)
	}
	var classes []string
	list := []string{}
	for _, name := range reply.Agents {
		c, p, kind := agentName(name)
		if !slices.Contains(classes, c) {
			classes = append(classes, c)
		}
		switch {
		case c != class || provider != "" && p != provider:
		case p != "" && provider == "":
			list = append(list, p+":"+kind)
		default:
			list = append(list, kind)
		}
	}
	if len(list) == 0 {
		return api.Errorf(api.CodeNotFound, "list agents", "%s has none of %s", reply.Node, strings.Join(in.args, " ")).
			WithHint("classes are %s", strings.Join(classes, ", "))
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema int      `json:"schema"`
			Node   string   `json:"node"`
			Class  string   `json:"class"`
			Agents []string `json:"agents"`
		}{api.Schema, reply.Node, class, list})
	}
	for _, name := range list {
		in.printf("%s\n", name)
	}
	return nil
}

func runProviders(in *invocation) error {
	reply, err := in.api.Agents(in.ctx)
	if err != nil {
		return err
	}
	list := []string{}
	for _, name := range reply.Agents {
		c, p, kind := agentName(name)
		if kind == in.arg(0) && p != "" && (in.arg(1) == "" || c == in.arg(1)) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return api.Errorf(api.CodeNotFound, "list providers of "+in.arg(0), "no provider on %s has an agent of that type", reply.Node).
			WithHint("`paceline ra list ocf` lists all")
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema    int      `json:"schema"`
			Node      string   `json:"node"`
			Type      string   `json:"type"`
			Providers []string `json:"providers"`
		}{api.Schema, reply.Node, in.arg(0), list})
	}
	for _, p := range list {
		in.printf("%s\n", p)
	}
	return nil
}

func runAgentInfo(in *invocation) error {
	a, err := in.api.Agent(in.ctx, in.arg(0))
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(a)
	}
	in.printf("%s", a.Name)
	if a.Short != "" {
		in.printf(" - %s", a.Short)
	}
	in.printf("\n")
	if a.Long != "" {
		in.printf("\n%s\n", strings.TrimSpace(a.Long))
	}
	params := slices.Clone(a.Parameters)
	slices.SortStableFunc(params, func(x, y api.AgentParameter) int { return rank(x) - rank(y) })
	if len(params) > 0 {
		in.printf("\nParameters (*: required):\n")
	}
	for _, p := range params {
		mark := " "
		if p.Required {
			mark = "*"
		}
		in.printf("\n%s %s (%s", mark, p.Name, orDefault(p.Type, "string"))
		if p.Default != "" {
			in.printf(", default %s", p.Default)
		}
		if len(p.Values) > 0 {
			in.printf(", one of %s", strings.Join(p.Values, " "))
		}
		in.printf(")")
		if p.Short != "" {
			in.printf(": %s", p.Short)
		}
		if p.Deprecated {
			in.printf(" [deprecated]")
		}
		in.printf("\n")
		if long := strings.TrimSpace(p.Long); long != "" && long != p.Short {
			in.printf("      %s\n", strings.ReplaceAll(long, "\n", "\n      "))
		}
	}
	if len(a.Actions) == 0 {
		return nil
	}
	in.printf("\nOperations, with the time-outs that the agent advises:\n\n")
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	for _, op := range a.Actions {
		row := "  " + op.Name + "\ttimeout=" + time.Duration(op.Timeout).String()
		if op.Interval > 0 {
			row += "\tinterval=" + time.Duration(op.Interval).String()
		}
		if op.Role != "" {
			row += "\trole=" + op.Role
		}
		io.WriteString(w, row+"\n")
	}
	return w.Flush()
}

// rank orders parameters: required, usual, deprecated.
func rank(p api.AgentParameter) int {
	switch {
	case p.Required:
		return 0
	case p.Deprecated:
		return 2
	}
	return 1
}

func runAgentValidate(in *invocation) error {
	a, err := in.api.Agent(in.ctx, in.arg(0))
	if err != nil {
		return err
	}
	given := map[string]string{}
	var order []string
	for _, w := range in.args[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return usagef("%q is no NAME=VALUE", w)
		}
		if w != "params" {
			given[name] = value
			order = append(order, name)
		}
	}
	problems := checkParams(a, order, given)
	if in.json() {
		if err := in.writeJSON(struct {
			Schema   int           `json:"schema"`
			Agent    string        `json:"agent"`
			OK       bool          `json:"ok"`
			Problems []api.Problem `json:"problems"`
		}{api.Schema, a.Name, !faulty(problems), problems}); err != nil {
			return err
		}
	} else {
		printProblems(in.Out, problems)
		if len(problems) == 0 {
			in.printf("%s takes these parameters\n", a.Name)
		}
	}
	if faulty(problems) {
		return &exitStatus{exitFailed}
	}
	return nil
}

func faulty(list []api.Problem) bool {
	return slices.ContainsFunc(list, func(p api.Problem) bool { return p.Severity == api.SeverityError })
}

// checkParams compares parameters with what an agent says of itself. order is that in which they were given.
func checkParams(a *api.AgentReply, order []string, given map[string]string) []api.Problem {
	out := []api.Problem{}
	add := func(severity, name, what, hint string) {
		out = append(out, api.Problem{Name: "parameter", Severity: severity, Object: a.Name, Attribute: name, What: what, Hint: hint})
	}
	var names []string
	for _, p := range a.Parameters {
		names = append(names, p.Name)
		value, ok := given[p.Name]
		if !ok {
			if p.Required && p.Default == "" {
				add(api.SeverityError, p.Name, "this parameter is required", p.Short)
			}
			continue
		}
		if p.Deprecated {
			hint := ""
			if p.ReplacedBy != "" {
				hint = "use " + p.ReplacedBy
			}
			add(api.SeverityWarning, p.Name, "this parameter is deprecated", hint)
		}
		if what := unfit(p, value); what != "" {
			add(api.SeverityError, p.Name, what, "")
		}
	}
	for _, name := range order {
		if slices.Contains(names, name) || strings.HasPrefix(name, "pcmk_") || strings.HasPrefix(name, "trace_") {
			continue
		}
		hint := "`paceline ra info " + a.Name + "` lists them"
		if near := cib.Near(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		add(api.SeverityError, name, "the agent has no such parameter", hint)
	}
	return out
}

// unfit says why a value does not fit a parameter; empty if it does.
func unfit(p api.AgentParameter, value string) string {
	switch {
	case secret.Is(value): // what it stands for is known where the agent runs
	case len(p.Values) > 0 && !slices.Contains(p.Values, value):
		return strconv.Quote(value) + " is none of " + strings.Join(p.Values, ", ")
	case p.Type == "integer":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return strconv.Quote(value) + " is no whole number"
		}
	case p.Type == "boolean":
		if _, err := cib.ParseBool(value); err != nil {
			return strconv.Quote(value) + " is neither true nor false"
		}
	}
	return ""
}
