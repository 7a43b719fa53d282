package fencing

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

var testNodes = []string{"n1", "n2", "n3", "n4"}

func genDevice(id string) *rapid.Generator[Device] {
	return rapid.Custom(func(t *rapid.T) Device {
		d := Device{ID: id, Agent: "fence_x", Params: map[string]string{}}
		set := func(name string, values ...string) {
			if v := rapid.SampledFrom(append(values, "")).Draw(t, name); v != "" {
				d.Params[name] = v
			}
		}
		set("pcmk_host_list", "n1", "n1,n2", "n2 n3")
		set("pcmk_host_map", "n1:1", "n1:1;n3:3,4")
		set("pcmk_host_check", "none", "static-list", "dynamic-list", "status", "nonsense")
		set("pcmk_delay_base", "3s", "n1:2s;n2:7s", "rubbish")
		set("pcmk_delay_max", "5s", "9")
		set("pcmk_off_timeout", "5s", "2min")
		set("pcmk_reboot_timeout", "7s", "90")
		set("pcmk_reboot_retries", "0", "1", "-1", "x")
		set("pcmk_off_retries", "0", "5")
		d.ActiveOn = rapid.SliceOfDistinct(rapid.SampledFrom(testNodes), rapid.ID).Draw(t, "active")
		d.Banned = rapid.SliceOfNDistinct(rapid.SampledFrom(testNodes), 0, 2, rapid.ID).Draw(t, "banned")
		d.Actions = rapid.SampledFrom([][]string{nil, {On, Off, Reboot, Status, List}, {On, Off}, {Off}, {On}}).Draw(t, "actions")
		return d
	})
}

func genRequest(t *rapid.T) Request {
	r := Request{Number: 7, Term: 3, View: 11}
	r.Target = rapid.SampledFrom(testNodes).Draw(t, "target")
	r.Action = rapid.SampledFrom([]string{Off, Reboot, On}).Draw(t, "action")
	r.Live = rapid.SliceOfDistinct(rapid.SampledFrom(testNodes), rapid.ID).Draw(t, "live")
	r.Timeout = rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, time.Minute}).Draw(t, "timeout")
	r.PriorityDelay = rapid.SampledFrom([]time.Duration{0, 0, 4 * time.Second}).Draw(t, "priority")
	ids := []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "devices")]
	for _, id := range ids {
		r.Devices = append(r.Devices, genDevice(id).Draw(t, id))
	}
	if rapid.Bool().Draw(t, "topology") {
		r.Levels = rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "gone"}), 0, 3), 0, 3).Draw(t, "levels")
	}
	return r
}

// happening is what befalls a machine next.
type happening struct {
	Kind string
	Node string
	Step int
	Wait time.Duration
}

func genHappening(t *rapid.T) happening {
	return happening{
		Kind: rapid.SampledFrom([]string{"ok", "ok", "fail", "fail", "lost", "wait", "deadline", "stale", "late"}).Draw(t, "kind"),
		Node: rapid.SampledFrom(testNodes).Draw(t, "node"),
		Step: rapid.IntRange(0, 6).Draw(t, "step"),
		Wait: time.Duration(rapid.IntRange(0, 30000).Draw(t, "wait")) * time.Millisecond,
	}
}

// TestMachineHoldsItsPromises steps machines through whatever may happen, and checks the guarantees of the package.
func TestMachineHoldsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest(t)
		happenings := rapid.SliceOfN(rapid.Custom(genHappening), 0, 25).Draw(t, "happenings")
		seed := rapid.Uint64().Draw(t, "seed")
		first, err := live(req, happenings, seed)
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(first, "\n"))
		}
		second, _ := live(req, happenings, seed)
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("the same inputs gave\n%s\nand\n%s", strings.Join(first, "\n"), strings.Join(second, "\n"))
		}
	})
}

// live leads a machine to its end and returns what it did; the error is a broken promise.
func live(req Request, happenings []happening, seed uint64) (log []string, err error) {
	req.Rand = rand.New(rand.NewPCG(seed, 1))
	m := NewMachine(req)
	c := &checker{req: req, lost: map[string]bool{}, ok: map[string]bool{}}
	now := t0
	step := func(ev Event) {
		for _, e := range m.Step(now, ev) {
			log = append(log, fmt.Sprintf("%s %s", now.Sub(t0), describe(e)))
			if err == nil {
				err = c.check(now, m.End(), e)
			}
		}
	}
	step(nil)
	for _, h := range happenings {
		log = append(log, fmt.Sprintf("%s %+v", now.Sub(t0), h))
		switch h.Kind {
		case "wait":
			now = now.Add(h.Wait)
			step(nil)
		case "deadline":
			if d := m.Deadline(); d.After(now) {
				now = d
			}
			step(nil)
		case "lost":
			c.lost[h.Node] = true
			if c.asked != nil && c.asked.Node == h.Node {
				c.asked = nil
			}
			step(NodeLost{Node: h.Node})
		case "stale":
			r := Result{Term: 3, Fence: 7, Step: h.Step, Node: h.Node, OK: true}
			if c.asked != nil && c.asked.Order.Step == h.Step && c.asked.Node == h.Node {
				break // that would be the right one
			}
			step(r)
		case "ok", "fail", "late":
			if c.asked == nil {
				break
			}
			a := *c.asked
			r := Result{Term: 3, Fence: 7, Step: a.Order.Step, Node: a.Node, OK: h.Kind != "fail", Detail: "x"}
			if h.Kind == "late" {
				now = now.Add(a.Order.Delay + a.Order.Budget + answerGrace)
			} else if r.OK && now.Before(c.until) {
				c.ok[a.Order.Device.ID+" "+a.Order.Action] = true
			}
			c.asked = nil
			step(r)
		}
	}
	for range 200 {
		if m.over {
			break
		}
		if d := m.Deadline(); d.After(now) {
			now = d
		}
		c.asked = nil
		step(nil)
	}
	switch {
	case err != nil:
	case !c.done:
		err = fmt.Errorf("it never ended")
	case now.After(m.End()) && len(happenings) == 0:
		err = fmt.Errorf("it ended at %s, after %s", now.Sub(t0), m.End().Sub(t0))
	case m.Step(now, nil) != nil:
		err = fmt.Errorf("it went on after its end")
	}
	return log, err
}

// checker knows what a machine has promised.
type checker struct {
	req   Request
	lost  map[string]bool
	ok    map[string]bool // "device action" that were reported done in time
	asked *Ask
	until time.Time
	step  int
	done  bool
}

func (c *checker) check(now, end time.Time, e Effect) error {
	if c.done {
		return fmt.Errorf("an effect after Done")
	}
	switch e := e.(type) {
	case Ask:
		o := e.Order
		switch {
		case e.Node == c.req.Target:
			return fmt.Errorf("the target was asked to fence itself")
		case !slices.Contains(c.req.Live, e.Node) || c.lost[e.Node]:
			return fmt.Errorf("%s is not live", e.Node)
		case slices.Contains(o.Device.Banned, e.Node):
			return fmt.Errorf("%s is banned", e.Node)
		case o.Step <= c.step:
			return fmt.Errorf("step %d comes after step %d", o.Step, c.step)
		case o.Budget <= 0 || o.Delay < 0:
			return fmt.Errorf("no time: %+v", o)
		case now.Add(o.Delay + o.Budget).After(end):
			return fmt.Errorf("the order outlives the fencing, which ends at %s", end.Sub(t0))
		case o.Target != c.req.Target || o.Fence != 7 || o.Term != 3 || o.View != 11:
			return fmt.Errorf("wrong numbers: %+v", o)
		case (o.Action == Off || o.Action == Reboot) && now.Add(o.Delay).Before(t0.Add(c.req.PriorityDelay)):
			return fmt.Errorf("the priority delay was not waited out")
		case HostCheck(o.Device) == StaticList && !lists(o.Device, o.Target):
			return fmt.Errorf("%s does not reach the target", o.Device.ID)
		}
		c.step, c.asked, c.until = o.Step, &e, now.Add(o.Delay+o.Budget+answerGrace)
	case Done:
		c.done = true
		if !e.OK {
			if e.Detail == "" {
				return fmt.Errorf("it failed and does not say why")
			}
			return nil
		}
		return c.checkOK(e)
	}
	return nil
}

// checkOK checks that every device of one way was reported done.
func (c *checker) checkOK(d Done) error {
	ids := strings.Split(d.Device, "+")
	for _, id := range ids {
		switch {
		case c.req.Action == On && c.ok[id+" on"]:
		case c.req.Action != On && c.ok[id+" off"]:
		case c.req.Action == Reboot && len(ids) == 1 && c.ok[id+" reboot"]:
		default:
			return fmt.Errorf("done by %s, but %s never said so: %v", d.Device, id, c.ok)
		}
	}
	if len(c.req.Levels) == 0 {
		if len(ids) != 1 {
			return fmt.Errorf("done by several devices without a topology: %s", d.Device)
		}
		return nil
	}
	for _, level := range c.req.Levels {
		want := slices.Compact(slices.Sorted(slices.Values(level)))
		if slices.Equal(want, slices.Sorted(slices.Values(ids))) {
			return nil
		}
	}
	return fmt.Errorf("done by %s, which is no level of %v", d.Device, c.req.Levels)
}
