package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	lab.Enter()
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built holds the binaries under test, built once for all stories. PACELINE_BIN names a directory that has them already.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func binaries(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PACELINE_BIN"); dir != "" {
		return dir
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "paceline-stories-"); built.err == nil {
			built.err = errors.Join(os.Chmod(built.dir, 0o755), cluster.Build(context.Background(), "..", built.dir))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// storyMax bounds a wait within a story: everything in it takes seconds.
const storyMax = 30 * time.Second

// storyLab skips a story where there can be no lab, and returns its options.
func storyLab(t *testing.T, nodes int) lab.Options {
	t.Helper()
	if testing.Short() {
		t.Skip("stories take seconds each: left out with -short")
	}
	if err := lab.Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	return lab.Options{Name: fmt.Sprintf("s%d", os.Getpid()%1_000_000), Nodes: nodes, Keep: os.Getenv("PACELINE_KEEP") != ""}
}

// start makes a cluster for a story and takes it down after it. A story that fails shows the end of its nodes' logs.
func start(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	o.Bin = binaries(t)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, c)
	return c
}

func cleanUp(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.Nodes() {
				t.Logf("end of the log of %s:\n%s", n.Name, c.LogTail(n.Name, 40))
			}
			for _, e := range c.Switch().Events() {
				t.Logf("power: %s %s %s %s %s", e.Time.Format("15:04:05.000"), e.Node, e.What, e.By, e.Note)
			}
		}
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
}

// await waits for a status, bounded by storyMax.
func await(t *testing.T, c *cluster.Cluster, what string, satisfies func(*api.Status) bool) *api.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.Await(ctx, what, satisfies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// audit fails the story if a rule did not hold.
func audit(t *testing.T, c *cluster.Cluster) *cluster.Audited {
	t.Helper()
	a, err := c.Audit()
	if err != nil {
		t.Error(err)
	}
	return a
}

const vip = "10.77.0.200"

// shop is the configuration of most stories: an address and a process that belong together, and fencing.
const shop = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=10s
primitive web ocf:paceline:process params command=sleep args=1000000 op monitor interval=10s
group shop ip web
`

func open(s *api.Status) bool {
	return cluster.Together(s, "ip", "web") != "" && cluster.Where(s, "power") != "" && cluster.Quiet(s)
}
