package fencing

import (
	"strings"
	"testing"
	"time"
)

// rehearse plays a rehearsal: answer says what each order comes to ("" is a yes; "silence" no answer at all).
func rehearse(t *testing.T, req Request, up bool, answer func(Order, string) string) (Done, []string) {
	t.Helper()
	now := time.Unix(1000, 0)
	var asked []string
	r := NewRehearsal(req, up)
	effects := r.Step(now, nil)
	for range 100 {
		if len(effects) == 0 {
			now = r.Deadline()
			effects = r.Step(now, nil)
			continue
		}
		switch e := effects[0].(type) {
		case Done:
			if r.Step(now, nil) != nil {
				t.Error("a rehearsal that is over goes on")
			}
			return e, asked
		case Ask:
			asked = append(asked, e.Order.Device.ID+" "+e.Order.Action+" on "+e.Node)
			if e.Order.Action != Status && e.Order.Action != List {
				t.Fatalf("a rehearsal asked for %s", e.Order.Action)
			}
			switch detail := answer(e.Order, e.Node); detail {
			case "silence":
				effects = nil
			case "lost":
				effects = r.Step(now, NodeLost{Node: e.Node})
			default:
				effects = r.Step(now, Result{Term: req.Term, Fence: req.Number, Step: e.Order.Step, Node: e.Node, OK: detail == "", Detail: detail})
			}
		}
	}
	t.Fatal("it does not end")
	return Done{}, nil
}

func TestRehearsals(t *testing.T) {
	static := func(id string) Device { return Device{ID: id, Params: map[string]string{"pcmk_host_list": "b"}} }
	dynamic := func(id string) Device { return Device{ID: id} }
	tests := []struct {
		name    string
		devices []Device
		levels  [][]string
		answers map[string]string // by device and action
		down    bool
		ok      bool
		says    string
		asked   string
	}{
		{name: "one that lists it", devices: []Device{static("x")}, ok: true, asked: "x status on a"},
		{name: "one that finds its nodes out", devices: []Device{dynamic("x")}, ok: true, asked: "x list on a, x status on a"},
		{name: "all of all levels", devices: []Device{static("x"), static("y"), static("z")}, levels: [][]string{{"x", "y"}, {"z"}}, ok: true,
			asked: "x status on a, y status on a, z status on a"},
		{name: "a second way that is broken", devices: []Device{static("x"), static("y")}, answers: map[string]string{"y status": "login failed"},
			says: "y on a: login failed", asked: "x status on a, y status on a"},
		{name: "a device that has not the node", devices: []Device{static("x"), dynamic("y")}, answers: map[string]string{"y list": "no"}, ok: true,
			asked: "x status on a, y list on a"},
		{name: "no device that has it", devices: []Device{dynamic("y")}, answers: map[string]string{"y list": "no"}, says: "no fencing device reaches b", asked: "y list on a"},
		{name: "power that cannot be off", devices: []Device{static("x")}, answers: map[string]string{"x status": "fence_x status: the power is off"},
			says: "looks at something else", asked: "x status on a"},
		{name: "power that is off", devices: []Device{static("x")}, answers: map[string]string{"x status": "the power is off"}, down: true, ok: true, asked: "x status on a"},
		{name: "silence", devices: []Device{static("x")}, answers: map[string]string{"x status": "silence"}, says: "no answer within", asked: "x status on a"},
		{name: "a node that is lost meanwhile", devices: []Device{static("x")}, answers: map[string]string{"x status": "lost"}, says: "lost meanwhile", asked: "x status on a"},
		{name: "a level that cannot be used", devices: []Device{static("x")}, levels: [][]string{{"x"}, {"gone"}}, says: "gone is not configured", asked: "x status on a"},
		{name: "no device at all", says: "no fencing device reaches b"},
		{name: "nobody who could run it", devices: []Device{{ID: "x", Params: map[string]string{"pcmk_host_list": "b"}, Banned: []string{"a", "c"}}}, says: "no live node"},
	}
	for _, x := range tests {
		req := Request{Number: 7, Term: 3, Target: "b", Action: Reboot, Devices: x.devices, Levels: x.levels, Live: []string{"a", "b", "c"}, Self: "a"}
		d, asked := rehearse(t, req, !x.down, func(o Order, node string) string {
			if node == "b" {
				t.Errorf("%s: the target runs its own device", x.name)
			}
			return x.answers[o.Device.ID+" "+o.Action]
		})
		if d.OK != x.ok || !strings.Contains(d.Detail, x.says) || d.OK != (d.Detail == "") {
			t.Errorf("%s: %+v", x.name, d)
		}
		if got := strings.Join(asked, ", "); got != x.asked {
			t.Errorf("%s: asked %q, want %q", x.name, got, x.asked)
		}
	}
}
