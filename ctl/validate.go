package ctl

import (
	"slices"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// primitiveNamed finds a primitive of what is edited, or else committed.
func (in *invocation) primitiveNamed(what, id string) (*cib.Configuration, *cib.Resource, error) {
	s, _, _, err := in.session()
	if err != nil {
		return nil, nil, err
	}
	c := s.Configuration()
	r := c.Resource(id)
	if r == nil || r.Kind != cib.KindPrimitive {
		var names []string
		for _, p := range c.Primitives() {
			names = append(names, p.ID)
		}
		e := api.Errorf(api.CodeNotFound, what, "there is no primitive %q", id)
		if near := cib.Near(id, names); near != "" {
			return nil, nil, e.WithHint("did you mean %s?", near)
		}
		return nil, nil, e.WithHint("`paceline configure show type:primitive` lists them")
	}
	return c, r, nil
}

func runValidateAll(in *invocation) error {
	c, r, err := in.primitiveNamed("validate "+in.arg(0), in.arg(0))
	if err != nil {
		return err
	}
	k := newChecker(c, in.agents(c, []*cib.Resource{r}))
	k.primitive(r)
	return in.problemsFound(append([]api.Problem{}, k.list...))
}

// runResourceTest runs the agents of stopped primitives, with their own parameters.
func runResourceTest(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, word := range in.args {
		at := slices.IndexFunc(st.Nodes, func(n api.Node) bool { return n.Name == word })
		switch {
		case at < 0:
			ids = append(ids, word)
		case word != st.Node:
			return api.Errorf(api.CodeRefused, "test on "+word, "agents are run on the machine that is asked, and this is %s", st.Node).
				WithHint("ssh %s paceline configure rsctest ...", word)
		}
	}
	for _, id := range ids {
		what := "test " + id
		c, r, err := in.primitiveNamed(what, id)
		if err != nil {
			return err
		}
		name := agentOf(c, r)
		if class, _, _ := agentName(name); class != "ocf" {
			return api.Errorf(api.CodeRefused, what, "only agents of class ocf are run apart from the cluster, and this is %s", name).
				WithHint("paceline configure validate-all %s", id)
		}
		if at := activeOn(st.Resources, id); len(at) > 0 {
			return api.Errorf(api.CodeRefused, what, "it runs on %s, and a second one beside it would do damage", at[0]).
				WithHint("paceline resource stop %s --wait", id)
		}
		params := map[string]string{}
		k := newChecker(c, nil)
		for _, pair := range k.sets(r, func(r *cib.Resource) []cib.NVSet { return r.Params }) {
			if name, value, ok := k.index.Pair(&pair); ok && name != "" {
				if _, have := params[name]; !have {
					params[name] = value
				}
			}
		}
		if err := in.testAgent(name, params); err != nil {
			return err
		}
	}
	return nil
}

// activeOn lists the nodes on which a primitive is active, wherever in the tree of resources it is.
func activeOn(list []api.Resource, id string) []string {
	for _, r := range list {
		if r.ID == id {
			return r.Nodes
		}
		if at := activeOn(r.Children, id); at != nil {
			return at
		}
	}
	return nil
}

func runSchema(in *invocation) error {
	if name := in.arg(0); name != "" && name != cib.SchemaName {
		return api.Errorf(api.CodeRefused, "choose schema "+name, "there is one schema, %s, and the configuration always has it", cib.SchemaName).
			WithHint("`paceline configure xml` prints it in that form")
	}
	in.printf("%s\n", cib.SchemaName)
	return nil
}

func runUpgrade(in *invocation) error {
	in.printf("the configuration has the newest schema, %s: there is nothing to upgrade\n", cib.SchemaName)
	return nil
}
