package coordinator

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/fencing"
)

// Devices returns the fencing devices that are configured, with their parameters and where they are started. Rules in
// the sets of a device's parameters are not applied: which device reaches a node must not hang on the time of day.
func Devices(c *cib.CIB) []fencing.Device {
	var out []fencing.Device
	for _, r := range c.Primitives() {
		agent, params := r.Agent, map[string]string{}
		if t := c.Resource(r.Template); r.Template != "" && t != nil {
			if agent.Type == "" {
				agent = t.Agent
			}
			merge(params, t.Params)
		}
		if agent.Class != "stonith" || watchdogAgent(agent.Type) { // what a watchdog did is for the coordinator to work out
			continue
		}
		merge(params, r.Params)
		if disabled(c, r) {
			continue // a person switched the device off
		}
		out = append(out, fencing.Device{
			ID: r.ID, Agent: agent.Type, Params: params,
			ActiveOn: activeOn(c, r.ID), Banned: banned(c, r.ID),
		})
	}
	return out
}

// disabled reports whether a person stopped a device (target-role).
func disabled(c *cib.CIB, r *cib.Resource) bool {
	meta := map[string]string{}
	merge(meta, c.Configuration.RscDefaults)
	merge(meta, r.Meta)
	return strings.EqualFold(meta["target-role"], "stopped")
}

// merge puts the sets' values over those that are there; within the sets the first in their order counts.
func merge(into map[string]string, sets []cib.NVSet) {
	ordered := cib.OrderSets(sets)
	for i := len(ordered) - 1; i >= 0; i-- {
		if ordered[i].Rule != nil {
			continue
		}
		for _, p := range ordered[i].Pairs {
			if p.Name != "" {
				into[p.Name] = p.Value
			}
		}
	}
}

// activeOn returns the nodes on which the history has the device started, sorted.
func activeOn(c *cib.CIB, device string) []string {
	var out []string
	for _, st := range c.Status.Nodes {
		for _, h := range st.Resources {
			if h.ID != device {
				continue
			}
			for _, op := range h.Ops {
				if op.Operation == "start" && op.RC == "0" && op.OpStatus == "0" && online(st) {
					out = append(out, st.Uname)
				}
			}
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// banned returns the nodes that a location constraint of minus infinity keeps the device from.
func banned(c *cib.CIB, device string) []string {
	var out []string
	for _, k := range c.Configuration.Constraints {
		l := k.Location
		if l == nil || l.Resource != device || l.Node == "" {
			continue
		}
		if score, err := cib.ParseScore(l.Score); err == nil && score <= -cib.Infinity {
			out = append(out, l.Node)
		}
	}
	return out
}

// FencingEnabled reports whether the cluster fences (stonith-enabled, true by default).
func FencingEnabled(c *cib.CIB) bool {
	v, ok := c.Option("stonith-enabled")
	return !ok || isTrue(v)
}

// FencingAction returns what the cluster does to a lost node: "reboot" (default) or "off".
func FencingAction(c *cib.CIB) string {
	if v, ok := c.Option("stonith-action"); ok && (v == fencing.Off || v == "poweroff") {
		return fencing.Off
	}
	return fencing.Reboot
}

// FencingTimeout returns the budget of a whole fencing (stonith-timeout).
func FencingTimeout(c *cib.CIB) time.Duration {
	if v, ok := c.Option("stonith-timeout"); ok {
		if ms, err := cib.ParseMilliseconds(v); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return fenceTimeoutDefault
}

// Levels returns the fencing topology of a target: the devices of each level, first level first. It is empty where no
// level names the target.
func Levels(c *cib.CIB, target string) [][]string {
	type level struct {
		index   int
		devices []string
	}
	var found []level
	for _, l := range c.Configuration.Topology {
		if !levelMatches(c, l, target) {
			continue
		}
		index, err := strconv.Atoi(l.Index)
		if err == nil && index >= 1 && index <= 9 {
			found = append(found, level{index, l.Devices})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].index < found[j].index })
	var out [][]string
	for i, l := range found {
		if i > 0 && found[i-1].index == l.index {
			out[len(out)-1] = append(out[len(out)-1], l.devices...)
			continue
		}
		out = append(out, slices.Clone(l.devices))
	}
	return out
}

func levelMatches(c *cib.CIB, l cib.FencingLevel, target string) bool {
	switch {
	case l.Target != "":
		return l.Target == target
	case l.TargetPattern != "":
		re, err := compilePattern(l.TargetPattern)
		return err == nil && re.MatchString(target)
	case l.TargetAttribute != "":
		n := c.NodeByName(target)
		if n == nil {
			return false
		}
		attrs := map[string]string{}
		merge(attrs, n.Attributes)
		return attrs[l.TargetAttribute] == l.TargetValue
	}
	return false
}

// PriorityDelay returns how long a fencing of the target is held back (priority-fencing-delay): when the target runs the
// more important resources, so that it wins a race for survival. self is the node that would fence.
func PriorityDelay(c *cib.CIB, self, target string) time.Duration {
	v, ok := c.Option("priority-fencing-delay")
	if !ok {
		return 0
	}
	ms, err := cib.ParseMilliseconds(v)
	if err != nil || ms <= 0 || priority(c, target) <= priority(c, self) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// delayDrawn reports whether any device draws its delay by lot (pcmk_delay_max).
func delayDrawn(c *cib.CIB) bool {
	for _, d := range Devices(c) {
		if d.Params["pcmk_delay_max"] != "" {
			return true
		}
	}
	return false
}

// fixedDelay is how long the fencing of target by self is held back at least, as configured: priority-fencing-delay, and the
// smallest pcmk_delay_base of the devices that may reach it.
func fixedDelay(c *cib.CIB, self, target string) time.Duration {
	base := time.Duration(-1)
	for _, d := range Devices(c) {
		named := append(slices.Collect(maps.Keys(fencing.HostMap(d))), fencing.HostList(d)...)
		if len(named) > 0 && !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, target) }) {
			continue
		}
		if at := fencing.DelayBase(d, target); base < 0 || at < base {
			base = at
		}
	}
	return PriorityDelay(c, self, target) + max(base, 0)
}

// courtesy is the delay of the side that did not coordinate, from what the history knows of the devices' speed: twice the
// longest of their starts and monitors, and a little.
func courtesy(c *cib.CIB) time.Duration {
	var slowest int64
	for _, d := range Devices(c) {
		for _, st := range c.Status.Nodes {
			for _, h := range st.Resources {
				for _, op := range h.Ops {
					if ms, err := strconv.ParseInt(op.ExecTime, 10, 64); err == nil && h.ID == d.ID && op.RC == "0" {
						slowest = max(slowest, ms)
					}
				}
			}
		}
	}
	return min(courtesyMin+2*time.Duration(slowest)*time.Millisecond, courtesyMax)
}

// priority sums the priorities of what the history has active on a node; a promoted instance counts one more.
func priority(c *cib.CIB, node string) int {
	st := c.NodeState(node)
	if st == nil {
		return 0
	}
	sum := 0
	for _, h := range st.Resources {
		r := c.Resource(h.ID)
		if r == nil {
			continue
		}
		meta := map[string]string{}
		merge(meta, c.Configuration.RscDefaults)
		merge(meta, r.Meta)
		p, _ := cib.ParseScore(meta["priority"])
		if p == 0 {
			continue
		}
		for _, op := range h.Ops {
			if op.Operation == "start" && op.RC == "0" {
				sum += p
			}
			if op.RC == "8" || op.Operation == "promote" && op.RC == "0" {
				sum++
			}
		}
	}
	return sum
}
