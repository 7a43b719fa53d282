package api

import (
	"time"

	"paceline/agent/cib"
)

// FenceTest says when the fencing of a node was last shown to work, or not to.
type FenceTest struct {
	Node   string    `json:"node"`
	When   time.Time `json:"when"`
	Real   bool      `json:"real,omitempty"` // its power was cut; else its devices were asked (paceline fence test)
	OK     bool      `json:"ok"`
	Device string    `json:"device,omitempty"`
	Detail string    `json:"detail,omitempty"` // why not
}

// testedOn returns the newest proof that a node can be fenced, or the rehearsal since then that failed; nil if there is none. A
// person's word proves nothing, and a fencing that failed when it was needed is told as that.
func testedOn(c *cib.CIB, node string) *FenceTest {
	for i := len(c.Status.Fencing) - 1; i >= 0; i-- {
		e := c.Status.Fencing[i]
		test := e.Action == "test"
		if e.Target != node || e.State == "pending" || e.Device == "manual" || e.Action == "on" || !test && e.State != "ok" {
			continue
		}
		return &FenceTest{
			Node: node, When: time.UnixMilli(max(e.Completed, e.Started)), Real: !test, OK: e.State == "ok", Device: e.Device, Detail: e.Detail,
		}
	}
	return nil
}

// tests says of every node that runs resources when its fencing was last shown to work.
func tests(c *cib.CIB, nodes []Node) []FenceTest {
	out := []FenceTest{}
	for _, n := range nodes {
		if n.Role == RoleWitness || n.Role == RoleRemote {
			continue
		}
		if t := testedOn(c, n.Name); t != nil {
			out = append(out, *t)
		}
	}
	return out
}
