package coordinator

import (
	"fmt"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/fencing"
)

// Whose topology it is: by name, by a pattern of names, by an attribute; levels 1 to 9 in their order, whatever theirs in the
// configuration; two of one number are one.
func TestTopologies(t *testing.T) {
	c := &cib.CIB{Configuration: cib.Configuration{Nodes: []*cib.Node{
		{ID: "1", Uname: "web1", Attributes: []cib.NVSet{{ID: "a", Pairs: []cib.NVPair{{ID: "r", Name: "rack", Value: "7"}}}}}, {ID: "2", Uname: "web2"}, {ID: "3", Uname: "db1"},
	}}}
	level := func(index string, l cib.FencingLevel) cib.FencingLevel { l.Index = index; return l }
	for _, x := range []struct {
		name   string
		levels []cib.FencingLevel
		want   map[string]string
	}{
		{"by name", []cib.FencingLevel{level("1", cib.FencingLevel{Target: "web1", Devices: []string{"a"}})}, map[string]string{"web1": "[[a]]", "web2": "[]"}},
		{"by pattern", []cib.FencingLevel{level("1", cib.FencingLevel{TargetPattern: "^web[0-9]$", Devices: []string{"a"}})}, map[string]string{"web1": "[[a]]", "web2": "[[a]]", "db1": "[]"}},
		{"by attribute", []cib.FencingLevel{level("1", cib.FencingLevel{TargetAttribute: "rack", TargetValue: "7", Devices: []string{"a"}})}, map[string]string{"web1": "[[a]]", "web2": "[]"}},
		{"in their order", []cib.FencingLevel{
			level("9", cib.FencingLevel{Target: "db1", Devices: []string{"z"}}), level("2", cib.FencingLevel{Target: "db1", Devices: []string{"b", "c"}}),
			level("1", cib.FencingLevel{Target: "db1", Devices: []string{"a"}}), level("10", cib.FencingLevel{Target: "db1", Devices: []string{"no"}}),
		}, map[string]string{"db1": "[[a] [b c] [z]]"}},
		{"two of one number", []cib.FencingLevel{level("1", cib.FencingLevel{Target: "db1", Devices: []string{"a"}}), level("1", cib.FencingLevel{TargetPattern: "db", Devices: []string{"b"}})},
			map[string]string{"db1": "[[a b]]"}},
	} {
		c.Configuration.Topology = x.levels
		for node, want := range x.want {
			if got := fmt.Sprint(Levels(c, node)); got != want {
				t.Errorf("%s: %s has %s, want %s", x.name, node, got, want)
			}
		}
	}
}

// The options of the cluster that say how it fences.
func TestFencingOptions(t *testing.T) {
	with := func(name, value string) *cib.CIB {
		c, err := cib.Apply(&cib.CIB{}, cib.Change{SetOption: &cib.SetOption{Name: name, Value: &value}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, x := range []struct {
		name, value string
		got         func(*cib.CIB) any
		want        any
	}{
		{"stonith-enabled", "false", func(c *cib.CIB) any { return FencingEnabled(c) }, false},
		{"fencing-enabled", "true", func(c *cib.CIB) any { return FencingEnabled(c) }, true},
		{"stonith-action", "off", func(c *cib.CIB) any { return FencingAction(c) }, fencing.Off},
		{"stonith-action", "reboot", func(c *cib.CIB) any { return FencingAction(c) }, fencing.Reboot},
		{"stonith-timeout", "90s", func(c *cib.CIB) any { return FencingTimeout(c) }, 90 * time.Second},
		{"stonith-watchdog-timeout", "30", func(c *cib.CIB) any { return watchdogTimeout(c) }, 30 * time.Second},
		{"stonith-watchdog-timeout", "-1", func(c *cib.CIB) any { return WatchdogFencing(c) }, true},
		{"stonith-watchdog-timeout", "0", func(c *cib.CIB) any { return WatchdogFencing(c) }, false},
	} {
		if got := x.got(with(x.name, x.value)); got != x.want {
			t.Errorf("%s=%s: %v, want %v", x.name, x.value, got, x.want)
		}
	}
}

// A fence_watchdog device, as Pacemaker's documents have it, is the target's own watchdog, for the nodes that it lists.
func TestAWatchdogDevice(t *testing.T) {
	for list, want := range map[string]bool{"": true, "a c": true, "a b": false} {
		w := watched(t)
		configuration := w.snap.CIB.Configuration
		r := &cib.Resource{ID: "watchdog", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "stonith", Type: "fence_watchdog"}}
		if list != "" {
			r.Params = []cib.NVSet{{ID: "p", Pairs: []cib.NVPair{{ID: "p-h", Name: "pcmk_host_list", Value: list}}}}
		}
		configuration.Resources = []*cib.Resource{r}
		c, err := cib.Apply(w.snap.CIB, cib.Change{Configure: &cib.Configure{Configuration: configuration}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(Devices(c)); n != 0 {
			t.Errorf("it counts as %d devices that somebody runs", n)
		}
		if _, why := presumedDead(c, c.NodeState("id-c"), 3); (why == "") != want {
			t.Errorf("for %q: %q", list, why)
		}
	}
}
