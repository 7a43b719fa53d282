package scheduler

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"paceline/agent/cib"
)

// largeCluster is a cluster of that many primitives in fours (the second with the first, the third after the second,
// the fourth preferring a node), all running where they were placed, or none yet.
func largeCluster(primitives, nodes int, running bool) *cib.CIB {
	c := &cib.CIB{Header: cib.Header{HaveQuorum: "1"}}
	c.Configuration.Options = []cib.NVSet{optionSet("fencing-enabled", "false")}
	for i := 0; i < nodes; i++ {
		addMember(c, fmt.Sprintf("node%03d", i))
	}
	for i := 0; i < primitives; i++ {
		id := fmt.Sprintf("rsc%05d", i)
		r := primitive(id)
		r.Operations.Ops = []*cib.Op{{Name: "monitor", Interval: "10s", Timeout: "20s"}}
		c.Configuration.Resources = append(c.Configuration.Resources, r)
		first := fmt.Sprintf("rsc%05d", i/4*4)
		switch i % 4 {
		case 1:
			c.Configuration.Constraints = append(c.Configuration.Constraints, &cib.Constraint{Colocation: &cib.Colocation{
				ID: "with-" + id, Resource: id, With: first, Score: "INFINITY"}})
		case 2:
			c.Configuration.Constraints = append(c.Configuration.Constraints, &cib.Constraint{Order: &cib.Order{
				ID: "after-" + id, First: first, Then: id}})
		case 3:
			c.Configuration.Constraints = append(c.Configuration.Constraints, &cib.Constraint{Location: &cib.Location{
				ID: "at-" + id, Resource: id, Node: c.Configuration.Nodes[i%nodes].Uname, Score: "100"}})
		}
	}
	if running {
		applyAll(c, Plan(c, time.Unix(1, 0)), time.Unix(1, 0))
	}
	return c
}

// BenchmarkPlanClones plans clones that run everywhere: as many instances as clones times nodes.
func BenchmarkPlanClones(b *testing.B) {
	for _, size := range [][2]int{{10, 16}, {20, 50}} {
		c := &cib.CIB{Header: cib.Header{HaveQuorum: "1"}}
		c.Configuration.Options = []cib.NVSet{optionSet("fencing-enabled", "false")}
		for i := 0; i < size[1]; i++ {
			addMember(c, fmt.Sprintf("node%03d", i))
		}
		for i := 0; i < size[0]; i++ {
			id := fmt.Sprintf("rsc%03d", i)
			c.Configuration.Resources = append(c.Configuration.Resources, &cib.Resource{ID: id + "-clone", Kind: cib.KindClone,
				Children: []*cib.Resource{primitive(id)}})
		}
		applyAll(c, Plan(c, time.Unix(1, 0)), time.Unix(1, 0))
		b.Run(strconv.Itoa(size[0])+"x"+strconv.Itoa(size[1]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Plan(c, time.Unix(1, 0))
			}
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, size := range [][2]int{{100, 4}, {100, 16}, {1000, 16}, {1000, 32}} {
		for _, running := range []bool{false, true} {
			name := strconv.Itoa(size[0]) + "x" + strconv.Itoa(size[1])
			if running {
				name += "/steady"
			} else {
				name += "/new"
			}
			c := largeCluster(size[0], size[1], running)
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					Plan(c, time.Unix(1, 0))
				}
			})
		}
	}
}
