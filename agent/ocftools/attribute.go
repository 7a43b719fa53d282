package ocftools

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/resources"
)

// attributeCall is what a call of crm_attribute or crm_master comes to.
type attributeCall struct {
	name, set, node, kind, lifetime string
	pattern                         *regexp.Regexp // instead of a name
	utilization                     bool           // of a node
	promotion                       string
	update, fallback                string
	query, remove, quiet            bool
	delay                           string
}

// crmAttribute sets, deletes or prints an attribute of a node, or an option of the cluster.
func crmAttribute(c *call) error {
	var a attributeCall
	var pattern string
	o := newOptions()
	o.ignored()
	o.text(&a.name, "name", "n", "attr-name")
	o.text(&a.set, "set-name", "s")
	o.text(&a.node, "node", "N", "node-uname", "U", "uname")
	o.text(&a.kind, "type", "t")
	o.text(&a.lifetime, "lifetime", "l")
	o.maybe(&a.promotion, "promotion", "p")
	o.text(&pattern, "pattern", "P")
	o.bool(&a.utilization, "utilization", "z")
	o.text(&a.update, "update", "v", "attr-value")
	o.text(&a.fallback, "default", "d")
	o.text(&a.delay, "delay")
	o.bool(&a.query, "query", "G", "get-value")
	o.bool(&a.remove, "delete", "D", "delete-attr")
	o.bool(&a.quiet, "quiet", "q", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if n := count(o.has("name"), o.has("pattern"), o.has("promotion")); n > 1 {
		return fail(exitUsage, "one of --name, --pattern and --promotion is possible, not %d", n)
	}
	if o.has("pattern") {
		var err error
		if a.pattern, err = regexp.Compile(pattern); err != nil {
			return fail(exitUsage, "--pattern %s: %v", pattern, err)
		}
	}
	if o.has("promotion") {
		if err := a.promote(c, a.promotion); err != nil {
			return err
		}
	}
	return a.run(c, o)
}

// crmMaster is crm_attribute for the promotion score of the resource whose agent calls.
func crmMaster(c *call) error {
	var a attributeCall
	var rsc string
	var bare bool // -Q: asks for the value alone
	o := newOptions()
	o.ignored()
	o.text(&rsc, "resource", "r")
	o.text(&a.node, "node", "N", "node-uname", "U", "uname")
	o.text(&a.lifetime, "lifetime", "l")
	o.text(&a.update, "update", "v", "attr-value")
	o.text(&a.fallback, "default", "d")
	o.bool(&a.query, "query", "G", "get-value")
	o.bool(&a.remove, "delete", "D", "delete-attr")
	o.bool(&a.quiet, "quiet", "q")
	o.bool(&bare, "bare", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if bare {
		a.quiet = true
		a.query = a.query || !a.remove && !o.has("update")
	}
	if err := a.promote(c, rsc); err != nil {
		return err
	}
	return a.run(c, o)
}

// promote makes the call one about a resource's promotion score.
func (a *attributeCall) promote(c *call, rsc string) error {
	if rsc == "" {
		rsc = c.env("OCF_RESOURCE_INSTANCE")
	}
	if rsc == "" {
		return fail(exitUsage, "which resource is meant? Name it, or set OCF_RESOURCE_INSTANCE")
	}
	a.name = "master-" + rsc
	if a.lifetime == "" {
		a.lifetime = "reboot"
	}
	return nil
}

// scope says which attributes are meant: by the section, else by the lifetime, else by whether a node is named.
func (a *attributeCall) scope() (string, error) {
	switch a.kind {
	case "crm_config":
		return api.ScopeOption, nil
	case "status":
		return api.ScopeTransient, nil
	case "nodes", "":
	default:
		return "", fail(exitUnsupported, "--type %s is not kept here: crm_config, nodes and status are, and rsc_defaults and op_defaults can be read", a.kind)
	}
	switch a.lifetime {
	case "reboot", "status":
		return api.ScopeTransient, nil
	case "forever", "nodes":
		return api.ScopePermanent, nil
	case "":
		if a.kind == "" && a.node == "" {
			return api.ScopeOption, nil
		}
		return api.ScopePermanent, nil
	}
	return "", fail(exitUsage, "--lifetime %s: reboot or forever is meant", a.lifetime)
}

func (a *attributeCall) run(c *call, o *options) error {
	if a.node == "localhost" || a.node == "auto" {
		a.node = ""
	}
	update := o.has("update")
	if n := count(update, a.remove, a.query); n != 1 {
		return fail(exitUsage, "one of --query, --update and --delete is needed, not %d", n)
	}
	if a.name == "" && a.pattern == nil && !a.query {
		return fail(exitUsage, "--name is needed")
	}
	if a.utilization || a.kind == "rsc_defaults" || a.kind == "op_defaults" {
		return a.configured(c, o)
	}
	scope, err := a.scope()
	if err != nil {
		return err
	}
	if a.query {
		return a.print(c, o, scope)
	}
	change := api.AttributeChange{Scope: scope, Node: a.node, Set: a.set, Name: a.name}
	if scope != api.ScopeOption {
		change.Set = "" // a node has one set of each lifetime
	}
	if update {
		change.Value = &a.update
	}
	r := api.AttributesRequest{Changes: []api.AttributeChange{change}, Origin: c.origin()}
	if a.pattern != nil {
		if scope != api.ScopeTransient {
			return fail(exitUsage, "--pattern is for --query, or for attributes of --lifetime reboot")
		}
		list, err := a.list(c, scope)
		if err != nil || len(list) == 0 {
			return err // there is nothing to change
		}
		r.Changes = nil
		for _, v := range list {
			change.Name = v.Name
			r.Changes = append(r.Changes, change)
		}
	}
	if o.has("delay") {
		if r.Delay, err = delayOf(a.delay); err != nil {
			return err
		}
	}
	return c.daemon.SetAttributes(c.ctx, r)
}

// section names a scope as Pacemaker's tools print it.
var section = map[string]string{api.ScopeOption: "crm_config", api.ScopePermanent: "nodes", api.ScopeTransient: "status"}

// list asks for the attributes that are meant.
func (a *attributeCall) list(c *call, scope string) ([]api.Attribute, error) {
	want := api.Attribute{Scope: scope, Node: a.node, Name: a.name}
	if scope == api.ScopeOption {
		want.Set = a.set
	}
	reply, err := c.daemon.Attributes(c.ctx, want)
	if err != nil {
		return nil, err
	}
	if a.pattern == nil {
		return reply.Attributes, nil
	}
	return slices.DeleteFunc(reply.Attributes, func(v api.Attribute) bool { return !a.pattern.MatchString(v.Name) }), nil
}

func (a *attributeCall) print(c *call, o *options, scope string) error {
	list, err := a.list(c, scope)
	if err != nil {
		return err
	}
	return a.show(c, o, section[scope], list)
}

// show prints what was found in a section, or the default.
func (a *attributeCall) show(c *call, o *options, section string, list []api.Attribute) error {
	if len(list) == 0 {
		if !o.has("default") {
			return fail(exitNoSuch, "Error performing operation: No such device or address")
		}
		list = []api.Attribute{{Name: a.name, Value: a.fallback}}
	}
	if a.name != "" {
		list = list[:1]
	}
	for _, v := range list {
		if a.quiet {
			fmt.Fprintln(c.stdout, v.Value)
			continue
		}
		fmt.Fprintf(c.stdout, "scope=%s  name=%s value=%s\n", section, v.Name, v.Value)
	}
	return nil
}

// configured is a call about what the daemon keeps as configuration alone: how much a node can carry, and defaults.
func (a *attributeCall) configured(c *call, o *options) error {
	node := a.node
	if a.utilization && node == "" {
		h, err := c.daemon.Health(c.ctx)
		if err != nil {
			return err
		}
		node = h.Node
	}
	switch {
	case a.query:
	case !a.utilization:
		return fail(exitUnsupported, "--type %s is read by agents, and not set: `paceline configure %s` does that", a.kind, a.kind)
	case a.pattern != nil:
		return fail(exitUsage, "--pattern is for --query, or for attributes of --lifetime reboot")
	default:
		r := api.ValueRequest{Section: api.SectionUtilization, Name: a.name, Message: "set by " + c.origin(), Yes: true}
		if o.has("update") {
			r.Value = &a.update
		}
		_, err := c.daemon.NodeValue(c.ctx, node, r)
		return err
	}
	conf, err := c.daemon.Configuration(c.ctx, 0)
	if err != nil {
		return err
	}
	where, sets := a.kind, conf.Configuration.RscDefaults
	switch {
	case a.utilization:
		where, sets = section[api.ScopePermanent], nil
		for _, n := range conf.Configuration.Nodes {
			if n.Uname == node {
				sets = n.Utilization
			}
		}
	case a.kind == "op_defaults":
		sets = conf.Configuration.OpDefaults
	}
	var list []api.Attribute
	for _, s := range cib.OrderSets(sets) {
		for _, p := range s.Pairs {
			if s.Rule == nil && (a.set == "" || a.set == s.ID) && (a.name == "" || a.name == p.Name) && (a.pattern == nil || a.pattern.MatchString(p.Name)) {
				list = append(list, api.Attribute{Name: p.Name, Value: p.Value})
			}
		}
	}
	return a.show(c, o, where, list)
}

// attrdUpdater sets, deletes or prints a transient attribute of a node, with dampening.
func attrdUpdater(c *call) error {
	var name, update, both, delay, node, ignored string
	var query, remove, all, delayOnly, refresh, quiet, private bool
	o := newOptions()
	o.ignored()
	o.text(&name, "name", "n")
	o.text(&update, "update", "U", "v")
	o.text(&both, "update-both", "B")
	o.text(&delay, "delay", "d")
	o.text(&node, "node", "N")
	o.text(&ignored, "set", "s")
	o.text(&ignored, "lifetime", "l")
	o.text(&ignored, "wait", "W")
	o.bool(&query, "query", "Q")
	o.bool(&remove, "delete", "D")
	o.bool(&all, "all", "A")
	o.bool(&delayOnly, "update-delay", "Y")
	o.bool(&refresh, "refresh", "R")
	o.bool(&quiet, "quiet", "q")
	o.bool(&private, "private", "p")
	if err := o.parse(c); err != nil {
		return err
	}
	if node == "localhost" || node == "auto" {
		node = ""
	}
	set := o.has("update") || o.has("update-both")
	switch n := count(set, remove, query, delayOnly, refresh); {
	case n != 1 || o.has("update") && o.has("update-both"):
		return fail(exitUsage, "one of --update, --update-both, --update-delay, --delete and --query is needed")
	case refresh:
		return nil // what the daemon was told is committed, or about to be
	case private:
		return fail(exitUnsupported, "--private is not kept here: every attribute is replicated")
	case name == "":
		return fail(exitUsage, "--name is needed")
	case (o.has("update-both") || delayOnly) && !o.has("delay"):
		return fail(exitUsage, "--delay is needed")
	}
	if query {
		return c.printAttrd(name, node, all)
	}
	r := api.AttributesRequest{Origin: c.origin(), NewDelay: o.has("update-both") || delayOnly}
	var err error
	if o.has("delay") {
		if r.Delay, err = delayOf(delay); err != nil {
			return err
		}
	}
	change := api.AttributeChange{Scope: api.ScopeTransient, Node: node, Name: name}
	switch {
	case o.has("update"):
		change.Value = &update
	case o.has("update-both"):
		change.Value = &both
	case delayOnly: // the value stays
		reply, err := c.daemon.Attributes(c.ctx, api.Attribute{Scope: api.ScopeTransient, Node: node, Name: name})
		if err != nil {
			return err
		}
		if len(reply.Attributes) == 0 {
			return fail(exitNoSuch, "there is no attribute %s whose delay could be set", name)
		}
		change.Value = &reply.Attributes[0].Value
	}
	r.Changes = []api.AttributeChange{change}
	return c.daemon.SetAttributes(c.ctx, r)
}

func (c *call) printAttrd(name, node string, all bool) error {
	if all {
		node = "*"
	}
	reply, err := c.daemon.Attributes(c.ctx, api.Attribute{Scope: api.ScopeTransient, Node: node, Name: name})
	if err != nil {
		return err
	}
	if len(reply.Attributes) == 0 {
		return fail(exitNoSuch, "Could not query value of %s: attribute does not exist", name)
	}
	for _, a := range reply.Attributes {
		fmt.Fprintf(c.stdout, "name=\"%s\" host=\"%s\" value=\"%s\"\n", a.Name, a.Node, a.Value)
	}
	return nil
}

// delayOf reads a dampening: seconds, or an amount of time with its unit.
func delayOf(text string) (*api.Duration, error) {
	d, err := resources.ParseDuration(strings.TrimSpace(text))
	if err != nil || d > time.Hour {
		return nil, fail(exitUsage, "--delay %s: an amount of time up to an hour is meant", text)
	}
	out := api.Duration(d)
	return &out, nil
}

func count(flags ...bool) int {
	n := 0
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}
