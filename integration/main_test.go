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

// built holds the binaries under test, built once for all stories.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func binaries(t *testing.T) string {
	t.Helper()
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

// audit fails the story if a resource was ever active twice.
func audit(t *testing.T, c *cluster.Cluster) []cluster.Span {
	t.Helper()
	spans, err := c.Audit()
	if err != nil {
		t.Error(err)
	}
	return spans
}

const vip = "10.77.0.200"

// shop is the configuration of most stories: an address and a process that belong together, and fencing.
const shop = `<cib validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config><cluster_property_set id="o"><nvpair id="o-1" name="stonith-enabled" value="true"/><nvpair id="o-2" name="stonith-action" value="off"/></cluster_property_set></crm_config><nodes/><resources><primitive id="power" class="stonith" type="fence_lab"><instance_attributes id="p-ia"><nvpair id="p-1" name="pcmk_host_list" value="node1 node2 node3"/></instance_attributes><operations><op id="p-m" name="monitor" interval="30s"/></operations></primitive><group id="shop"><primitive id="ip" class="ocf" provider="paceline" type="vip"><instance_attributes id="i-ia"><nvpair id="i-1" name="ip" value="10.77.0.200"/><nvpair id="i-2" name="cidr_netmask" value="24"/></instance_attributes><operations><op id="i-m" name="monitor" interval="10s"/></operations></primitive><primitive id="web" class="ocf" provider="paceline" type="process"><instance_attributes id="w-ia"><nvpair id="w-1" name="command" value="sleep"/><nvpair id="w-2" name="args" value="1000000"/></instance_attributes><operations><op id="w-m" name="monitor" interval="10s"/></operations></primitive></group></resources><constraints/></configuration><status/></cib>`

func open(s *api.Status) bool {
	return cluster.Together(s, "ip", "web") != "" && cluster.Where(s, "power") != "" && cluster.Quiet(s)
}
