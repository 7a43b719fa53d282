package fencing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestHostMap(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "map[]",
		"node1:1;node2:2,3":        "map[node1:1 node2:2,3]",
		"node1=1 node2=2\tnode3:3": "map[node1:1 node2:2 node3:3]",
		`n1:a\ b;n2:c\;d;n3:e\\f`:  `map[n1:a b n2:c;d n3:e\f]`,
		"n1:uuid:with:colons;":     "map[n1:uuid:with:colons]",
		"n1:;:2;n3;n4:4":           "map[n4:4]",
		"n1:1;n1:2":                "map[n1:2]",
	} {
		d := Device{Params: map[string]string{"pcmk_host_map": text}}
		if got := fmt.Sprint(HostMap(d)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPlugAndLists(t *testing.T) {
	d := Device{Params: map[string]string{"pcmk_host_map": "N1:7", "pcmk_host_list": "n2, n3;n4\nn5"}}
	for target, want := range map[string]string{"n1": "7", "n2": "n2", "n9": "n9"} {
		if got := Plug(d, target); got != want {
			t.Errorf("plug of %s is %s, want %s", target, got, want)
		}
	}
	for target, want := range map[string]bool{"n1": true, "N2": true, "n5": true, "n9": false} {
		if lists(d, target) != want {
			t.Errorf("%s is listed: %v", target, !want)
		}
	}
}

func TestHostCheck(t *testing.T) {
	for _, c := range []struct {
		params  map[string]string
		actions []string
		want    string
	}{
		{nil, nil, DynamicList},
		{nil, []string{"list", "status"}, DynamicList},
		{nil, []string{"status"}, StatusCheck},
		{nil, []string{"off"}, NoCheck},
		{map[string]string{"pcmk_host_list": "a"}, nil, StaticList},
		{map[string]string{"pcmk_host_map": "a:1"}, []string{"list"}, StaticList},
		{map[string]string{"pcmk_host_map": "a:1", "pcmk_host_check": "none"}, nil, NoCheck},
		{map[string]string{"pcmk_host_check": "rubbish"}, []string{"status"}, StatusCheck},
	} {
		if got := HostCheck(Device{Params: c.params, Actions: c.actions}); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.params, c.actions, got, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, " 10s ": 10 * time.Second, "500ms": 500 * time.Millisecond, "2min": 2 * time.Minute,
		"1h": time.Hour, "3 m": 3 * time.Minute, "0": 0, "7 SEC": 7 * time.Second, "9usec": 9 * time.Microsecond,
	} {
		if got, ok := ParseTime(text); !ok || got != want {
			t.Errorf("%q: %s %v, want %s", text, got, ok, want)
		}
	}
	for _, bad := range []string{"", "s", "-1", "1.5s", "10 parsecs", "99999999999999999999", "9999999999999h"} {
		if got, ok := ParseTime(bad); ok {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestDelayIsWithinBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := Device{Params: map[string]string{"pcmk_delay_base": "2s", "pcmk_delay_max": "5s"}}
	least, most := time.Hour, time.Duration(0)
	for range 2000 {
		got := delay(d, "n1", rng)
		least, most = min(least, got), max(most, got)
	}
	if least < 2*time.Second || least > 2100*time.Millisecond || most > 5*time.Second || most < 4900*time.Millisecond {
		t.Errorf("between %s and %s", least, most)
	}
	d.Params["pcmk_delay_max"] = "1s" // less than the base: the base it is
	if got := delay(d, "n1", rng); got != 2*time.Second {
		t.Error(got)
	}
	if got := delay(d, "n1", nil); got != 2*time.Second {
		t.Error(got)
	}
}

func FuzzParameters(f *testing.F) {
	f.Add("node1:1;node2:2,3", "5s", "n1")
	f.Add(`a\`, "9999999999999999h", `a\`)
	f.Fuzz(func(t *testing.T, text, amount, target string) {
		d := Device{Params: map[string]string{"pcmk_host_map": text, "pcmk_host_list": text, "pcmk_delay_base": text, "pcmk_delay_max": amount}}
		Plug(d, target)
		lists(d, target)
		if got := delay(d, target, rand.New(rand.NewPCG(1, 2))); got < 0 {
			t.Errorf("a delay of %s", got)
		}
		if got, ok := ParseTime(amount); ok && got < 0 {
			t.Errorf("%q is %s", amount, got)
		}
	})
}

func BenchmarkMachine(b *testing.B) {
	req := Request{Number: 1, Target: "n3", Action: Reboot, Live: []string{"n1", "n2"}, Rand: rand.New(rand.NewPCG(1, 2))}
	for i := range 16 {
		req.Devices = append(req.Devices, Device{ID: fmt.Sprint("d", i), Params: map[string]string{"pcmk_host_list": fmt.Sprint("n", i)}})
	}
	for b.Loop() {
		m := NewMachine(req)
		ask := m.Step(t0, nil)[0].(Ask)
		m.Step(t0, Result{Fence: 1, Step: ask.Order.Step, Node: ask.Node, OK: true})
	}
}

// A node from which a device is out of reach may use up all the time: the next attempt begins with another one.
func TestAttemptsBeginWithNodeAfterNode(t *testing.T) {
	for attempt, want := range map[int]string{0: "n2", 1: "n2", 2: "n1", 3: "n3", 4: "n2"} {
		m := NewMachine(Request{
			Target: "n4", Action: Off, Attempt: attempt, Live: []string{"n1", "n2", "n3", "n4"},
			Devices: []Device{{ID: "d", ActiveOn: []string{"n2"}, Params: map[string]string{"pcmk_host_list": "n4"}}},
		})
		if ask, ok := m.Step(time.Now(), nil)[0].(Ask); !ok || ask.Node != want {
			t.Errorf("attempt %d: asked %+v, want %s", attempt, ask, want)
		}
	}
}
