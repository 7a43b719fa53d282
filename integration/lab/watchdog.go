package lab

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Every node has a watchdog, behind its socket to the power switch: it cuts the node's power when it was armed and is not fed in
// time, as a timer on a board does. The lines are those of paceline's watchdog stand-in: arm MILLISECONDS, feed, disarm,
// reset WHY, off WHY. Only "disarm" ends the count, or the end of the power; the end of the connection does not. In the switch's
// log: "watchdog:armed", "watchdog:disarmed", and a cut by "watchdog" with the reason.
func (s *Switch) serveWatchdog(conn net.Conn, lines *bufio.Reader, node, line string) {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	stop := make(chan struct{})
	defer close(stop)
	s.asked.Go(func() {
		select {
		case <-s.ctx.Done():
			_ = conn.Close()
		case <-stop:
		}
	})
	var timeout time.Duration
	for {
		answer := "ok"
		what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "arm":
			ms, err := strconv.Atoi(rest)
			if err != nil || ms <= 0 {
				answer = fmt.Sprintf("arm %q: want milliseconds", rest)
				break
			}
			timeout = time.Duration(ms) * time.Millisecond
			s.count(node, timeout)
			s.noteText(node, "watchdog:armed", node, timeout.String())
		case "feed":
			s.count(node, timeout)
		case "disarm":
			s.disarm(node)
			s.note(node, "watchdog:disarmed", node)
		case "reset", "off":
			s.noteText(node, "watchdog:"+what, node, rest)
			s.asked.Go(func() { s.expire(node) })
		default:
			answer = fmt.Sprintf("the watchdog knows arm, feed, disarm, reset and off, not %q", what)
		}
		if _, err := fmt.Fprintln(conn, answer); err != nil {
			return
		}
		var err error
		if line, err = lines.ReadString('\n'); err != nil {
			return
		}
	}
}

// count makes a node's watchdog count from now.
func (s *Switch) count(node string, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watchdogs[node]; w != nil {
		w.Stop()
	}
	if !s.closed {
		s.watchdogs[node] = time.AfterFunc(timeout, func() { s.expire(node) })
	}
}

func (s *Switch) disarm(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watchdogs[node]; w != nil {
		w.Stop()
		delete(s.watchdogs, node)
	}
}

// expire cuts the power of a node that did not feed its watchdog.
func (s *Switch) expire(node string) {
	if err := s.lab.byName[node].powerOff("watchdog"); err != nil {
		s.noteText(node, "watchdog:failed", node, err.Error())
	}
}
