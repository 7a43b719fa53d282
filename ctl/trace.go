package ctl

import (
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// runTrace sets or takes away the parameter that lets an agent of the OCF class write down what it does.
func runTrace(on bool) func(*invocation) error {
	return func(in *invocation) error {
		id, op, interval, dir := in.arg(0), in.arg(1), "", ""
		for _, w := range in.args[min(2, len(in.args)):] {
			if strings.HasPrefix(w, "/") {
				dir = w
			} else {
				interval = w
			}
		}
		if strings.HasPrefix(op, "/") {
			op, dir = "", op
		}
		values := []api.ValueRequest{{Name: "trace_ra"}, {Name: "trace_dir"}}
		if one := "1"; on {
			values[0].Value = &one
			values = values[:1]
			if dir != "" {
				values = append(values, api.ValueRequest{Name: "trace_dir", Value: &dir})
			}
		}
		return in.confirmed(func(yes bool) error {
			if !on && op == "" {
				return in.untraceAll(id, values, yes)
			}
			return in.trace(id, op, interval, values, yes)
		})
	}
}

// untraceAll takes the values away from a resource and from each of its operations that has them.
func (in *invocation) untraceAll(id string, values []api.ValueRequest, yes bool) error {
	conf, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	r := conf.Configuration.Resource(id)
	if r == nil {
		_, err := around(conf.Configuration, id)
		return err
	}
	for _, op := range r.Operations.Ops {
		traced := func(p cib.NVPair) bool { return p.Name == "trace_ra" || p.Name == "trace_dir" }
		if slices.ContainsFunc(op.Params, func(s cib.NVSet) bool { return slices.ContainsFunc(s.Pairs, traced) }) {
			if err := in.trace(id, op.Name, op.Interval, values, yes); err != nil {
				return err
			}
		}
	}
	return in.trace(id, "", "", values, yes)
}

// trace sets the values; where that would restart the resource, it takes a word of confirmation.
func (in *invocation) trace(id, op, interval string, values []api.ValueRequest, yes bool) error {
	for _, v := range values {
		v.Section, v.Operation, v.Interval = api.SectionParam, op, interval
		v.Message, v.DryRun, v.Yes, v.Wait = in.c.String("message"), in.c.Bool("dry-run"), yes, api.Duration(in.c.Duration("wait"))
		if !yes && !v.DryRun {
			dry := v
			dry.DryRun = true
			r, err := in.api.ResourceValue(in.ctx, id, dry)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(r.Actions, func(a api.Action) bool {
				of, _, _ := strings.Cut(a.Resource, ":") // without the number of an instance
				return a.Operation == "stop" && of == id
			}) {
				return api.Errorf(api.CodeConfirm, "trace "+id, "%s would be restarted for it", id).
					WithHint("`paceline resource trace %s monitor` traces its monitor without that; --yes goes on", id)
			}
		}
		r, err := in.api.ResourceValue(in.ctx, id, v)
		if err != nil {
			return err
		}
		done := ""
		if v.Value == nil {
			if len(r.Changes) > 0 {
				done = id + ": not traced any more"
			}
			r.Notes = nil
		} else if v.Name == "trace_ra" {
			done = id + ": traced; the files are below /var/lib/paceline/trace/" + id + " on the nodes where it runs"
		}
		if err := in.changed(r, done); err != nil {
			return err
		}
	}
	return nil
}
