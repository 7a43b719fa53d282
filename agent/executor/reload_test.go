package executor

import (
	"context"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/resources"
)

// described is an agent with meta-data, which takes so long to tell it.
type described struct {
	*agents
	meta  *resources.MetaData
	takes time.Duration
}

func (d described) Describe(ctx context.Context, _ resources.Agent) (*resources.MetaData, error) {
	t := time.NewTimer(d.takes)
	defer t.Stop()
	select {
	case <-t.C:
		return d.meta, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var reloadable = &resources.MetaData{Name: "Fake", OCFVersion: "1.1", Actions: []resources.Action{{Name: resources.ReloadAgent}},
	Parameters: []resources.Parameter{{Name: "port"}, {Name: "level", Reloadable: true}}}

// Results of what makes a resource active say what a change of its parameters is to be compared with; the agent is reloaded
// by the word that it knows.
func TestReload(t *testing.T) {
	older := &resources.MetaData{Name: "Fake", OCFVersion: "1.0", Actions: []resources.Action{{Name: resources.Reload}},
		Parameters: []resources.Parameter{{Name: "port", Unique: true}, {Name: "level"}}}
	for word, meta := range map[string]*resources.MetaData{resources.ReloadAgent: reloadable, resources.Reload: older} {
		bubble(t, func(t *testing.T, dir string, a *agents) {
			cfg := config(dir, a)
			cfg.Registry = &resources.Registry{}
			cfg.Registry.RegisterClass("ocf", described{a, meta, 0})
			e := start(t, cfg)
			c := dial(t, e, hello(3))
			params := map[string]string{"port": "80", "level": "1"}
			want := cib.RestartDigest(params, "port")
			if r := c.do(action("ip", resources.Monitor)); r.ForceRestart != "" {
				t.Errorf("a probe that found nothing says what needs a restart: %+v", r)
			}
			begin := action("ip", resources.Start)
			begin.Params = params
			if r := c.do(begin); r.ForceRestart != " port " || r.RestartDigest != want {
				t.Errorf("start: %q %q, want %q", r.ForceRestart, r.RestartDigest, want)
			}
			if r := c.do(recurring("ip", 10*time.Second)); r.ForceRestart != "" {
				t.Errorf("a recurring monitor says what needs a restart: %+v", r)
			}
			probe := action("ip", resources.Monitor)
			probe.Params = params
			if r := c.do(probe); r.ForceRestart != " port " || r.RestartDigest != want {
				t.Errorf("a probe that found it: %q %q", r.ForceRestart, r.RestartDigest)
			}
			change := action("ip", resources.ReloadAgent)
			change.Params = map[string]string{"port": "80", "level": "2"}
			if r := c.do(change); r.RC != 0 || r.Operation != resources.ReloadAgent || r.RestartDigest != want {
				t.Errorf("reload: %+v", r)
			}
			if n := len(a.ran(word)); n != 1 {
				t.Errorf("%s ran %d times", word, n)
			}
			e.j.view(func(s *State) {
				if len(s.Active) != 1 || s.Active[0].Action.Params["level"] != "2" {
					t.Errorf("what a cut-off node would stop it with is %+v", s.Active)
				}
			})
			c.close()
			stopExecutor(t, e)
		})
	}
}

// An agent that does not say what it is holds up no result for long.
func TestSlowMetaData(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		cfg.Registry = &resources.Registry{}
		cfg.Registry.RegisterClass("ocf", described{a, reloadable, time.Hour})
		e := start(t, cfg)
		c := dial(t, e, hello(3))
		began := time.Now()
		if r := c.do(action("ip", resources.Start)); r.RC != 0 || r.ForceRestart != "" || time.Since(began) > 2*metaDataWait {
			t.Errorf("after %v: %+v", time.Since(began), r)
		}
		c.close()
		stopExecutor(t, e)
	})
}
