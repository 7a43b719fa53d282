package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/shell"
)

const (
	// completeWait bounds a question to the daemon while a person holds the Tab key.
	completeWait = 500 * time.Millisecond
	// metaWait bounds the question for an agent's meta-data, for which the agent is run the first time.
	metaWait = 2 * time.Second
	// factsAge is how long answers are good while a person types a line.
	factsAge = 5 * time.Second
)

// facts are what completion asks the cluster, kept for a short while. What is not answered in time is not there: completion offers
// less then, and is silent. Not for concurrent use.
type facts struct {
	streams Streams

	since  time.Time // of status and config
	status *api.Status
	config *cib.Configuration
	agents []string // what a node has installed changes rarely: kept as long as the shell runs
	meta   map[string]*api.Agent
}

// forget drops what a command may have changed.
func (k *facts) forget() { k.status, k.config = nil, nil }

func ask[T any](ctx context.Context, k *facts, limit time.Duration, question func(context.Context, *api.Client) (T, error)) (T, bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := k.streams.client()
	defer client.Close()
	v, err := question(ctx, client)
	return v, err == nil
}

func (k *facts) age() {
	if time.Since(k.since) > factsAge {
		k.forget()
		k.since = time.Now()
	}
}

// statusNow returns the status; without an answer an empty one.
func (k *facts) statusNow(ctx context.Context) *api.Status {
	k.age()
	if k.status == nil {
		st, ok := ask(ctx, k, completeWait, func(ctx context.Context, c *api.Client) (*api.Status, error) { return c.Status(ctx) })
		if !ok {
			return &api.Status{}
		}
		k.status = st
	}
	return k.status
}

// configuration returns what is being edited, or else is committed; without an answer an empty one.
func (k *facts) configuration(ctx context.Context) *cib.Configuration {
	if d := k.streams.desk; d != nil && d.level == "configure" && d.session != nil {
		return d.session.Configuration()
	}
	k.age()
	if k.config == nil {
		r, ok := ask(ctx, k, completeWait, func(ctx context.Context, c *api.Client) (*api.ConfigurationReply, error) {
			return c.Configuration(ctx, 0)
		})
		if !ok {
			return &cib.Configuration{}
		}
		k.config = r.Configuration
	}
	return k.config
}

func (k *facts) agentNames(ctx context.Context) []string {
	if k.agents == nil {
		if r, ok := ask(ctx, k, completeWait, func(ctx context.Context, c *api.Client) (*api.AgentsReply, error) { return c.Agents(ctx) }); ok {
			k.agents = r.Agents
		}
	}
	return k.agents
}

// agent returns what an agent says of itself, or an empty description.
func (k *facts) agent(ctx context.Context, name string) *api.Agent {
	if a := k.meta[name]; a != nil {
		return a
	}
	r, ok := ask(ctx, k, metaWait, func(ctx context.Context, c *api.Client) (*api.AgentReply, error) { return c.Agent(ctx, name) })
	if !ok {
		return &api.Agent{}
	}
	if k.meta == nil {
		k.meta = map[string]*api.Agent{}
	}
	k.meta[name] = &r.Agent
	return &r.Agent
}

// named lists what an argument may name.
func (k *facts) named(ctx context.Context, a arg, last string) []shell.Candidate {
	var out []shell.Candidate
	switch a.kind {
	case argChoice:
		for _, v := range a.values {
			out = append(out, shell.Candidate{Word: v})
		}
	case argRevision:
		h, ok := ask(ctx, k, completeWait, func(ctx context.Context, c *api.Client) (*api.HistoryReply, error) {
			return c.History(ctx, api.HistoryDefault)
		})
		if !ok {
			return nil
		}
		for _, c := range h.Commits {
			out = append(out, shell.Candidate{Word: fmt.Sprint(c.Revision), Text: strings.TrimSpace(c.User + " " + c.Message)})
		}
	case argNode:
		for _, n := range k.statusNow(ctx).Nodes {
			out = append(out, shell.Candidate{Word: n.Name, Text: stateText(n)})
		}
	case argResource:
		for r := range k.configuration(ctx).Walk() {
			out = append(out, shell.Candidate{Word: r.ID, Text: resourceText(r)})
		}
	case argObject:
		return objectCandidates(k.configuration(ctx))
	case argOption:
		for _, o := range cib.ClusterOptions() {
			out = append(out, shell.Candidate{Word: o.Name, Text: knownText(o)})
		}
	case argTicket:
		for _, t := range tickets(k.configuration(ctx)) {
			out = append(out, shell.Candidate{Word: t, Text: "ticket"})
		}
	case argAgent:
		return agentCandidates(k.agentNames(ctx), last)
	case argClass:
		return classCandidates(k.agentNames(ctx))
	}
	return out
}

func resourceText(r *cib.Resource) string {
	switch {
	case r.Agent.Type != "":
		return r.Agent.String()
	case r.Template != "":
		return "@" + r.Template
	}
	return string(r.Kind)
}

// tickets lists the tickets that constraints name.
func tickets(c *cib.Configuration) []string {
	var out []string
	seen := map[string]bool{}
	for _, x := range c.Constraints {
		if x.Ticket != nil && !seen[x.Ticket.Ticket] {
			seen[x.Ticket.Ticket] = true
			out = append(out, x.Ticket.Ticket)
		}
	}
	return out
}

// agentCandidates offers agents' names part by part (class, provider, type), and types alone where a few letters are given.
func agentCandidates(names []string, last string) []shell.Candidate {
	var out []shell.Candidate
	seen := map[string]bool{}
	add := func(word, text string) {
		if !seen[word] {
			seen[word] = true
			out = append(out, shell.Candidate{Word: word, Text: text})
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, last) {
			if at := strings.IndexByte(name[len(last):], ':'); at >= 0 && (strings.HasPrefix(name, "ocf:") || last == "" || !strings.Contains(last, ":")) {
				add(name[:len(last)+at+1], "")
				continue
			}
			add(name, "")
		}
	}
	for _, name := range names {
		kind, ok := strings.CutPrefix(name, "ocf:heartbeat:")
		if ok && last != "" && strings.HasPrefix(kind, last) {
			add(kind, name)
		}
	}
	return out
}

// classCandidates lists classes, and providers with their class.
func classCandidates(names []string) []shell.Candidate {
	var out []shell.Candidate
	seen := map[string]bool{}
	add := func(word string) {
		if !seen[word] {
			seen[word] = true
			out = append(out, shell.Candidate{Word: word})
		}
	}
	for _, name := range names {
		parts := strings.SplitN(name, ":", 3)
		add(parts[0])
		if parts[0] == "ocf" && len(parts) == 3 {
			add(parts[0] + ":" + parts[1])
		}
	}
	return out
}

// objectCandidates are the objects of a configuration that have a name of their own.
func objectCandidates(c *cib.Configuration) []shell.Candidate {
	var out []shell.Candidate
	add := func(id, text string) { out = append(out, shell.Candidate{Word: id, Text: text}) }
	for r := range c.Walk() {
		add(r.ID, string(r.Kind))
	}
	for _, t := range c.Templates {
		add(t.ID, "template")
	}
	for _, x := range c.Constraints {
		add(x.ID(), "constraint")
	}
	for _, n := range c.Nodes {
		add(n.Uname, "node")
	}
	for _, t := range c.Tags {
		add(t.ID, "tag")
	}
	for _, a := range c.Alerts {
		add(a.ID, "alert")
	}
	for _, r := range c.ACLs.Roles {
		add(r.ID, "role")
	}
	return out
}

// knownText says what an option is, and what it is if nobody says.
func knownText(o cib.Known) string {
	switch {
	case o.Default != "":
		return o.Text + " [" + o.Default + "]"
	case len(o.Allowed) > 0:
		return o.Text + " (" + strings.Join(o.Allowed, ", ") + ")"
	}
	return o.Text
}
