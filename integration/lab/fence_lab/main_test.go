package main

import (
	"bufio"
	"encoding/xml"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// answering opens a power switch that gives one answer and passes what it was asked on.
func answering(t *testing.T, answer string) (socket string, asked <-chan string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	got := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		got <- strings.TrimSpace(line)
		_, _ = conn.Write([]byte(answer))
	}()
	return socket, got
}

func TestActions(t *testing.T) {
	for _, c := range []struct {
		name, input, answer string
		code                int
		asked, out, err     string
	}{
		{"off", "action=off\nplug=node1\n", `{"ok":true}`, exitDone, `{"action":"off","plug":"node1"}`, "", ""},
		{"port is a plug", "action=reboot\nport=node2\nunknown=x\n", `{"ok":true}`, exitDone, `{"action":"reboot","plug":"node2"}`, "", ""},
		{"refused", "action=off\nplug=node1\n", `{"error":"no"}`, exitFailed, "", "", "refused: no"},
		{"torn answer", "action=off\nplug=node1\n", `{"ok":tr`, exitFailed, "", "", "did not answer"},
		{"status on", "action=status\nplug=node1\n", `{"ok":true,"status":"on"}`, exitDone, "", "Status: ON", ""},
		{"status off", "action=status\nplug=node1\n", `{"ok":true,"status":"off"}`, exitOff, "", "Status: OFF", ""},
		{"list", "action=list\n", `{"ok":true,"plugs":["node1","node2"]}`, exitDone, `{"action":"list"}`, "node1,\nnode2,", ""},
		{"monitor", "action=monitor\nplug=node1\n", `{"ok":true}`, exitDone, `{"action":"monitor"}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket, asked := answering(t, c.answer)
			var out, errs strings.Builder
			code := run(nil, strings.NewReader(c.input+"socket="+socket+"\n"), &out, &errs)
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.err) {
				t.Errorf("exit status %d, output %q, errors %q", code, out.String(), errs.String())
			}
			if got := <-asked; c.asked != "" && got != c.asked {
				t.Errorf("asked %s", got)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct{ input, err string }{
		{"action=off\n", "wants an outlet"},
		{"action=explode\nplug=x\n", "action \"explode\""},
		{"action=off\nplug=x\ndelay=soon\n", "not a number of seconds"},
		{"action=off\nplug=x\nsocket=/nonexistent\n", "reach the power switch"},
	} {
		var out, errs strings.Builder
		if code := run(nil, strings.NewReader(c.input), &out, &errs); code != exitFailed || !strings.Contains(errs.String(), c.err) {
			t.Errorf("%q: exit status %d, errors %q", c.input, code, errs.String())
		}
	}
}

func TestMetadataIsXML(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"-o", "metadata"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("exit status %d: %s", code, errs.String())
	}
	var doc struct {
		Name    string `xml:"name,attr"`
		Actions []struct {
			Name string `xml:"name,attr"`
		} `xml:"actions>action"`
	}
	if err := xml.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Name != "fence_lab" || len(doc.Actions) != 7 {
		t.Errorf("metadata: %+v", doc)
	}
}
