package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

// Cause is one reason in machine form: what keeps a resource from a node (from all, where Node is empty), on what it hangs,
// and since when, where that is known.
type Cause struct {
	scheduler.Why
	Since  time.Time `json:"since,omitzero"`
	Commit *Origin   `json:"commit,omitempty"` // the commit that made Object what it is
}

// Origin names a commit.
type Origin struct {
	Revision uint64    `json:"revision"`
	Time     time.Time `json:"time"`
	User     string    `json:"user"`
	Message  string    `json:"message,omitempty"`
}

// text is the cause as a sentence part, with since when it holds.
func (c Cause) text() string {
	switch {
	case c.Commit != nil:
		text := fmt.Sprintf("%s (since %s, by %s", c.Text, stamp(c.Commit.Time), c.Commit.User)
		if c.Commit.Message != "" {
			text += ": " + c.Commit.Message
		}
		return text + ")"
	case !c.Since.IsZero():
		return c.Text + " (since " + stamp(c.Since) + ")"
	}
	return c.Text
}

// stamp writes a moment as the clocks on the wall show it, as everything that people read does.
func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }

// originOf finds the newest commit whose changes speak of an object, and of a word about it ("" is any).
func originOf(commits []Commit, object, word string) *Origin {
	if object == "" {
		return nil
	}
	for _, c := range commits {
		for _, ch := range c.Changes {
			if !strings.Contains(ch.Text, word) {
				continue
			}
			if strings.Contains(ch.Object, `"`+object+`"`) || ch.Object == object || strings.Contains(ch.Text, `"`+object+`"`) {
				return &Origin{Revision: c.Revision, Time: c.Time, User: c.User, Message: c.Message}
			}
		}
	}
	return nil
}

// causesOf completes what the plan says with since when it holds.
func causesOf(list []scheduler.Why, c *cib.CIB, st *Status, commits []Commit) []Cause {
	out := []Cause{}
	for _, w := range list {
		cause := Cause{Why: w}
		switch w.Kind {
		case scheduler.WhyLocation, scheduler.WhyColocation, scheduler.WhyOrder, scheduler.WhyTargetRole, scheduler.WhyUnmanaged:
			cause.Commit = originOf(commits, w.Object, "")
		case scheduler.WhyNode, scheduler.WhyFencing:
			for _, n := range st.Nodes {
				if n.Name == w.Object {
					cause.Since = n.Since
				}
			}
		case scheduler.WhyFailure:
			for _, f := range st.Failures {
				if f.Node == w.Node && baseID(f.Resource) == baseID(w.Resource) {
					cause.Since = f.When
				}
			}
			if cause.Since.IsZero() {
				cause.Since = lastFailure(c, w.Node, baseID(w.Resource))
			}
		}
		out = append(out, cause)
	}
	return out
}

// lastFailure is when a resource failed last on a node, by the node's attributes.
func lastFailure(c *cib.CIB, node, resource string) time.Time {
	var last time.Time
	st := c.NodeState(node)
	if st == nil {
		return last
	}
	for _, set := range st.Attributes {
		for _, p := range set.Pairs {
			name, ok := strings.CutPrefix(p.Name, "last-failure-")
			if who, _, _ := strings.Cut(name, "#"); !ok || baseID(who) != resource {
				continue
			}
			if n, err := strconv.ParseInt(p.Value, 10, 64); err == nil && time.Unix(n, 0).After(last) {
				last = time.Unix(n, 0)
			}
		}
	}
	return last
}

// remedies are the commands that would take a cause away.
func (c Cause) remedies(conf *cib.Configuration) []string {
	id := baseID(c.Resource)
	switch c.Kind {
	case scheduler.WhyLocation:
		if strings.HasPrefix(c.Object, "cli-") {
			return []string{"paceline resource clear " + id}
		}
		return []string{"paceline configure delete " + c.Object}
	case scheduler.WhyColocation, scheduler.WhyOrder:
		var out []string
		if c.Partner != "" && c.Node == "" {
			out = append(out, startOf(conf, c.Partner)...)
			out = append(out, "paceline explain "+c.Partner)
		}
		if conf != nil && slices.ContainsFunc(conf.Constraints, func(k *cib.Constraint) bool { return k.ID() == c.Object }) {
			out = append(out, "paceline configure delete "+c.Object)
		}
		return out
	case scheduler.WhyTicket:
		return []string{"paceline ticket grant " + c.Object}
	case scheduler.WhyUtilization:
		return []string{fmt.Sprintf("paceline node utilization %s set %s %s", c.Node, c.Object, c.Needed)}
	case scheduler.WhyHealth:
		return []string{"paceline node status-attr " + c.Node + " delete " + c.Object}
	case scheduler.WhyQuorum:
		return []string{"paceline cluster status"}
	case scheduler.WhyFencing:
		return []string{"paceline node fence " + c.Object, "paceline node fence " + c.Object + " --confirmed"}
	case scheduler.WhyTargetRole:
		return []string{"paceline resource start " + c.Object}
	case scheduler.WhyUnmanaged:
		switch c.Object {
		case "maintenance-mode":
			return []string{"paceline configure property maintenance-mode=false"}
		case "":
			return []string{"paceline resource manage " + id}
		}
		return []string{"paceline resource maintenance " + c.Object + " off"}
	case scheduler.WhyFailure:
		if c.Node != "" {
			return []string{"paceline resource cleanup " + id + " " + c.Node}
		}
	case scheduler.WhyClone:
		if c.Object != "" {
			return []string{fmt.Sprintf("paceline resource meta %s set clone-max %s", c.Object, c.Needed)}
		}
	case scheduler.WhyAsymmetric:
		return []string{fmt.Sprintf("paceline configure location %s-on-%s %s 0: %s", id, c.Node, id, c.Node)}
	}
	return nil
}

// startOf is how to start what a person stopped.
func startOf(conf *cib.Configuration, id string) []string {
	t, err := findResource(conf, id)
	if err != nil {
		return nil
	}
	if stopped(t.resource.Meta) {
		return []string{"paceline resource start " + id}
	}
	for _, a := range t.ancestors {
		if stopped(a.Meta) {
			return []string{"paceline resource start " + a.ID}
		}
	}
	return nil
}

// activeSince is when an instance became active on a node, by the newest start, promotion or migration in its history.
func activeSince(c *cib.CIB, node string, mine func(string) bool) time.Time {
	var last time.Time
	st := c.NodeState(node)
	if st == nil {
		return last
	}
	for _, h := range st.Resources {
		if !mine(h.ID) {
			continue
		}
		for _, op := range h.Ops {
			switch op.Operation {
			case "start", "promote", "migrate_from":
			default:
				continue
			}
			if n, err := strconv.ParseInt(op.LastRCChange, 10, 64); err == nil && n > 0 && op.RC == "0" && time.Unix(n, 0).After(last) {
				last = time.Unix(n, 0)
			}
		}
	}
	return last
}
