package ocftools

import (
	"fmt"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/resources"
)

// crmFailcount prints how often a resource has failed on a node, or forgets its failures there.
func crmFailcount(c *call) error {
	var rsc, node, operation, interval string
	var query, remove, quiet bool
	o := newOptions()
	o.ignored()
	o.text(&rsc, "resource", "r", "resource-id")
	o.text(&node, "node", "N", "node-uname", "U", "uname")
	o.text(&operation, "operation", "n")
	o.text(&interval, "interval", "I")
	o.bool(&query, "query", "G", "get-value")
	o.bool(&remove, "delete", "D", "delete-attr")
	o.bool(&quiet, "quiet", "q", "Q")
	if err := o.parse(c); err != nil {
		return err
	}
	if rsc == "" {
		rsc = c.env("OCF_RESOURCE_INSTANCE")
	}
	switch n := count(remove, query); {
	case n != 1:
		return fail(exitUsage, "one of --query and --delete is needed, not %d: fail counts are the cluster's own to set", n)
	case rsc == "":
		return fail(exitUsage, "--resource is needed")
	case o.has("interval") && operation == "":
		return fail(exitUsage, "--interval is of an operation: --operation is needed")
	}
	if node == "localhost" || node == "auto" {
		node = ""
	}
	every, err := resources.ParseDuration("0" + strings.TrimSpace(interval))
	if err != nil {
		return fail(exitUsage, "--interval %s: an amount of time is meant", interval)
	}
	if query {
		reply, err := c.daemon.Attributes(c.ctx, api.Attribute{Scope: api.ScopeTransient, Node: node})
		if err != nil {
			return err
		}
		of := ""
		if operation != "" {
			of = fmt.Sprintf("%s_%d", operation, every.Milliseconds())
		}
		value := failures(reply.Attributes, rsc, of)
		if quiet {
			fmt.Fprintln(c.stdout, value)
		} else {
			fmt.Fprintf(c.stdout, "scope=%s  name=fail-count-%s value=%s\n", section[api.ScopeTransient], rsc, value)
		}
		return nil
	}
	if node == "" {
		h, err := c.daemon.Health(c.ctx)
		if err != nil {
			return err
		}
		node = h.Node
	}
	if operation == "" {
		_, err = c.daemon.Cleanup(c.ctx, api.CleanupRequest{Resource: base(rsc), Node: node})
		return err
	}
	_, err = c.daemon.Failcount(c.ctx, base(rsc), api.FailcountRequest{Node: node, Operation: operation, Interval: every.String(), Yes: true})
	return err
}

// failures adds up the fail counts of a resource, of one operation ("monitor_10000") or of all: INFINITY is more than all numbers.
func failures(list []api.Attribute, rsc, operation string) string {
	sum := 0
	for _, a := range list {
		name, of, _ := strings.Cut(strings.TrimPrefix(a.Name, "fail-count-"), "#")
		if !strings.HasPrefix(a.Name, "fail-count-") || name != rsc && name != base(rsc) || operation != "" && of != operation {
			continue
		}
		if n, err := cib.ParseScore(a.Value); err == nil {
			sum = min(sum+n, cib.Infinity)
		}
	}
	if sum >= cib.Infinity {
		return "INFINITY"
	}
	return fmt.Sprint(sum)
}
