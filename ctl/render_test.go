package ctl

import (
	"bytes"
	goflag "flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

var update = goflag.Bool("update", false, "rewrite the goldens in testdata/status")

var updateJSON = goflag.Bool("update-json", false, "make docs/json.md anew")

// TestStatus shows what people read in the situations that matter.
func TestStatus(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	for name, set := range scenes {
		t.Run(name, func(t *testing.T) {
			c := apitest.New("alpha", "beta", "gamma")
			c.Now = func() time.Time { return scene }
			base(t, c)
			c.Do(set)
			st := api.Summarize(c.Snap, c.State, apitest.Plan(c.Snap.CIB, scene), scene)
			if h, err := c.History(t.Context(), 1); err == nil && len(h) > 0 {
				st.LastChange = &h[0]
			}
			var b bytes.Buffer
			statusView{}.write(&b, st)
			b.WriteString("\n---- --by-node\n")
			statusView{byNode: true}.resources(&b, st)
			golden(t, filepath.Join("testdata/status", name+".txt"), b.Bytes())
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s (rewrite with -update):\n%s", path, got)
	}
}

// base is a healthy cluster: a fencing device, a group of three, a single service.
func base(t *testing.T, c *apitest.Cluster) {
	t.Helper()
	prim := func(id, class, provider, typ string) *cib.Resource {
		return &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: class, Provider: provider, Type: typ}}
	}
	conf := c.Snap.CIB.Configuration
	conf.Resources = []*cib.Resource{
		prim("fence1", "stonith", "", "fence_ipmilan"),
		{ID: "front", Kind: cib.KindGroup, Children: []*cib.Resource{
			prim("vip", "ocf", "paceline", "vip"), prim("files", "ocf", "paceline", "mount"), prim("web", "systemd", "", "nginx"),
		}},
		prim("backup", "ocf", "heartbeat", "Dummy"),
	}
	_, err := c.Apply(t.Context(), api.Command{
		Change: cib.Change{Configure: &cib.Configure{Configuration: conf}}, User: "root@beta", Message: "load update web.crm",
	})
	if err != nil {
		t.Fatal(err)
	}
}

var scenes = map[string]func(*apitest.Cluster){
	"healthy": func(*apitest.Cluster) {},
	"fencing-pending": func(c *apitest.Cluster) {
		lose(c, "beta")
		c.State.Fencing = []api.FencePending{{Target: "beta", Action: "reboot", Since: scene, Device: "fence1", Attempt: 2, Detail: "connection timed out"}}
		c.State.Transition = api.Transition{Running: true, Graph: 3, Total: 4, Done: 1, Pending: []api.Action{
			{Operation: "reboot", Node: "beta", InFlight: true, Since: scene, Reason: "beta stopped answering"},
			{Operation: "start", Resource: "vip", Node: "gamma"},
		}}
	},
	"recovery-blocked": func(c *apitest.Cluster) {
		lose(c, "beta")
		c.State.Fencing = []api.FencePending{{
			Target: "beta", Action: "reboot", Since: scene, Device: "fence1", Attempt: 5, Detail: "login refused",
			Blocked: "fence1 refuses the login since 5 attempts",
		}}
	},
	"no-device": func(c *apitest.Cluster) {
		c.Change(cib.Change{Configure: &cib.Configure{Configuration: withoutFencing(c.Snap.CIB.Configuration)}})
		lose(c, "gamma")
	},
	"no-quorum": func(c *apitest.Cluster) {
		lose(c, "beta")
		lose(c, "gamma")
		setQuorum(c, false)
		c.State.Stale = "there is no coordinator: 1 voter of 3 heard, 2 needed"
	},
	"stale": func(c *apitest.Cluster) {
		c.State.Stale = "reach the coordinator beta: connection refused"
		c.State.Coordinator = "beta"
	},
	"failures": func(c *apitest.Cluster) {
		inf := "INFINITY"
		c.Change(cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-alpha", Name: "fail-count-backup#start_0", Value: &inf}})
		c.Change(cib.Change{RecordOp: &cib.RecordOp{NodeID: "id-alpha", Resource: "backup", Record: cib.OpRecord{
			ID: "backup_last_failure_0", Operation: "start", IntervalMS: "0", CallID: "9", RC: "5", OpStatus: "0",
			TransitionKey: "1:1:0:u", ExitReason: "program backupd is missing", LastRCChange: "1930384800",
		}}})
		off := "Stopped"
		c.Change(cib.Change{SetMeta: &cib.SetMeta{Resource: "web", Name: "target-role", Value: &off}})
		no := "false"
		c.Change(cib.Change{SetMeta: &cib.SetMeta{Resource: "fence1", Name: "is-managed", Value: &no}})
	},
	"modes": func(c *apitest.Cluster) {
		on, yes := "on", "true"
		c.Change(cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "beta", Name: "standby", Value: &on}})
		c.Change(cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "gamma", Name: "maintenance", Value: &yes}})
		c.Change(cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode", Value: &yes}})
		c.Change(cib.Change{PutConstraint: &cib.PutConstraint{Constraint: cib.Constraint{Location: &cib.Location{
			ID: "cli-ban-front-on-gamma", Resource: "front", Node: "gamma", Score: "-INFINITY",
		}}}})
		c.State.Members = append(c.State.Members, api.Member{Name: "judge", ID: "id-judge", Role: api.RoleWitness, State: api.MemberAlive})
	},
}

func withoutFencing(conf cib.Configuration) cib.Configuration {
	conf.Resources = conf.Resources[1:]
	return conf
}
