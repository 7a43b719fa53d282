package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// gossip is an agent that has a password, and no manners: it prints it, and gives it as its reason. Two of its monitors look at
// different depths.
const gossip = `#!/bin/sh
run=/run/gossip
say() { echo "my password is $OCF_RESKEY_password"; echo "ocf-exit-reason:cannot log in as admin with $OCF_RESKEY_password" >&2; }
case $1 in
start) say; [ "$OCF_RESKEY_password" = "$(cat /etc/gossip-password)" ] || exit 1; echo "$OCF_CHECK_LEVEL" >$run;;
stop) say; rm -f $run;;
monitor) say; [ -e $run ] || exit 7; echo "level ${OCF_CHECK_LEVEL:-0}, every $OCF_RESKEY_CRM_meta_interval ms" >>/var/tmp/gossip-monitors
	[ "$OCF_CHECK_LEVEL" != 10 ] || [ ! -e /run/gossip-sick ] || exit 1;;
*) exit 3;;
esac
exit 0
`

const theSecret = "Tr0ub4dor-and-3-correct-horses"

// A password that is given by reference reaches its agent, and nothing else: not what the cluster stores, logs, tells, plans or reports, and
// not the command lines of processes, however much the agent talks about it. (It is in the agent's environment, which root alone may read.)
// Of several monitors of a resource each has its own interval and depth, and each its own failure.
func TestSecretsAndDepths(t *testing.T) {
	needAgent(t, "heartbeat", "Dummy", "resource-agents")
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.PutAgent("gossip", gossip))
	for _, n := range c.Nodes() {
		must(t, os.WriteFile(n.Disk("/etc/gossip-password"), []byte(theSecret+"\n"), 0o600))
	}
	must(t, c.Load(t.Context(), `property stonith-enabled=false
rsc_defaults failure-backoff=0
primitive talk ocf:lab:gossip params password=secret:file:/etc/gossip-password op monitor interval=1s op monitor interval=2s OCF_CHECK_LEVEL=10 meta trace_ra=1
`))
	runs := func(s *api.Status) bool { return cluster.Where(s, "talk") != "" && cluster.Quiet(s) }
	s := await(t, c, "it to run with its password", runs)
	node := cluster.Where(s, "talk")
	looked := func() string {
		b, err := os.ReadFile(c.Node(node).Disk("/var/tmp/gossip-monitors"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(b)
	}
	_, err := c.Node(node).Exec(t.Context(), "touch", "/run/gossip-sick")
	must(t, err)
	failed := func(s *api.Status) bool { return len(s.Failures) == 1 && s.Failures[0].IntervalMS == 2000 }
	await(t, c, "the deeper monitor alone to fail", failed)
	_, err = c.Node(node).Exec(t.Context(), "rm", "/run/gossip-sick")
	must(t, err)
	s = await(t, c, "its resource to be recovered", func(s *api.Status) bool { return failed(s) && runs(s) })
	if f := s.Failures[0]; f.Reason != "cannot log in as admin with ***" {
		t.Errorf("the failure is %+v", f)
	}
	for _, want := range []string{"level 0, every 1000 ms", "level 10, every 2000 ms"} {
		if !strings.Contains(looked(), want) {
			t.Errorf("no monitor of %s ran:\n%s", want, looked())
		}
	}
	if got := looked(); strings.Contains(got, "level 10, every 1000 ms") || strings.Contains(got, "level 0, every 2000 ms") {
		t.Errorf("a monitor has another's depth:\n%s", got)
	}

	for _, args := range [][]string{
		{"status"}, {"status", "--json"}, {"configure", "show"}, {"configure", "xml"}, {"explain", "talk"}, {"history"}, {"history", "events"},
		{"simulate", "--output", "json"}, {"resource", "trace", "talk"}, {"resource", "traces", "talk"}, {"resource", "traces", "talk", "last"},
	} {
		out, _ := c.Run(t.Context(), node, args...) // what it refuses is an answer, too
		if strings.Contains(out, theSecret) {
			t.Errorf("paceline %s tells it:\n%s", strings.Join(args, " "), out)
		}
	}
	out, err := c.Node(node).Exec(t.Context(), "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ps -ef")
	must(t, err)
	if strings.Contains(out, theSecret) {
		t.Errorf("the list of processes tells it:\n%s", out)
	}
	_, err = c.Run(t.Context(), node, "report", "/root/incident")
	must(t, err)
	reports, err := filepath.Glob(c.Node(node).Disk("/root/incident*"))
	must(t, err)
	if len(reports) != 1 {
		t.Fatalf("reports are %v", reports)
	}
	if names := inBundle(t, reports[0], theSecret); len(names) > 0 {
		t.Errorf("the report tells it: %v", names)
	}
	// Everything that is on the nodes' disks, their journals, logs and states.
	for _, n := range c.Nodes() {
		must(t, filepath.WalkDir(n.Disk("/"), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || e.Name() == "gossip-password" || strings.Contains(path, "/.root/") {
				return nil
			}
			b, err := os.ReadFile(path)
			if err == nil && bytes.Contains(b, []byte(theSecret)) {
				t.Errorf("%s tells it", path)
			}
			return nil
		}))
		out, err := n.Exec(t.Context(), "sh", "-c", "grep -rlaF "+theSecret+" /run /tmp 2>/dev/null || true")
		must(t, err)
		if out != "" {
			t.Errorf("%s has it in %s", n.Name, out)
		}
	}
}

// inBundle lists the files of a tar.gz that contain a text, and fails the test if there are none at all.
func inBundle(t *testing.T, path, text string) (names []string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	files := 0
	for r := tar.NewReader(z); ; files++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, h.Name)
		}
	}
	if files == 0 {
		t.Errorf("%s is empty", path)
	}
	return names
}
