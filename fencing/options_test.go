package fencing

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestEveryOption has a row for every attribute and option of a fencing: what is configured, and the first orders that come of it
// when each fails at once ("!": the fencing ends so). Options of the agents' input are in package exec's TestOptions, those of the cluster in
// the coordinator's.
func TestEveryOption(t *testing.T) {
	dev := func(id string, params ...string) Device {
		d := Device{ID: id, Params: map[string]string{}}
		for i := 0; i < len(params); i += 2 {
			d.Params[params[i]] = params[i+1]
		}
		return d
	}
	able := func(d Device, actions ...string) Device { d.Actions = actions; return d }
	tests := []struct {
		option  string
		devices []Device
		edit    func(*Request)
		answers string // ok, ok, ...: of the first orders; the others fail
		want    string
	}{
		{"pcmk_host_list", []Device{dev("a", "pcmk_host_list", "n1,n2"), dev("b", "pcmk_host_list", "n2;n3")}, nil, "", "b off on n1 x3"},
		{"pcmk_host_map", []Device{dev("a", "pcmk_host_map", "n3:7"), dev("b", "pcmk_host_map", "n1:7")}, nil, "", "a off on n1 x3"},
		{"pcmk_host_check=static-list", []Device{dev("a", "pcmk_host_check", "static-list")}, nil, "", "!a lists no node"},
		{"pcmk_host_check=dynamic-list", []Device{dev("a", "pcmk_host_check", "dynamic-list", "pcmk_host_list", "n1")}, nil, "ok", "a list on n1, a off on n1 x3"},
		{"pcmk_host_check=status", []Device{dev("a", "pcmk_host_check", "status")}, nil, "ok", "a list on n1, a off on n1 x3"},
		{"pcmk_host_check=none", []Device{dev("a", "pcmk_host_check", "none")}, nil, "", "a off on n1 x3"},
		{"no host check and no list", []Device{able(dev("a"), Off, Monitor)}, nil, "", "a off on n1 x3"},
		{"pcmk_off_action", []Device{able(dev("a", "pcmk_host_list", "n3", "pcmk_off_action", "poweroff"), "poweroff")}, nil, "", "a off on n1 x3"},
		{"an action that the agent has not", []Device{able(dev("a", "pcmk_host_list", "n3"), On, Reboot)}, nil, "", "!cannot do"},
		{"pcmk_off_retries", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_retries", "0")}, nil, "", "a off on n1"},
		{"pcmk_off_timeout", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_timeout", "7s", "pcmk_off_retries", "0")}, nil, "", "a off on n1 in 7s"},
		{"stonith-timeout", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_retries", "0")}, func(r *Request) { r.Timeout = 33 * time.Second }, "", "a off on n1 in 33s"},
		{"pcmk_delay_base", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_delay_base", "4", "pcmk_off_retries", "0")}, nil, "", "a off on n1 after 4s"},
		{"pcmk_delay_base by node", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_delay_base", "n1:9s;n3:2s", "pcmk_off_retries", "0")}, nil, "", "a off on n1 after 2s"},
		{"pcmk_delay_max", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_delay_base", "3s", "pcmk_delay_max", "3s", "pcmk_off_retries", "0")}, nil, "", "a off on n1 after 3s"},
		{"priority-fencing-delay", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_retries", "0")}, func(r *Request) { r.PriorityDelay = 5 * time.Second }, "", "a off on n1 after 5s"},
		{"several devices: one after the other", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_retries", "0"), dev("b", "pcmk_host_list", "n3", "pcmk_off_retries", "0")}, nil, "", "a off on n1, b off on n1"},
		{"levels in their order", []Device{dev("a", "pcmk_off_retries", "0"), dev("b", "pcmk_off_retries", "0")}, func(r *Request) { r.Levels = [][]string{{"b"}, {"a"}} }, "", "b off on n1, a off on n1"},
		{"all devices of a level", []Device{dev("a", "pcmk_off_retries", "0"), dev("b", "pcmk_off_retries", "0")}, func(r *Request) { r.Levels = [][]string{{"a", "b"}} }, "ok", "a off on n1, b off on n1"},
		{"one device of a level fails: the level does", []Device{dev("a", "pcmk_off_retries", "0"), dev("b"), dev("c", "pcmk_off_retries", "0")}, func(r *Request) { r.Levels = [][]string{{"a", "b"}, {"c"}} }, "", "a off on n1, c off on n1"},
		{"reboot of one that can", []Device{able(dev("a", "pcmk_host_list", "n3", "pcmk_reboot_retries", "0"), Off, On, Reboot)}, func(r *Request) { r.Action = Reboot }, "", "a reboot on n1"},
		{"reboot remapped to off and on", []Device{able(dev("a", "pcmk_host_list", "n3"), Off, On)}, func(r *Request) { r.Action = Reboot }, "ok", "a off on n1, a on on n1 x3"},
		{"reboot of several: all off, then on", []Device{dev("a"), dev("b")}, func(r *Request) { r.Action, r.Levels = Reboot, [][]string{{"a", "b"}} }, "ok ok ok ok", "a off on n1, b off on n1, a on on n1, b on on n1"},
		{"unfencing", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_on_retries", "0")}, func(r *Request) { r.Action = On }, "", "a on on n1"},
		{"where the device is active", []Device{{ID: "a", Params: map[string]string{"pcmk_host_list": "n3", "pcmk_off_retries": "0"}, ActiveOn: []string{"n2"}}}, nil, "", "a off on n2"},
		{"a location that forbids", []Device{{ID: "a", Params: map[string]string{"pcmk_host_list": "n3", "pcmk_off_retries": "0"}, Banned: []string{"n1"}}}, nil, "", "a off on n2"},
		{"never the target itself", []Device{{ID: "a", Params: map[string]string{"pcmk_host_list": "n3"}, ActiveOn: []string{"n3"}}}, func(r *Request) { r.Live = []string{"n3"} }, "", "!no live node but the target"},
		{"the next attempt on another node", []Device{dev("a", "pcmk_host_list", "n3", "pcmk_off_retries", "0")}, func(r *Request) { r.Attempt = 2; r.Live = []string{"n1", "n2"} }, "", "a off on n2"},
		{"no device", nil, nil, "", "!no fencing device is configured"},
	}
	for _, x := range tests {
		req := Request{Number: 1, Term: 1, Target: "n3", Action: Off, Devices: x.devices, Live: []string{"n1"}, Self: "n1"}
		if len(x.devices) > 0 && (len(x.devices[0].ActiveOn) > 0 || len(x.devices[0].Banned) > 0) {
			req.Live = []string{"n1", "n2"}
		}
		if x.edit != nil {
			x.edit(&req)
		}
		detailed := strings.Contains(x.want, " in ") || strings.Contains(x.want, " after ")
		orders, done := answered(t, req, len(strings.Fields(x.answers)))
		var got []string
		for _, o := range orders {
			text := fmt.Sprintf("%s %s on %s", o.Order.Device.ID, o.Order.Action, o.Node)
			if detailed && strings.Contains(x.want, " in ") {
				text += " in " + o.Order.Budget.String()
			}
			if detailed && strings.Contains(x.want, " after ") {
				text += " after " + o.Order.Delay.String()
			}
			if n := len(got); n > 0 && strings.HasPrefix(got[n-1], text) {
				times := 1
				fmt.Sscanf(got[n-1], text+" x%d", &times)
				got[n-1] = fmt.Sprintf("%s x%d", text, times+1)
				continue
			}
			got = append(got, text)
		}
		if words, ends := strings.CutPrefix(x.want, "!"); ends {
			if len(orders) > 0 || done.OK || !strings.Contains(done.Blocked, words) {
				t.Errorf("%s: orders %v, ended %+v; want it to end with %q", x.option, got, done, words)
			}
			continue
		}
		if text := strings.Join(got, ", "); text != x.want {
			t.Errorf("%s: %q, want %q", x.option, text, x.want)
		}
	}
}

// answered plays a fencing: the first orders succeed, the others fail at once.
func answered(t *testing.T, req Request, good int) (orders []Ask, done Done) {
	t.Helper()
	m, now := NewMachine(req), time.Unix(1000, 0)
	effects := m.Step(now, nil)
	for range 200 {
		if len(effects) == 0 {
			now = m.Deadline()
			effects = m.Step(now, nil)
			continue
		}
		switch e := effects[0].(type) {
		case Done:
			return orders, e
		case Ask:
			orders = append(orders, e)
			effects = m.Step(now, Result{Term: req.Term, Fence: req.Number, Step: e.Order.Step, Node: e.Node, OK: len(orders) <= good, Detail: "no"})
		}
	}
	t.Fatal("it does not end")
	return nil, Done{}
}

// An order's answer that comes when its time is over is void, as is one of another fencing, step, term or node.
func TestLateAndForeignAnswersAreVoid(t *testing.T) {
	req := Request{Number: 4, Term: 2, Target: "n3", Action: Off, Live: []string{"n1"}, Self: "n1",
		Devices: []Device{{ID: "a", Params: map[string]string{"pcmk_host_list": "n3", "pcmk_off_timeout": "5s", "pcmk_off_retries": "0"}}}}
	right := Result{Term: 2, Fence: 4, Step: 1, Node: "n1", OK: true}
	for name, wrong := range map[string]struct {
		result Result
		after  time.Duration
	}{
		"another term": {Result{Term: 1, Fence: 4, Step: 1, Node: "n1", OK: true}, 0}, "another fencing": {Result{Term: 2, Fence: 3, Step: 1, Node: "n1", OK: true}, 0},
		"another step": {Result{Term: 2, Fence: 4, Step: 2, Node: "n1", OK: true}, 0}, "another node": {Result{Term: 2, Fence: 4, Step: 1, Node: "n2", OK: true}, 0},
		"too late": {right, 5*time.Second + answerGrace},
	} {
		m, now := NewMachine(req), time.Unix(1000, 0)
		m.Step(now, nil)
		for _, e := range m.Step(now.Add(wrong.after), wrong.result) {
			if d, over := e.(Done); over && d.OK {
				t.Errorf("%s: it counts", name)
			}
		}
	}
	m, now := NewMachine(req), time.Unix(1000, 0)
	m.Step(now, nil)
	if e := m.Step(now.Add(5*time.Second), right); len(e) != 1 || !e[0].(Done).OK {
		t.Errorf("in time: %+v", e)
	}
}
