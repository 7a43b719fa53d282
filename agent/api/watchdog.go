package api

import (
	"fmt"
	"strconv"
	"time"

	"paceline/agent/cib"
)

// watchdogVoters is the least number of voters with which a node is presumed dead by its watchdog: one of two that lost the
// other has lost its quorum too.
const watchdogVoters = 3

// watchdogOf says how the nodes of a cluster are presumed dead by their watchdogs; nil if that is not asked for.
func watchdogOf(c *cib.CIB, live Live, nodes []Node) *WatchdogFencing {
	v, ok := c.Option("fencing-watchdog-timeout")
	if !ok {
		return nil
	}
	chosen, derived := time.Duration(0), false
	if n, err := strconv.Atoi(v); err == nil && n < 0 {
		derived = true
	} else if ms, err := cib.ParseMilliseconds(v); err == nil && ms > 0 {
		chosen = time.Duration(ms) * time.Millisecond
	}
	if !derived && chosen == 0 {
		return nil
	}
	out := &WatchdogFencing{Armed: []WatchdogNode{}, Unarmed: []string{}}
	if live.Quorum.Total < watchdogVoters {
		out.Useless = fmt.Sprintf("watchdogs alone need three voters, and there are %d", live.Quorum.Total)
	}
	for _, n := range nodes {
		st := stateNamed(c, n.Name)
		if n.Role == RoleWitness || n.Role == RoleRemote || st == nil || !n.Online {
			continue
		}
		text, _ := metaOf(st.Attributes, cib.PresumedDeadAttribute)
		ms, err := strconv.ParseInt(text, 10, 64)
		announced := time.Duration(ms) * time.Millisecond
		switch {
		case err != nil || announced <= 0:
			out.Unarmed = append(out.Unarmed, n.Name)
		case chosen > 0 && chosen < announced:
			out.Useless = fmt.Sprintf("fencing-watchdog-timeout is %v, and %s may live for %v: set it to -1, which derives it", chosen, n.Name, announced)
		default:
			out.Armed = append(out.Armed, WatchdogNode{n.Name, Duration(max(chosen, announced))})
		}
	}
	return out
}

func stateNamed(c *cib.CIB, node string) *cib.NodeState {
	for _, st := range c.Status.Nodes {
		if st.Uname == node {
			return st
		}
	}
	return nil
}

// gaps says what is missing for every node to be fenced by its watchdog, in words; nil if nothing is.
func (w *WatchdogFencing) gaps() []string {
	var out []string
	if w.Useless != "" {
		out = append(out, w.Useless)
	}
	for _, n := range w.Unarmed {
		out = append(out, "the watchdog of "+n+" is not armed: when it is lost, recovery waits for a person")
	}
	return out
}

// longest is how long recovery waits, at most, for a node to be dead.
func (w *WatchdogFencing) longest() time.Duration {
	var most time.Duration
	for _, n := range w.Armed {
		most = max(most, time.Duration(n.PresumedDead))
	}
	return most
}
