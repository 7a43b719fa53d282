package ocftools

import (
	"encoding/xml"
	"fmt"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// cibAdmin prints the CIB.
func cibAdmin(c *call) error {
	var query bool
	o := newOptions()
	o.ignored()
	o.bool(&query, "query", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if !query {
		return fail(exitUsage, "--query is needed: agents change nothing by this tool here")
	}
	b, err := c.daemon.CIBXML(c.ctx)
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(b)
	return err
}

// The form of crm_mon's XML, as far as agents look into it.
type monDocument struct {
	XMLName   xml.Name      `xml:"pacemaker-result"`
	Version   string        `xml:"api-version,attr"`
	Request   string        `xml:"request,attr"`
	DC        monDC         `xml:"summary>current_dc"`
	Nodes     []monNode     `xml:"nodes>node"`
	Resources monCollection `xml:"resources"`
	Status    monStatus     `xml:"status"`
}

type monDC struct {
	Present bool   `xml:"present,attr"`
	Name    string `xml:"name,attr,omitempty"`
	Quorum  bool   `xml:"with_quorum,attr"`
}

type monNode struct {
	Name    string `xml:"name,attr"`
	ID      string `xml:"id,attr"`
	Online  bool   `xml:"online,attr"`
	Standby bool   `xml:"standby,attr"`
	Unclean bool   `xml:"unclean,attr"`
	DC      bool   `xml:"is_dc,attr"`
	Type    string `xml:"type,attr"`
}

// monCollection is a list of resources that may hold others, in their order.
type monCollection struct {
	XMLName xml.Name
	ID      string `xml:"id,attr,omitempty"`
	Multi   string `xml:"multi_state,attr,omitempty"`
	Members []any
}

// monResource has its attributes in the order of crm_mon: agents look at them line by line, with patterns.
type monResource struct {
	XMLName xml.Name  `xml:"resource"`
	ID      string    `xml:"id,attr"`
	Agent   string    `xml:"resource_agent,attr"`
	Role    string    `xml:"role,attr"`
	Active  bool      `xml:"active,attr"`
	Orphan  bool      `xml:"orphaned,attr"`
	Blocked bool      `xml:"blocked,attr"`
	Managed bool      `xml:"managed,attr"`
	Failed  bool      `xml:"failed,attr"`
	Running int       `xml:"nodes_running_on,attr"`
	Nodes   []monHost `xml:"node"`
}

type monHost struct {
	Name string `xml:"name,attr"`
}

type monStatus struct {
	Code    int    `xml:"code,attr"`
	Message string `xml:"message,attr"`
}

// crmMon prints the state of the cluster once, as XML.
func crmMon(c *call) error {
	var form, to string
	var once, asXML, yes bool
	o := newOptions()
	o.text(&form, "output-as")
	o.text(&to, "output-to")
	o.bool(&once, "one-shot", "1")
	o.bool(&asXML, "as-xml", "X")
	o.bool(&yes, "inactive", "r")
	o.bool(&yes, "group-by-node", "n")
	o.bool(&yes, "show-node-attributes", "A")
	if err := o.parse(c); err != nil {
		return err
	}
	if form != "xml" && !asXML {
		return fail(exitUnsupported, "only --output-as=xml is printed here; for people there is `paceline status`")
	}
	s, err := c.daemon.Status(c.ctx)
	if err != nil {
		return err
	}
	d := monDocument{Version: "2.25", Request: strings.Join(append([]string{c.name}, c.args...), " "), Status: monStatus{0, "OK"},
		DC: monDC{Present: s.Coordinator != "", Name: s.Coordinator, Quorum: s.Quorum.Quorate}}
	for _, n := range s.Nodes {
		kind := "member"
		if n.Role == api.RoleRemote {
			kind = "remote"
		}
		d.Nodes = append(d.Nodes, monNode{Name: n.Name, ID: n.ID, Online: n.Online, Standby: n.State == api.NodeStandby,
			Unclean: n.State == api.NodeUnclean, DC: n.Coordinator, Type: kind})
	}
	conf, err := c.daemon.Configuration(c.ctx, 0)
	if err != nil {
		return err
	}
	d.Resources.Members = monMembers(s.Resources, numbered(conf.Configuration))
	b, err := xml.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s%s\n", xml.Header, b)
	return err
}

// numbered lists the primitives whose instances have numbers: those of unique clones. All instances of others have one name.
func numbered(c *cib.Configuration) map[string]bool {
	out := map[string]bool{}
	var mark func(r *cib.Resource)
	mark = func(r *cib.Resource) {
		out[r.ID] = true
		for _, k := range r.Children {
			mark(k)
		}
	}
	for r := range c.Walk() {
		if r.Kind != cib.KindClone {
			continue
		}
		for _, set := range r.Meta {
			if v, ok := set.Get("globally-unique"); ok {
				if unique, err := cib.ParseBool(v); err == nil && unique {
					mark(r)
				}
			}
		}
	}
	return out
}

func monMembers(list []api.Resource, numbers map[string]bool) []any {
	var out []any
	for _, r := range list {
		if r.Kind != "primitive" {
			k := monCollection{XMLName: xml.Name{Local: r.Kind}, ID: r.ID, Members: monMembers(r.Children, numbers)}
			if r.Kind == "clone" {
				k.Multi = fmt.Sprint(r.Promotable)
			}
			out = append(out, k)
			continue
		}
		m := monResource{ID: r.ID, Agent: r.Agent, Role: "Stopped", Orphan: r.Orphan, Blocked: r.Blocked != "", Managed: r.Managed}
		for _, in := range r.Instances {
			one := m
			if numbers[r.ID] {
				one.ID = in.Name
			}
			one.Role, one.Active, one.Failed = in.Role, in.Role != "Stopped", in.Failed
			one.Running, one.Nodes = 1, []monHost{{in.Node}}
			out = append(out, one)
		}
		if len(r.Instances) == 0 {
			out = append(out, m)
		}
	}
	return out
}
