package ocftools

import (
	"fmt"
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// crmNode says who this node is and who is there.
func crmNode(c *call) error {
	var nameOf string
	var id, list, name, partition, quorum, quiet bool
	o := newOptions()
	o.ignored()
	o.text(&nameOf, "name-for-id", "N")
	o.bool(&id, "cluster-id", "i")
	o.bool(&list, "list", "l")
	o.bool(&name, "name", "n")
	o.bool(&partition, "partition", "p")
	o.bool(&quorum, "quorum", "q")
	o.bool(&quiet, "quiet", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if n := count(id, list, name, partition, quorum, o.has("name-for-id")); n != 1 {
		return fail(exitUsage, "one of --name, --list, --partition, --quorum, --cluster-id and --name-for-id is needed, not %d", n)
	}
	h, err := c.daemon.Health(c.ctx)
	if err != nil {
		return err
	}
	switch {
	case h.Cluster == "":
		return api.ErrUnconfigured
	case name:
		fmt.Fprintln(c.stdout, h.Node)
		return nil
	case quorum:
		if h.Quorate {
			fmt.Fprintln(c.stdout, 1)
		} else {
			fmt.Fprintln(c.stdout, 0)
		}
		return nil
	}
	s, err := c.daemon.Status(c.ctx)
	if err != nil {
		return err
	}
	nodes := slices.DeleteFunc(slices.Clone(s.Nodes), func(n api.Node) bool { return n.Role == api.RoleRemote })
	switch {
	case list:
		for _, n := range nodes {
			state := "lost"
			if n.Online {
				state = "member"
			}
			fmt.Fprintln(c.stdout, n.ID, n.Name, state)
		}
		return nil
	case partition:
		var there []string
		for _, n := range nodes {
			if n.Online {
				there = append(there, n.Name)
			}
		}
		fmt.Fprintln(c.stdout, strings.Join(there, " ")+" ")
		return nil
	}
	for _, n := range nodes {
		if id && n.Name == h.Node {
			fmt.Fprintln(c.stdout, n.ID)
			return nil
		}
		if !id && n.ID == nameOf {
			fmt.Fprintln(c.stdout, n.Name)
			return nil
		}
	}
	return fail(exitNoSuch, "there is no such node")
}

// crmResource says where a resource runs, and how it is configured.
func crmResource(c *call) error {
	var rsc, parameter string
	var locate, meta, quiet bool
	o := newOptions()
	o.ignored()
	o.text(&rsc, "resource", "r")
	o.text(&parameter, "get-parameter", "g")
	o.bool(&locate, "locate", "W")
	o.bool(&meta, "meta", "m")
	o.bool(&quiet, "quiet", "Q", "q")
	if err := o.parse(c); err != nil {
		return err
	}
	if n := count(locate, o.has("get-parameter")); n != 1 {
		return fail(exitUsage, "one of --locate and --get-parameter is needed, not %d: agents find no more here", n)
	}
	if rsc == "" {
		return fail(exitUsage, "--resource is needed")
	}
	if locate {
		return c.locate(rsc, quiet)
	}
	conf, err := c.daemon.Configuration(c.ctx, 0)
	if err != nil {
		return err
	}
	r := conf.Configuration.Resource(rsc)
	if r == nil {
		r = conf.Configuration.Resource(base(rsc))
	}
	if r == nil {
		return fail(exitNoSuch, "Resource '%s' not found", rsc)
	}
	sets := r.Params
	if meta {
		sets = r.Meta
	}
	for _, s := range cib.OrderSets(sets) {
		if v, ok := s.Get(parameter); ok && s.Rule == nil {
			fmt.Fprintln(c.stdout, v)
			return nil
		}
	}
	fmt.Fprintf(c.stderr, "Attribute '%s' not found for '%s'\n", parameter, rsc)
	return nil
}

// base is the name of a resource without the number of its instance.
func base(rsc string) string {
	name, _, _ := strings.Cut(rsc, ":")
	return name
}

func (c *call) locate(rsc string, quiet bool) error {
	s, err := c.daemon.Status(c.ctx)
	if err != nil {
		return err
	}
	found := false
	said := map[string]bool{}
	var visit func(list []api.Resource, inside bool)
	visit = func(list []api.Resource, inside bool) {
		for _, r := range list {
			mine := inside || r.ID == rsc || r.Kind == "primitive" && r.ID == base(rsc)
			found = found || mine
			if mine && r.Kind == "primitive" {
				for _, in := range r.Instances {
					if in.Role == "Stopped" || strings.Contains(rsc, ":") && in.Name != rsc {
						continue
					}
					line := fmt.Sprintf("resource %s is running on: %s", rsc, in.Node)
					if quiet {
						line = in.Node
					} else if in.Role == "Promoted" {
						line += " Promoted"
					}
					if !said[line] {
						said[line] = true
						fmt.Fprintln(c.stdout, line)
					}
				}
			}
			visit(r.Children, mine)
		}
	}
	visit(s.Resources, false)
	switch {
	case !found:
		return fail(exitNoSuch, "Resource '%s' not found", rsc)
	case len(said) == 0:
		fmt.Fprintf(c.stderr, "resource %s is NOT running\n", rsc)
	}
	return nil
}
