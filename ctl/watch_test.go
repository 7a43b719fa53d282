package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
)

// watching runs a command that watches, and returns its output and what ends it and tells its exit status.
func watching(t *testing.T, socket, line string) (*bufio.Reader, func() int) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		s := Streams{In: strings.NewReader(""), Out: w, Err: io.Discard, Getenv: func(name string) string {
			return map[string]string{"PACELINE_SOCKET": socket}[name]
		}}
		status <- Run(ctx, strings.Fields(line), s)
		w.Close()
	}()
	return bufio.NewReader(r), func() int {
		cancel()
		go io.Copy(io.Discard, r)
		return <-status
	}
}

func until(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := r.ReadString('\n')
		seen.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("%v before %q came:\n%s", err, text, seen.String())
		}
	}
}

// A watch shows what changes as it changes, and ends in good order when it is interrupted.
func TestWatch(t *testing.T) {
	c, socket := serveFake(t, "node1", "node2", "node3")
	out, end := watching(t, socket, "paceline status --watch")
	until(t, out, "Online: [ node1 node2 node3 ]")
	c.Do(func(c *apitest.Cluster) { lose(c, "node2") })
	until(t, out, "Node node2: UNCLEAN (offline)")
	c.Do(func(c *apitest.Cluster) { setQuorum(c, false) })
	until(t, out, "STALE: this is what node1 last knew")
	if status := end(); status != exitDone {
		t.Errorf("ended with %d", status)
	}
}

// As JSON a watch is one status a line.
func TestWatchJSON(t *testing.T) {
	c, socket := serveFake(t, "node1", "node2")
	out, end := watching(t, socket, "paceline status --watch --json")
	for _, want := range []api.NodeState{api.NodeOnline, api.NodeUnclean} {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var st api.Status
		if err := json.Unmarshal([]byte(line), &st); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if st.Schema != api.Schema || st.Nodes[1].State != want {
			t.Errorf("got schema %d, node2 %s, want %s", st.Schema, st.Nodes[1].State, want)
		}
		c.Do(func(c *apitest.Cluster) { lose(c, "node2") })
	}
	if status := end(); status != exitDone {
		t.Errorf("ended with %d", status)
	}
}
