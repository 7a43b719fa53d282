package coordinator

import (
	"slices"

	"paceline/agent/cib"
	"paceline/agent/membership"
)

// WaitForAll reports whether a cluster that comes up waits until it has heard every node that was a member when it went down
// (wait-for-all): then nobody is fenced for being the last to boot.
func WaitForAll(c *cib.CIB) bool {
	v, ok := c.Option("wait-for-all")
	if !ok {
		return false
	}
	yes, err := cib.ParseBool(v)
	return err == nil && yes
}

// comesUp says that the whole cluster was off: none of those that are heard is a member in the boot that it is heard in. A
// cluster in which one went on all the time has only elected another coordinator.
func comesUp(c *cib.CIB, v membership.View) bool {
	return c != nil && !slices.ContainsFunc(v.Members, func(m membership.Member) bool {
		st := c.NodeState(m.ID)
		return m.Status == membership.Alive && online(st) && st.Boot == m.Boot
	})
}

// awaited names the nodes for which a cluster that comes up waits: members by what is committed, and not heard. One that was
// let go in good order, or confirmed fenced, is not among them.
func awaited(c *cib.CIB, v membership.View) []string {
	if c == nil || !WaitForAll(c) {
		return nil
	}
	var out []string
	for _, n := range c.Configuration.Nodes {
		st := c.NodeState(n.ID)
		if n.Type != "" && n.Type != cib.NodeMember || st == nil || !isTrue(st.InCCM) {
			continue
		}
		heard := slices.ContainsFunc(v.Members, func(m membership.Member) bool { return m.ID == n.ID && m.Status == membership.Alive })
		if !heard {
			out = append(out, n.Uname)
		}
	}
	slices.Sort(out)
	return out
}

// awaitAll holds back everything - who is a member, what is fenced, what is planned - while a cluster that comes up waits for
// all its nodes, and reports whether it does. Nobody joins meanwhile, so that the next coordinator sees that it waits, too.
func (c *Core) awaitAll() bool {
	if !c.comesUp {
		return false
	}
	names := awaited(c.snap.CIB, c.view)
	if !slices.Equal(names, c.awaits) {
		c.awaits = names
		if len(names) > 0 {
			c.say("warn", "the cluster comes up, and waits for all its nodes (wait-for-all)", "nodes", names)
		}
	}
	if len(names) > 0 {
		return true
	}
	c.comesUp = false
	return false
}
