package ctl

import (
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// namedValue is one name and value of an object.
type namedValue struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Transient bool   `json:"transient,omitempty"`
}

// valueAct is what is to be done with a named value: OBJECT {set|delete|show} [NAME] [VALUE].
type valueAct struct {
	object, act, name string
	value             *string
}

func (in *invocation) valueAct() (valueAct, error) {
	v := valueAct{object: in.arg(0), act: orDefault(in.arg(1), "show"), name: in.arg(2)}
	usage := func(text string) (valueAct, error) {
		e := usagef("paceline %s: %s", in.c.Command.FullName(), text)
		e.hint = "it is: set NAME VALUE, delete NAME, show [NAME]"
		return v, e
	}
	most := 3
	switch v.act {
	case "show":
	case "delete", "unset", "remove":
		v.act = "delete"
		if v.name == "" {
			return usage("the name to delete is missing")
		}
	case "set":
		most = 4
		if name, value, ok := strings.Cut(v.name, "="); ok && len(in.args) == 3 { // NAME=VALUE is what many type
			v.name, v.value = name, &value
		} else if len(in.args) == 4 {
			value := in.arg(3)
			v.value = &value
		} else {
			return usage("the value is missing")
		}
		if v.name == "" {
			return usage("the name is missing")
		}
	default:
		return usage("\"" + v.act + "\" is none of set, delete and show")
	}
	if len(in.args) > most {
		return usage("\"" + in.args[most] + "\" is one argument too many")
	}
	return v, nil
}

func (in *invocation) valueRequest(v valueAct, section string, yes bool) api.ValueRequest {
	return api.ValueRequest{
		Section: section, Name: v.name, Value: v.value, Message: in.c.String("message"), DryRun: in.c.Bool("dry-run"),
		Yes: yes, Wait: api.Duration(in.c.Duration("wait")),
	}
}

// runResourceValues shows, sets and deletes the values of one section of a resource.
func runResourceValues(section string) func(*invocation) error {
	return func(in *invocation) error {
		v, err := in.valueAct()
		if err != nil {
			return err
		}
		if v.act == "show" {
			return in.showResourceValues(v, section)
		}
		return in.confirmed(func(yes bool) error {
			r, err := in.api.ResourceValue(in.ctx, v.object, in.valueRequest(v, section, yes))
			if err != nil {
				return err
			}
			return in.changed(r, "")
		})
	}
}

func (in *invocation) showResourceValues(v valueAct, section string) error {
	conf, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	r := conf.Configuration.Resource(v.object)
	if r == nil {
		_, err := around(conf.Configuration, v.object)
		return err
	}
	sets := map[string][]cib.NVSet{api.SectionParam: r.Params, api.SectionMeta: r.Meta, api.SectionUtilization: r.Utilization}[section]
	return in.showValues(v, section, pairsOf(cib.NewIndex(conf.Configuration), sets, false))
}

// pairsOf lists the pairs of sets as they count; references are followed.
func pairsOf(index *cib.Index, sets []cib.NVSet, transient bool) []namedValue {
	out := []namedValue{}
	for _, s := range cib.OrderSets(sets) {
		set := index.Set(&s)
		if set == nil {
			continue
		}
		for i := range set.Pairs {
			name, value, ok := index.Pair(&set.Pairs[i])
			if ok && !slices.ContainsFunc(out, func(v namedValue) bool { return v.Name == name }) {
				out = append(out, namedValue{name, value, transient})
			}
		}
	}
	return out
}

// showValues prints all values, or only the wanted one, which a script can use as it is.
func (in *invocation) showValues(v valueAct, kind string, list []namedValue) error {
	if v.name != "" {
		list = filter(list, func(x namedValue) bool { return x.Name == v.name })
		if len(list) == 0 {
			return api.Errorf(api.CodeNotFound, "show "+kind+" "+v.name+" of "+v.object, "it is not set").
				WithHint("without a name all that are set are shown")
		}
	}
	if in.json() {
		if list == nil {
			list = []namedValue{}
		}
		return in.writeJSON(struct {
			Schema int          `json:"schema"`
			Object string       `json:"object"`
			Kind   string       `json:"kind"`
			Values []namedValue `json:"values"`
		}{api.Schema, v.object, kind, list})
	}
	if v.name != "" {
		in.printf("%s\n", shownValue(list[0]))
		return nil
	}
	for _, x := range list {
		until := ""
		if x.Transient {
			until = " (until reboot)"
		}
		in.printf("%s=%s%s\n", x.Name, shownValue(x), until)
	}
	return nil
}

// shownValue hides what is a secret by its name.
func shownValue(v namedValue) string {
	if cib.SecretName(v.Name) {
		return cib.Mask
	}
	return v.Value
}

// runNodeValues shows, sets and deletes attributes (permanent or transient) or capacities of a node.
func runNodeValues(section string, transient bool) func(*invocation) error {
	return func(in *invocation) error {
		v, err := in.valueAct()
		if err != nil {
			return err
		}
		transient := transient || in.c.Bool("until-reboot")
		if v.act == "show" {
			return in.showNodeValues(v, section, transient)
		}
		return in.confirmed(func(yes bool) error {
			req := in.valueRequest(v, section, yes)
			req.Transient = transient
			r, err := in.api.NodeValue(in.ctx, v.object, req)
			if err != nil {
				return err
			}
			return in.changed(r, "")
		})
	}
}

func (in *invocation) showNodeValues(v valueAct, section string, transient bool) error {
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	n := state.CIB.NodeByName(v.object)
	if n == nil {
		return noNode(&state.CIB.Configuration, v.object)
	}
	index := cib.NewIndex(&state.CIB.Configuration)
	var list []namedValue
	switch {
	case section == api.SectionUtilization:
		list = pairsOf(index, n.Utilization, false)
	case transient:
		if ns := state.CIB.NodeState(n.ID); ns != nil {
			list = pairsOf(index, ns.Attributes, true)
		}
	default:
		list = pairsOf(index, n.Attributes, false)
	}
	return in.showValues(v, orDefault(section, "attribute"), list)
}
