package ctl

import (
	"fmt"
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// runNodeMode runs standby, online, maintenance or ready on the nodes named, or on this one.
func runNodeMode(mode string) func(*invocation) error {
	return func(in *invocation) error {
		nodes, untilReboot, err := in.modeWords(mode)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			err := in.confirmed(func(yes bool) error {
				r, err := in.nodeMode(n, mode, untilReboot, yes)
				if err != nil {
					return err
				}
				return in.changed(r, modeDone(n, mode, untilReboot))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func runFence(in *invocation) error {
	return in.confirmed(func(yes bool) error {
		return in.fence(api.FenceRequest{
			Node: in.arg(0), Action: in.c.String("action"), Confirmed: in.c.Bool("confirmed"), Yes: yes,
		})
	})
}

func (in *invocation) fence(req api.FenceRequest) error {
	req.DryRun, req.Wait = in.c.Bool("dry-run"), api.Duration(in.c.Duration("wait"))
	r, err := in.api.Fence(in.ctx, req)
	if err != nil {
		return err
	}
	e := r.Event
	switch {
	case in.json():
		if err := in.writeJSON(r); err != nil {
			return err
		}
	case r.DryRun:
		in.wouldBeDone(r.Actions, r.Confirm)
	default:
		by := ""
		if e.Device != "" {
			by = " by " + e.Device
		}
		in.printf("%s: %s confirmed%s\n", e.Target, e.Action, by)
	}
	if req.Wait > 0 && !r.DryRun && !r.Settled {
		if !in.json() {
			fmt.Fprintf(in.Err, "note: the cluster has not settled: %s\n", r.Why)
		}
		return &exitStatus{exitUnreachable}
	}
	return nil
}

// nodeDetail is what node show prints of one node.
type nodeDetail struct {
	api.Node
	Attributes []attribute `json:"attributes"`
}

type attribute struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Transient bool   `json:"transient,omitempty"`
}

func runNodeShow(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	list := []nodeDetail{}
	for _, n := range st.Nodes {
		if len(in.args) == 0 || slices.Contains(in.args, n.Name) {
			list = append(list, nodeDetail{n, attributesOf(state.CIB, n.Name)})
		}
	}
	for _, want := range in.args {
		if !slices.ContainsFunc(list, func(d nodeDetail) bool { return d.Name == want }) {
			return api.Errorf(api.CodeNotFound, "show node "+want, "there is no node %q", want).WithHint("`paceline node show` lists them")
		}
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema int          `json:"schema"`
			Nodes  []nodeDetail `json:"nodes"`
		}{api.Schema, list})
	}
	for _, d := range list {
		in.printf("%s: %s, %s\n", d.Name, d.Role, stateText(d.Node))
		if len(d.Resources) > 0 {
			in.printf("    runs: %s\n", strings.Join(d.Resources, " "))
		}
		for _, a := range d.Attributes {
			kind := ""
			if a.Transient {
				kind = " (until reboot)"
			}
			in.printf("    %s=%s%s\n", a.Name, a.Value, kind)
		}
	}
	return nil
}

func attributesOf(c *cib.CIB, node string) []attribute {
	out := []attribute{}
	add := func(sets []cib.NVSet, transient bool) {
		for _, s := range sets {
			for _, p := range s.Pairs {
				out = append(out, attribute{p.Name, p.Value, transient})
			}
		}
	}
	if n := c.NodeByName(node); n != nil {
		add(n.Attributes, false)
	}
	if ns := c.NodeState(node); ns != nil {
		add(ns.Attributes, true)
	}
	return out
}
