package fencing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// way is one way to fence the target: a level of the topology, or a single device. All its tasks have to succeed but
// the optional ones. Ways are tried in order until one succeeds.
type way struct {
	name  string // for people: "level 1", "device ipmi1"
	tasks []task
}

// task is one action of one device.
type task struct {
	dev    Device
	action string
	// delay is waited once, before the first try.
	delay time.Duration
	// optional tasks come after the fencing is safe: switching a node on again.
	optional bool
	// explicit is the device's own timeout, 0 if it has none.
	explicit time.Duration
}

// ways finds out what can be done. What cannot is told in words: why of devices, broken of levels.
func (m *Machine) ways() (list []way, why, broken []string) {
	if len(m.req.Levels) > 0 {
		list, broken = m.levels()
		return list, nil, broken
	}
	var asked []way // reachable perhaps: asking takes time, so they come last
	for _, d := range m.req.Devices {
		check := HostCheck(d)
		if check == StaticList && !lists(d, m.req.Target) {
			why = append(why, fmt.Sprintf("%s lists %s", d.ID, listed(d)))
			continue
		}
		if len(m.candidates(d)) == 0 {
			why = append(why, m.noNode(d))
			continue
		}
		if !m.able(d) {
			why = append(why, fmt.Sprintf("%s cannot do %q", d.ID, m.req.Action))
			continue
		}
		w := way{name: "device " + d.ID, tasks: m.tasks([]Device{d})}
		switch check {
		case StaticList, NoCheck:
			list = append(list, w)
		default:
			w.tasks = slices.Insert(w.tasks, 0, task{dev: d, action: List})
			w.tasks[0].explicit, _ = actionTimeout(d, List)
			asked = append(asked, w)
		}
	}
	return append(list, asked...), why, nil
}

// levels makes the ways of a topology. The devices of a level are not asked whether they reach the target: the
// topology says so.
func (m *Machine) levels() (list []way, broken []string) {
	for i, ids := range m.req.Levels {
		name := fmt.Sprintf("level %d", i+1)
		var devs []Device
		var missing []string
		for _, id := range ids {
			at := slices.IndexFunc(m.req.Devices, func(d Device) bool { return d.ID == id })
			if at < 0 {
				missing = append(missing, fmt.Sprintf("device %s is not configured or not enabled", id))
				continue
			}
			d := m.req.Devices[at]
			switch {
			case slices.ContainsFunc(devs, func(o Device) bool { return o.ID == id }):
			case HostCheck(d) == StaticList && !lists(d, m.req.Target):
				missing = append(missing, fmt.Sprintf("%s lists %s", id, listed(d)))
			case len(m.candidates(d)) == 0:
				missing = append(missing, m.noNode(d))
			case !m.able(d):
				missing = append(missing, fmt.Sprintf("%s cannot do %q", id, m.req.Action))
			default:
				devs = append(devs, d)
			}
		}
		if len(ids) == 0 {
			missing = append(missing, "it has no device")
		}
		if len(missing) > 0 {
			broken = append(broken, name+" cannot be used: "+strings.Join(missing, ", "))
			continue
		}
		list = append(list, way{name: name, tasks: m.tasks(devs)})
	}
	return list, broken
}

// tasks are the actions of the devices of one way. Several devices, or one that cannot reboot, do a reboot by off and then
// on: switching two power supplies off and on one after the other would never cut the power.
func (m *Machine) tasks(devs []Device) []task {
	var out []task
	add := func(d Device, action string, optional bool) {
		t := task{dev: d, action: action, optional: optional}
		t.explicit, _ = actionTimeout(d, action)
		if action != On {
			t.delay = delay(d, m.req.Target, m.req.Rand)
		}
		out = append(out, t)
	}
	if m.req.Action != Reboot || len(devs) == 1 && can(devs[0], Reboot) {
		for _, d := range devs {
			add(d, m.req.Action, false)
		}
		return out
	}
	for _, d := range devs {
		add(d, Off, false)
	}
	for _, d := range devs {
		if can(d, On) {
			add(d, On, true)
		}
	}
	return out
}

// able says whether the device can do what is asked, in one way or the other.
func (m *Machine) able(d Device) bool {
	if m.req.Action == Reboot {
		return can(d, Reboot) || can(d, Off)
	}
	return can(d, m.req.Action)
}

// candidates returns the nodes that may run the device, best first: where it is active, then as Live has them; from the second
// attempt on beginning further down, in turn. The target never.
func (m *Machine) candidates(d Device) []string {
	var out []string
	for _, n := range slices.Concat(d.ActiveOn, m.req.Live) {
		if n != m.req.Target && !slices.Contains(out, n) && slices.Contains(m.req.Live, n) && !slices.Contains(d.Banned, n) && !m.gone[n] {
			out = append(out, n)
		}
	}
	if m.req.Attempt > 1 && len(out) > 1 {
		first := (m.req.Attempt - 1) % len(out)
		out = slices.Concat(out[first:], out[:first])
	}
	return out
}

func (m *Machine) noNode(d Device) string {
	return fmt.Sprintf("no live node but the target may run %s", d.ID)
}

// listed names the nodes of a device's static list.
func listed(d Device) string {
	names := append(HostList(d), sortedKeys(HostMap(d))...)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "no node"
	}
	const most = 6
	if len(names) > most {
		return "only " + strings.Join(names[:most], ", ") + " and others"
	}
	return "only " + strings.Join(names, ", ")
}
