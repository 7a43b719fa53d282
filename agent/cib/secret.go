package cib

import (
	"slices"
	"strings"
)

// Mask stands where a secret was.
const Mask = "******"

// SecretName says whether a parameter's name is that of a secret; a parameter that names the file or program that holds one
// is not.
func SecretName(name string) bool {
	n := strings.ToLower(name)
	if strings.HasSuffix(n, "_script") || strings.HasSuffix(n, "_file") || strings.HasSuffix(n, "file") {
		return false
	}
	for _, word := range []string{"passw", "passphrase", "secret", "token", "credential", "private_key", "privatekey", "api_key", "apikey", "access_key"} {
		if strings.Contains(n, word) {
			return true
		}
	}
	return n == "pass" || n == "pwd" || n == "auth_key" || n == "community" // of SNMP: who knows it switches the power
}

// Masked returns the state with the values of all pairs whose names are those of secrets replaced by Mask. The receiver is
// not changed.
func (c *CIB) Masked() *CIB {
	out := c.clone()
	conf := &out.Configuration
	conf.Options, conf.RscDefaults, conf.OpDefaults = maskSets(conf.Options), maskSets(conf.RscDefaults), maskSets(conf.OpDefaults)
	conf.Resources, conf.Templates = maskResources(conf.Resources), maskResources(conf.Templates)
	conf.Nodes = slices.Clone(conf.Nodes)
	for i, n := range conf.Nodes {
		next := *n
		next.Attributes, next.Utilization = maskSets(n.Attributes), maskSets(n.Utilization)
		conf.Nodes[i] = &next
	}
	conf.Alerts = slices.Clone(conf.Alerts)
	for i := range conf.Alerts {
		a := &conf.Alerts[i]
		a.Params, a.Meta = maskSets(a.Params), maskSets(a.Meta)
		a.Recipients = slices.Clone(a.Recipients)
		for j := range a.Recipients {
			a.Recipients[j].Params, a.Recipients[j].Meta = maskSets(a.Recipients[j].Params), maskSets(a.Recipients[j].Meta)
		}
	}
	out.Status.Nodes = slices.Clone(out.Status.Nodes)
	for i, ns := range out.Status.Nodes {
		next := *ns
		next.Attributes = maskSets(ns.Attributes)
		out.Status.Nodes[i] = &next
	}
	return out
}

func maskResources(list []*Resource) []*Resource {
	out := slices.Clone(list)
	for i, r := range out {
		next := *r
		next.Params, next.Meta, next.Children = maskSets(r.Params), maskSets(r.Meta), maskResources(r.Children)
		next.Operations.Ops = slices.Clone(r.Operations.Ops)
		for j, op := range next.Operations.Ops {
			o := *op
			o.Params, o.Meta = maskSets(op.Params), maskSets(op.Meta)
			next.Operations.Ops[j] = &o
		}
		out[i] = &next
	}
	return out
}

func maskSets(sets []NVSet) []NVSet {
	out := slices.Clone(sets)
	for i := range out {
		out[i].Pairs = slices.Clone(out[i].Pairs)
		for j, p := range out[i].Pairs {
			if SecretName(p.Name) && !p.NoValue && p.Value != "" {
				out[i].Pairs[j].Value = Mask
			}
		}
	}
	return out
}

// Secrets lists the values of all pairs whose names are those of secrets, each once, the longest first.
func (c *CIB) Secrets() []string {
	var out []string
	add := func(s NVSet) {
		for _, p := range s.Pairs {
			if SecretName(p.Name) && p.Value != "" && !slices.Contains(out, p.Value) {
				out = append(out, p.Value)
			}
		}
	}
	for _, s := range NewIndex(&c.Configuration).Sets {
		add(*s)
	}
	for _, ns := range c.Status.Nodes {
		for _, s := range ns.Attributes {
			add(s)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return out
}
