package ctl

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
)

// metricLine is a line of the text form: a comment, or a name with labels and a number.
var metricLine = regexp.MustCompile(`^(# (HELP|TYPE) paceline_[a-z_]+ .+|paceline_[a-z_]+\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\} [0-9.e+]+)$`)

// TestMetrics: every line is of the form, no figure is there twice, and those that people alert on follow the scene.
func TestMetrics(t *testing.T) {
	for name, set := range scenes {
		c := apitest.New("alpha", "beta", "gamma")
		c.Now = func() time.Time { return scene }
		base(t, c)
		c.Do(set)
		st := api.Summarize(c.Snap, c.State, apitest.Plan(c.Snap.CIB, scene), scene)
		st.Cluster = "a \"b\"\n\\"
		var b strings.Builder
		writeMetrics(&b, st)
		seen := map[string]bool{}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			key := line[:strings.LastIndexByte(line, ' ')]
			if !metricLine.MatchString(line) || seen[key] {
				t.Errorf("%s: %q is wrong, or there twice", name, line)
			}
			seen[key] = true
		}
		const cluster = `{cluster="a \"b\"\n\\"`
		for figure, want := range map[string]bool{
			"paceline_protected" + cluster + "} 1":                                 st.Protected.Yes,
			"paceline_quorum" + cluster + "} 0":                                    name == "no-quorum",
			"paceline_stale" + cluster + "} 1":                                     name == "no-quorum" || name == "stale",
			"paceline_node_state" + cluster + `,node="beta",state="unclean"} 1`:    name == "no-quorum" || name == "fencing-pending" || name == "recovery-blocked",
			"paceline_resource_active" + cluster + `,resource="web",node="alpha",`: true,
		} {
			if strings.Contains(b.String(), figure) != want {
				t.Errorf("%s: whether there is %q is not %v:\n%s", name, figure, want, b.String())
			}
		}
	}
}
