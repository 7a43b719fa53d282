package coordinator

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/fencing"
)

const (
	// WatchdogDevice is the ID, and the agent, of the fencing device that is no device: the target's own watchdog. Topologies may
	// name it.
	WatchdogDevice = "watchdog"
	// watchdogVoters is the least number of voters with which a node is fenced by its watchdog: one of two that lost the other
	// has lost its quorum too, and ends as the other does.
	watchdogVoters = 3
	// watchdogActionTime bounds what the device does when the wait is over: nothing but answer.
	watchdogActionTime = 10 * time.Second
)

// watchdogAgent says whether an agent is the target's own watchdog: by our name, or by the one that it has elsewhere.
func watchdogAgent(agent string) bool { return agent == WatchdogDevice || agent == "fence_watchdog" }

// watchdogFor says whether the watchdog of a node counts: it does unless a device for it is configured that lists other nodes only.
func watchdogFor(c *cib.CIB, node string) bool {
	for _, r := range c.Primitives() {
		if r.Agent.Class != "stonith" || !watchdogAgent(r.Agent.Type) {
			continue
		}
		params := map[string]string{}
		merge(params, r.Params)
		if list := fencing.HostList(fencing.Device{Params: params}); len(list) > 0 && !slices.Contains(list, node) {
			return false
		}
	}
	return true
}

// WatchdogFencing reports whether nodes may be presumed dead by their watchdogs (stonith-watchdog-timeout is not zero).
func WatchdogFencing(c *cib.CIB) bool { return watchdogTimeout(c) != 0 }

// watchdogTimeout returns after what time a lost node counts as dead: 0 for never, negative for the time that is derived.
func watchdogTimeout(c *cib.CIB) time.Duration {
	v, ok := c.Option("stonith-watchdog-timeout")
	if !ok {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil && n < 0 {
		return -1
	}
	ms, err := cib.ParseMilliseconds(v)
	if err != nil || ms < 0 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// presumedDead returns after what time without any session the target of a fencing is dead by its own watchdog, or why nobody can
// tell. The target itself announced the time while it was a member.
func presumedDead(c *cib.CIB, st *cib.NodeState, voters int) (time.Duration, string) {
	chosen := watchdogTimeout(c)
	if chosen == 0 {
		return 0, ""
	}
	if st == nil {
		return 0, "its watchdog is not known: it never was a member"
	}
	ms, err := strconv.ParseInt(attribute(st, cib.PresumedDeadAttribute), 10, 64)
	announced := time.Duration(ms) * time.Millisecond
	switch {
	case err != nil || announced <= 0:
		return 0, "its watchdog was not armed when it was last a member"
	case !watchdogFor(c, st.Uname):
		return 0, "the watchdog device of the configuration does not list it"
	case voters < watchdogVoters:
		return 0, fmt.Sprintf("watchdogs alone need three voters, and there are %d: add a node or a witness", voters)
	case chosen > 0 && chosen < announced:
		return 0, fmt.Sprintf("stonith-watchdog-timeout is %v, and the node may live for %v", chosen, announced)
	}
	return max(chosen, announced), ""
}

// devices returns the devices for one fencing: those that are configured and, after them, the target's own watchdog, which
// has surely reset it when the target was without a session for long enough. The time counts from the last tie that this
// coordinator had with it, or from its election: the coordinator before may have had one until then.
func (c *Core) devices(now time.Time, f *fence) []fencing.Device {
	st := c.stateByName(f.target)
	list := aimed(Devices(c.snap.CIB), st)
	f.presumedFrom = time.Time{}
	if f.action == fencing.On {
		return list
	}
	wait, _ := presumedDead(c.snap.CIB, st, len(c.voters))
	if wait == 0 && !pills(list) {
		return list
	}
	if c.isUp(f.target) { // tied to a coordinator it would live on without its shared disks
		c.dropSession(now, f.target, "the node is to end by its watchdog")
	}
	f.presumedFrom = maxOf(c.started, c.tied[f.target])
	if wait == 0 {
		return list
	}
	left := max(wait-now.Sub(f.presumedFrom), 0)
	action := strconv.FormatInt(watchdogActionTime.Milliseconds(), 10) + "ms"
	return append(list, fencing.Device{
		ID: WatchdogDevice, Agent: WatchdogDevice, Actions: []string{fencing.Off, fencing.Reboot, fencing.Status, fencing.List, fencing.Monitor},
		Params: map[string]string{
			// Asked whether it reaches the target, it comes after every device that is known to.
			"pcmk_host_check": fencing.StatusCheck, "pcmk_delay_base": strconv.FormatInt(left.Milliseconds()+1, 10) + "ms",
			"pcmk_off_timeout": action, "pcmk_reboot_timeout": action,
		},
	})
}

// announcements are the commits of what a node announced and the status does not say yet.
func announcements(s *session, id string, st *cib.NodeState) []cib.Change {
	said := map[string]string{cib.PresumedDeadAttribute: "", cib.PillAttribute: ""}
	if s.presumed > 0 {
		said[cib.PresumedDeadAttribute] = strconv.FormatInt(s.presumed.Milliseconds(), 10)
	}
	if s.pillWait > 0 {
		said[cib.PillAttribute] = s.boot + " " + strconv.FormatInt(s.pillWait.Milliseconds(), 10)
	}
	var out []cib.Change
	for _, name := range sortedKeys(said) {
		have := ""
		if st != nil {
			have = attribute(st, name)
		}
		if said[name] == have {
			continue
		}
		ch := cib.SetTransient{NodeID: id, Name: name}
		if v := said[name]; v != "" {
			ch.Value = &v
		}
		out = append(out, cib.Change{SetTransient: &ch})
	}
	return out
}

// attribute returns a transient attribute of a node.
func attribute(st *cib.NodeState, name string) string {
	attrs := map[string]string{}
	merge(attrs, st.Attributes)
	return attrs[name]
}
