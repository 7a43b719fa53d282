package ocftools

import (
	"fmt"

	"paceline/agent/api"
)

// crmStandby sets, deletes or prints whether a node is in standby.
func crmStandby(c *call) error {
	var node, update, lifetime string
	var query, remove, quiet bool
	o := newOptions()
	o.ignored()
	o.text(&node, "node", "N", "node-uname", "U", "uname")
	o.text(&update, "update", "v", "attr-value")
	o.text(&lifetime, "lifetime", "l")
	o.bool(&query, "query", "G", "get-value")
	o.bool(&remove, "delete", "D", "delete-attr")
	o.bool(&quiet, "quiet", "q", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if node == "localhost" || node == "auto" {
		node = ""
	}
	if n := count(o.has("update"), remove, query); n != 1 {
		return fail(exitUsage, "one of --query, --update and --delete is needed, not %d", n)
	}
	scopes := []string{api.ScopePermanent, api.ScopeTransient} // without a lifetime: what holds, and what there is to delete
	switch lifetime {
	case "":
	case "forever", "nodes":
		scopes = scopes[:1]
	case "reboot", "status":
		scopes = scopes[1:]
	default:
		return fail(exitUsage, "--lifetime %s: reboot or forever is meant", lifetime)
	}
	if query {
		return c.printStandby(node, scopes, quiet)
	}
	var value *string
	if o.has("update") {
		switch update {
		case "on", "off", "true", "false":
		default:
			return fail(exitUsage, "--update %s: on or off is meant", update)
		}
		value, scopes = &update, scopes[:1] // for good, unless said otherwise
	}
	r := api.AttributesRequest{Origin: c.origin()}
	for _, s := range scopes {
		r.Changes = append(r.Changes, api.AttributeChange{Scope: s, Node: node, Name: "standby", Value: value})
	}
	return c.daemon.SetAttributes(c.ctx, r)
}

// printStandby prints the first value of the scopes that is "on", or else any, or else the default.
func (c *call) printStandby(node string, scopes []string, quiet bool) error {
	scope, value := scopes[0], "off"
	for _, s := range scopes {
		reply, err := c.daemon.Attributes(c.ctx, api.Attribute{Scope: s, Node: node, Name: "standby"})
		if err != nil {
			return err
		}
		if len(reply.Attributes) > 0 && value != "on" && value != "true" {
			scope, value = s, reply.Attributes[0].Value
		}
	}
	if quiet {
		fmt.Fprintln(c.stdout, value)
		return nil
	}
	fmt.Fprintf(c.stdout, "scope=%s  name=standby value=%s\n", section[scope], value)
	return nil
}
