package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// PowerSocket is where a node finds the power switch.
const PowerSocket = "/run/lab-power.sock"

// Switch is the lab's power switch: one outlet a node. Every node has a socket of its own to it, so that the switch knows who
// asks; partitions do not reach it. Tests may make it slow, refuse, hang or lie, as real ones do.
type Switch struct {
	lab *Lab

	mu        sync.Mutex
	listeners map[string]net.Listener
	faults    map[string]fault // by outlet; "" for those without one of their own
	deaf      map[string]bool  // nodes whose way to the switch is cut
	watchdogs map[string]*time.Timer
	events    []PowerEvent
	changed   chan struct{} // closed and replaced at each event
	closed    bool
	ctx       context.Context
	cancel    context.CancelFunc
	asked     sync.WaitGroup
}

// fault is how an outlet misbehaves.
type fault struct {
	delay  time.Duration
	refuse string
	hang   bool
	lie    bool
	deny   string
}

// PowerEvent is a line of the power switch's own log: what really happened to a node's power, and when, on the clocks that
// the host and all nodes share.
type PowerEvent struct {
	Time time.Time     `json:"time"`
	Mono time.Duration `json:"mono"` // CLOCK_MONOTONIC
	Node string        `json:"node"`
	// What: "on"; "cut" (power goes), "off" (the last process has ended); "paused", "resumed"; "asked:ACTION" and
	// "answered:ACTION" of requests at the switch.
	What string `json:"what"`
	By   string `json:"by,omitempty"` // the node that asked, or "operator"
	Note string `json:"note,omitempty"`
}

// PowerRequest is a request at the power switch, a line of JSON.
type PowerRequest struct {
	Action string `json:"action"` // on, off, reboot, status, monitor, list
	Plug   string `json:"plug,omitempty"`
}

// PowerReply is the switch's answer, a line of JSON.
type PowerReply struct {
	OK     bool     `json:"ok"`
	Status string   `json:"status,omitempty"` // on or off
	Plugs  []string `json:"plugs,omitempty"`
	Error  string   `json:"error,omitempty"`
}

func newSwitch(l *Lab) *Switch {
	s := &Switch{lab: l, listeners: map[string]net.Listener{}, faults: map[string]fault{}, deaf: map[string]bool{}, watchdogs: map[string]*time.Timer{}, changed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *Switch) socketOf(node string) string {
	return filepath.Join(s.lab.dir, "power", node+".sock")
}

// listen opens a node's socket.
func (s *Switch) listen(node string) error {
	path := s.socketOf(node)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open the power switch for %s: %w", node, err)
	}
	s.mu.Lock()
	s.listeners[node] = ln
	s.mu.Unlock()
	s.asked.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.asked.Go(func() { s.serve(conn, node) })
		}
	})
	return nil
}

func (s *Switch) close() {
	s.mu.Lock()
	s.closed = true
	for _, w := range s.watchdogs {
		w.Stop()
	}
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	s.mu.Unlock()
	s.cancel()
	s.asked.Wait()
}

// serve answers one request.
func (s *Switch) serve(conn net.Conn, from string) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(switchIdle))
	lines := bufio.NewReaderSize(conn, 4096)
	line, err := lines.ReadSlice('\n')
	if err != nil {
		return
	}
	if bytes.HasPrefix(line, []byte("arm ")) {
		s.serveWatchdog(conn, lines, from, string(line))
		return
	}
	var req PowerRequest
	if err := json.Unmarshal(line, &req); err != nil {
		s.answer(conn, PowerReply{Error: "not a request: " + err.Error()})
		return
	}
	s.mu.Lock()
	deaf := s.deaf[from]
	s.mu.Unlock()
	if deaf {
		<-s.ctx.Done()
		return
	}
	if req.Plug != "" {
		s.note(req.Plug, "asked:"+req.Action, from)
	}
	reply := s.Do(s.ctx, req, from)
	if req.Plug != "" {
		s.noteText(req.Plug, "answered:"+req.Action, from, reply.Error)
	}
	s.answer(conn, reply)
}

func (s *Switch) answer(conn net.Conn, r PowerReply) {
	b, err := json.Marshal(r)
	if err == nil {
		_, _ = conn.Write(append(b, '\n')) // a client that is gone, perhaps by this very cut, needs no answer
	}
}

// Do carries a request out as the switch would for the node from, faults included.
func (s *Switch) Do(ctx context.Context, req PowerRequest, from string) PowerReply {
	s.mu.Lock()
	f, ok := s.faults[req.Plug]
	if !ok {
		f = s.faults[""]
	}
	s.mu.Unlock()
	if f.hang {
		<-ctx.Done()
		return PowerReply{Error: "the switch hangs"}
	}
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			return PowerReply{Error: "the switch was closed"}
		}
	}
	if f.refuse != "" {
		return PowerReply{Error: f.refuse}
	}
	switch req.Action {
	case "monitor":
		return PowerReply{OK: true}
	case "list":
		return PowerReply{OK: true, Plugs: s.plugs()}
	}
	n := s.lab.byName[req.Plug]
	if n == nil || n.plain {
		return PowerReply{Error: fmt.Sprintf("no outlet %q; there are %v", req.Plug, s.plugs())}
	}
	if f.lie {
		return PowerReply{OK: true, Status: "off"}
	}
	if err := s.act(n, req.Action, from); err != nil {
		return PowerReply{Error: err.Error()}
	}
	if f.deny != "" {
		return PowerReply{Error: f.deny}
	}
	status := "off"
	if n.On() {
		status = "on"
	}
	return PowerReply{OK: true, Status: status}
}

func (s *Switch) act(n *Node, action, from string) error {
	switch action {
	case "status":
		return nil
	case "off":
		return n.powerOff(from)
	case "on":
		return s.on(n)
	case "reboot":
		if err := n.powerOff(from); err != nil {
			return err
		}
		return s.on(n)
	}
	return fmt.Errorf("the switch knows on, off, reboot, status, monitor and list, not %q", action)
}

// on gives a node power without waiting for it to be up: a switch does not know.
func (s *Switch) on(n *Node) error {
	if n.On() {
		return nil
	}
	_, err := n.powerOn()
	return err
}

func (s *Switch) plugs() []string {
	var out []string
	for _, n := range s.lab.nodes {
		out = append(out, n.Name)
	}
	sort.Strings(out)
	return out
}

func (s *Switch) note(node, what, by string) { s.noteText(node, what, by, "") }

func (s *Switch) noteText(node, what, by, text string) {
	e := PowerEvent{Time: time.Now(), Mono: Monotonic(), Node: node, What: what, By: by, Note: text}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	close(s.changed)
	s.changed = make(chan struct{})
	if b, err := json.Marshal(e); err == nil {
		if f, err := os.OpenFile(filepath.Join(s.lab.dir, "logs", "power.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err == nil {
			_, _ = f.Write(append(b, '\n')) // a copy for people; tests read the events from memory
			_ = f.Close()
		}
	}
}

// Events returns the switch's log.
func (s *Switch) Events() []PowerEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]PowerEvent(nil), s.events...)
}

// Await returns the first event, from the n-th on, that fits.
func (s *Switch) Await(ctx context.Context, n int, fits func(PowerEvent) bool) (PowerEvent, error) {
	for {
		s.mu.Lock()
		events, changed := s.events, s.changed
		s.mu.Unlock()
		for ; n < len(events); n++ {
			if fits(events[n]) {
				return events[n], nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return PowerEvent{}, fmt.Errorf("wait at the power switch: %w", context.Cause(ctx))
		}
	}
}

// SetDelay makes an outlet ("" = all) answer later.
func (s *Switch) SetDelay(plug string, d time.Duration) {
	s.fault(plug, func(f *fault) { f.delay = d })
}

// SetRefuse makes an outlet refuse with those words; "" ends it.
func (s *Switch) SetRefuse(plug, words string) { s.fault(plug, func(f *fault) { f.refuse = words }) }

// SetHang makes an outlet never answer.
func (s *Switch) SetHang(plug string, on bool) { s.fault(plug, func(f *fault) { f.hang = on }) }

// SetLie makes an outlet say "done" and do nothing.
func (s *Switch) SetLie(plug string, on bool) { s.fault(plug, func(f *fault) { f.lie = on }) }

// SetDeny makes an outlet do what it is asked and then say, with those words, that it did not; "" ends it.
func (s *Switch) SetDeny(plug, words string) { s.fault(plug, func(f *fault) { f.deny = words }) }

// SetUnreachable cuts a node's way to the switch: its requests are never answered.
func (s *Switch) SetUnreachable(node string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf[node] = on
}

// Mend ends all faults.
func (s *Switch) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	clear(s.deaf)
}

func (s *Switch) fault(plug string, edit func(*fault)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[plug]
	edit(&f)
	s.faults[plug] = f
}
