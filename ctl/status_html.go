package ctl

import (
	"html/template"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
)

// page is a status as one page for a web server or a wall: no script, no second file, the same words as at the terminal.
type page struct {
	*api.Status
	Updated, Changed string
	Nodes            []pageNode
	Rows             []pageResource
	Fencing          []string
	Failures         []string
}

type pageNode struct{ Name, Role, State, Runs, Class string }

type pageResource struct {
	Depth                               int
	ID, Agent, State, Flags, Why, Class string
}

// writeHTML writes a status as a page.
func writeHTML(w io.Writer, st *api.Status) error {
	v := newView(false, st)
	p := page{Status: st, Updated: moment(st.Time)}
	if c := st.LastChange; c != nil {
		p.Changed = moment(c.Time) + " by " + c.User
		if c.Message != "" {
			p.Changed += ": " + c.Message
		}
	}
	for _, n := range st.Nodes {
		class := "warn"
		switch n.State {
		case api.NodeOnline:
			class = "good"
		case api.NodeUnclean, api.NodeOffline:
			class = "bad"
		}
		role := n.Role
		if n.Coordinator {
			role += ", coordinator"
		}
		p.Nodes = append(p.Nodes, pageNode{n.Name, role, v.state(n), strings.Join(n.Resources, " "), class})
	}
	for _, r := range st.Resources {
		p.add(v, r, 0)
	}
	p.Fencing = items(func(w io.Writer) { v.fencing(w, st) })
	p.Failures = items(func(w io.Writer) { v.failures(w, st) })
	return pageTemplate.Execute(w, p)
}

// add adds the rows of a resource and of what is in it.
func (p *page) add(v statusView, r api.Resource, depth int) {
	row := pageResource{Depth: depth, ID: r.ID, Agent: r.Agent, Why: r.Why, Flags: strings.Trim(v.flags(r), " ()")}
	switch {
	case r.Kind != "primitive":
		row.Agent = r.Kind
	case slices.ContainsFunc(r.Nodes, v.lost), r.Failed, len(r.Nodes) == 0 && !r.Disabled:
		row.State, row.Class = v.role(r), "bad"
	case r.Disabled || r.Blocked != "" || r.Pending != "":
		row.State, row.Class = v.role(r), "warn"
	default:
		row.State, row.Class = v.role(r), "good"
	}
	p.Rows = append(p.Rows, row)
	for _, c := range r.Children {
		p.add(v, c, depth+1)
	}
}

// items are the entries of a block of the status.
func items(write func(io.Writer)) []string {
	var b strings.Builder
	write(&b)
	var out []string
	for line := range strings.Lines(b.String()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "* "); ok {
			out = append(out, text)
		}
	}
	return out
}

var pageTemplate = template.Must(template.New("status").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="10">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{.Cluster}}: {{if .Stale}}stale{{else if not .Quorum.Quorate}}no quorum{{else if .Protected.Yes}}protected{{else}}not protected{{end}}</title>
<style>
body { font: 15px/1.45 sans-serif; max-width: 60em; margin: 1.5em auto; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .15em .8em .15em 0; vertical-align: top; border-bottom: 1px solid #8884 }
.good { color: #1a7f37 } .warn { color: #9a6700 } .bad { color: #cf222e; font-weight: bold }
.why { font-size: 90% }
</style>
</head>
<body>
<h1>Cluster {{.Cluster}}</h1>
{{if .Stale}}<p class="bad">Stale: this is what {{.Node}} last knew: {{.StaleReason}}</p>
{{end}}<p>Coordinator: {{if .Coordinator}}{{.Coordinator}}{{else}}<span class="bad">none</span>{{end}}.
{{if .Quorum.Quorate}}<span class="good">Quorum</span>{{else}}<span class="bad">No quorum</span>{{end}}: {{.Quorum.Reason}}.</p>
<p>Protected: {{if .Protected.Yes}}<span class="good">yes</span>{{else}}<span class="bad">no</span>{{end}}{{range $i, $b := .Protected.Because}}{{if $i}}; {{else}}, because {{end}}{{$b}}{{end}}.</p>
{{if .Maintenance}}<p class="warn">Maintenance mode: nothing is monitored or recovered.</p>
{{end}}<p>As of {{.Updated}}, told by {{.Node}}.{{if .Changed}} Last change: {{.Changed}}.{{end}}</p>
{{if .Problems}}<h2>Needs attention</h2>
<ul>{{range .Problems}}
<li class="{{if eq .Severity "error"}}bad{{else}}warn{{end}}">{{.What}}{{if .Hint}} <span class="why">&rarr; {{.Hint}}</span>{{end}}</li>{{end}}
</ul>
{{end}}<h2>Nodes</h2>
<table>
<tr><th>Node<th>Role<th>State<th>Runs</tr>{{range .Nodes}}
<tr><td>{{.Name}}<td>{{.Role}}<td class="{{.Class}}">{{.State}}<td>{{.Runs}}</tr>{{end}}
</table>
<h2>Resources</h2>
<table>
<tr><th>Resource<th>Agent<th>State</tr>{{range .Rows}}
<tr><td style="padding-left:{{.Depth}}em">{{.ID}}<td>{{.Agent}}<td><span class="{{.Class}}">{{.State}}</span>{{if .Flags}} ({{.Flags}}){{end}}{{if .Why}}<br><span class="why">{{.Why}}</span>{{end}}</tr>{{end}}
</table>
{{if .Failures}}<h2>Failed actions</h2>
<ul>{{range .Failures}}
<li class="bad">{{.}}</li>{{end}}
</ul>
{{end}}{{if .Fencing}}<h2>Fencing</h2>
<ul>{{range .Fencing}}
<li>{{.}}</li>{{end}}
</ul>
{{end}}</body>
</html>
`))
