package ctl

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// statusWords are the words that may follow status, as in older shells; each has a flag of the same meaning where it is not
// shown anyway.
var statusWords = []string{
	"full", "bynode", "inactive", "ops", "timing", "failcounts", "attributes", "verbose", "detail", "brief", "simple", "tickets", "noheaders", "quiet", "html",
}

// more is what a status shows on demand, from the whole state.
type more struct {
	ops, failcounts, attributes bool
}

// statusView reads what is to be shown from flags and words.
func (in *invocation) statusView() (v statusView, m more, simple bool, err error) {
	v = statusView{byNode: in.c.Bool("by-node"), brief: in.c.Bool("brief"), paint: painter(in.colour())}
	m = more{ops: in.c.Bool("ops"), failcounts: in.c.Bool("failcounts"), attributes: in.c.Bool("attributes")}
	simple = in.c.Bool("simple")
	for _, w := range in.args {
		if !slices.Contains(statusWords, w) {
			e := usagef("paceline status: %q is nothing that it can show", w)
			e.hint = "words are " + strings.Join(statusWords, ", ")
			if w == "xml" {
				e.hint = "for programs: paceline status --json; the configuration and state in XML: paceline configure xml"
			}
			return v, m, simple, e
		}
		switch w {
		case "full":
			m = more{true, true, true}
		case "bynode":
			v.byNode = true
		case "ops", "timing":
			m.ops = true
		case "failcounts":
			m.failcounts = true
		case "attributes":
			m.attributes = true
		case "verbose", "detail":
			v.detail = true
		case "brief":
			v.brief = true
		case "noheaders", "quiet":
			v.noHeader = true
		case "simple":
			simple = true
		}
	}
	return v, m, simple, nil
}

// write adds what was asked for beyond the status.
func (m more) write(w io.Writer, c *cib.CIB, paint painter) error {
	if m.attributes {
		fmt.Fprintln(w, "\nNode Attributes:")
		for _, n := range c.Configuration.Nodes {
			list := attributesOf(c, n.Uname)
			if len(list) == 0 {
				continue
			}
			fmt.Fprintf(w, "  * Node %s:\n", n.Uname)
			for _, a := range list {
				kind := ""
				if a.Transient {
					kind = " (until reboot)"
				}
				fmt.Fprintf(w, "    * %s = %s%s\n", a.Name, shownValue(namedValue{Name: a.Name, Value: a.Value}), kind)
			}
		}
	}
	if m.failcounts {
		fmt.Fprintln(w, "\nFail Counts:")
		list := failcountsOf(c, nil, "")
		if len(list) == 0 {
			fmt.Fprintln(w, "  * none")
		}
		for _, f := range list {
			text := fmt.Sprintf("%s on %s: %s", f.Resource, f.Node, f.Count)
			if f.Operation != "" {
				text += " (" + f.Operation + ")"
			}
			if !f.Last.IsZero() {
				text += ", last " + moment(f.Last)
			}
			fmt.Fprintf(w, "  * %s\n", paint.warn(text))
		}
	}
	if m.ops {
		fmt.Fprintln(w, "\nOperations:")
		var b bytes.Buffer
		if err := writeOperations(&b, operationsOf(c, nil, "")); err != nil {
			return err
		}
		for line := range strings.Lines(b.String()) {
			fmt.Fprint(w, "  "+line)
		}
	}
	return nil
}

// simpleStatus is one line for monitoring, and whether all is well.
func simpleStatus(st *api.Status) (line string, well bool) {
	var bad []string
	if st.Stale {
		bad = append(bad, "no coordinator is heard")
	}
	if !st.Quorum.Quorate {
		bad = append(bad, "no quorum")
	}
	for _, n := range st.Nodes {
		if n.State != api.NodeOnline && n.State != api.NodeStandby && n.State != api.NodeMaintenance {
			bad = append(bad, n.Name+" "+string(n.State))
		}
	}
	if n := st.Counts.Failed; n > 0 {
		bad = append(bad, plural(n, "failed resource"))
	}
	if n := st.Counts.Blocked; n > 0 {
		bad = append(bad, plural(n, "blocked resource"))
	}
	if !st.Protected.Yes {
		bad = append(bad, "not protected")
	}
	if len(bad) > 0 {
		return "CLUSTER WARN: " + strings.Join(bad, ", "), false
	}
	return fmt.Sprintf("CLUSTER OK: %s online, %s configured", plural(st.Counts.Online, "node"), plural(st.Counts.Resources, "resource instance")), true
}

// briefly writes, for each agent and place, how many resources are there.
func (v statusView) briefly(w io.Writer, list []api.Resource) {
	type key struct{ agent, where string }
	counts := map[key]int{}
	var order []key
	add := func(k key) {
		if counts[k] == 0 {
			order = append(order, k)
		}
		counts[k]++
	}
	for _, top := range list {
		for _, r := range leaves(top) {
			if len(r.Instances) == 0 {
				add(key{r.Agent, r.Role})
			}
			for _, i := range r.Instances {
				add(key{r.Agent, i.Role + " " + i.Node})
			}
		}
	}
	for _, k := range order {
		fmt.Fprintf(w, "  * %d\t(%s):  %s\n", counts[k], k.agent, k.where)
	}
}
