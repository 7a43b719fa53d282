package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// eventsLab is a lab of nodes with systemd, for a group of a mount, an address and a unit.
func eventsLab(t *testing.T, nodes int) lab.Options {
	t.Helper()
	o := storyLab(t, nodes)
	if err := lab.SystemdUsable(); err != nil {
		t.Skip(err)
	}
	o.Systemd = true
	o.Units = map[string]string{
		"web.service":  "[Service]\nType=exec\nExecCondition=test ! -e /run/no-web\nExecStartPre=test -e /srv/shop/open\nExecStart=sleep 1000000\n",
		"lone.service": "[Service]\nType=exec\nExecStart=sleep 2000000\n",
	}
	return o
}

// eventsGroup is the group, with monitors that are too rare to explain anything, and a unit that has none at all.
const eventsGroup = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100 migration-threshold=1000000 failure-backoff=0
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive disk ocf:paceline:mount params device=/lab/shared/shop directory=/srv/shop fstype=none options=bind op monitor interval=1h
primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=1h
primitive web systemd:web op monitor interval=1h
primitive lone systemd:lone
group shop disk ip web
`

// sharedShop makes the folder that stands for shared storage.
func sharedShop(c *cluster.Cluster) error {
	dir := c.Dir() + "/shared/shop"
	return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/open", nil, 0o644))
}

// seen is what a node's journal tells of the newest failure of a resource that was seen by an event.
func seen(c *cluster.Cluster, node, resource string, after time.Time) (*transition.Result, error) {
	journals, err := c.Journals()
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(journals[node]) {
		if r := e.Result; e.Kind == executor.KindEnd && e.Resource == resource && e.Operation == resources.Monitor && r != nil && r.Event != "" &&
			r.RC != r.TargetRC && e.WallMS >= after.UnixMilli() {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no event told of the failure of %s on %s", resource, node)
}

// Every member of a group of a mount, an address and a unit is taken away in turn, and so is a unit without any monitor: an event tells of
// it, the monitor that it causes confirms it, and the group runs again where it was. Its monitors come by once an hour.
func TestFailuresByEvent(t *testing.T) {
	c := start(t, cluster.Options{Lab: eventsLab(t, 3)})
	must(t, sharedShop(c))
	must(t, c.Load(t.Context(), eventsGroup))
	whole := func(s *api.Status) bool {
		return cluster.Together(s, "disk", "ip", "web") != "" && cluster.Where(s, "lone") != "" && cluster.Where(s, "power") != "" && cluster.Quiet(s)
	}
	s := await(t, c, "the group to run", whole)
	node := cluster.Together(s, "disk", "ip", "web")
	for _, f := range []struct {
		resource string
		interval int64
		remove   []string
		event    string
		reason   string
	}{
		{"web", time.Hour.Milliseconds(), []string{"systemctl", "kill", "--kill-who=main", "--signal=KILL", "web.service"}, "unit web.service is failed", "signal 9"},
		{"web", time.Hour.Milliseconds(), []string{"systemctl", "stop", "web.service"}, "unit web.service", "is inactive"},
		{"ip", time.Hour.Milliseconds(), []string{"sh", "-c", "ip addr del " + vip + "/24 dev eth0"}, vip + " was removed from eth0", vip + " was removed from eth0"},
		{"disk", time.Hour.Milliseconds(), []string{"umount", "/srv/shop"}, "/srv/shop is not mounted", ""},
		{"lone", 0, []string{"systemctl", "kill", "--kill-who=main", "--signal=KILL", "lone.service"}, "unit lone.service is failed", "signal 9"},
	} {
		on := node
		if f.resource == "lone" {
			on = cluster.Where(s, "lone")
		}
		count, _ := failure(s, f.resource, on)
		begin := time.Now()
		_, err := c.Node(on).Exec(t.Context(), f.remove...)
		must(t, err)
		s = await(t, c, f.resource+" to have failed and the group to run again", func(s *api.Status) bool {
			n, _ := failure(s, f.resource, on)
			return n != count && n != "" && whole(s)
		})
		if w := cluster.Where(s, f.resource); w != on {
			t.Errorf("%s went from %s to %s", f.resource, on, w)
		}
		r, err := seen(c, on, f.resource, begin)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.IntervalMS != f.interval || !strings.Contains(r.Event, f.event) || !strings.Contains(r.ExitReason, f.reason) || r.Status != cib.OpDone || r.RC != int(resources.NotRunning) {
			t.Errorf("after %v: %+v", f.remove, r)
		}
	}
	audit(t, c)
	notFenced(t, c)

	// A member that cannot be started again takes the group with it.
	_, err := c.Node(node).Exec(t.Context(), "sh", "-c", "touch /run/no-web && systemctl kill --kill-who=main --signal=KILL web.service")
	must(t, err)
	s = await(t, c, "the group to run elsewhere, without its unit's node", func(s *api.Status) bool {
		return whole(s) && cluster.Together(s, "disk", "ip", "web") != node
	})
	node = cluster.Together(s, "disk", "ip", "web")
	// The cluster mounts it again within a tenth of a second, and makes the directory for it: this has to be quicker once.
	_, err = c.Node(node).Exec(t.Context(), "timeout", "20", "sh", "-c",
		"until umount /srv/shop && rmdir /srv/shop && touch /srv/shop && test -f /srv/shop; do :; done")
	must(t, err)
	s = await(t, c, "the group to run elsewhere, without its mount's node", func(s *api.Status) bool {
		w := cluster.Together(s, "disk", "ip", "web")
		return whole(s) && w != node
	})
	audit(t, c)
	notFenced(t, c)

	// And so does the death of its node.
	last := cluster.Together(s, "disk", "ip", "web")
	var heal []string
	for _, n := range c.Nodes() {
		if n.Name != last {
			heal = append(heal, n.Name)
		}
	}
	for _, n := range heal {
		_, err := c.Node(n).Exec(t.Context(), "sh", "-c", "rm -f /run/no-web; [ -d /srv/shop ] || rm /srv/shop")
		must(t, err)
	}
	for _, r := range []string{"shop", "lone"} {
		_, err = c.Run(t.Context(), last, "resource", "cleanup", r)
		must(t, err)
	}
	await(t, c, "the failures to be forgotten", func(s *api.Status) bool { return whole(s) && len(s.Failures) == 0 })
	must(t, c.Node(last).Kill())
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	if _, err := c.AwaitOn(ctx, heal[0], "the group to run after its node died", func(s *api.Status) bool {
		w := cluster.Together(s, "disk", "ip", "web")
		return w != "" && w != last && cluster.Quiet(s)
	}); err != nil {
		t.Error(err)
	}
	if err := c.Proof(last); err != nil {
		t.Error(err)
	}
}
