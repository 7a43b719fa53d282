package ctl

import (
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
)

// TestStatusPage: the page has what the status has, and what others wrote stays text.
func TestStatusPage(t *testing.T) {
	for name, set := range scenes {
		c := apitest.New("alpha", "beta", "gamma")
		c.Now = func() time.Time { return scene }
		base(t, c)
		c.Do(set)
		st := api.Summarize(c.Snap, c.State, apitest.Plan(c.Snap.CIB, scene), scene)
		st.LastChange = &api.Commit{User: "eve", Message: "<script>alert(1)</script>"}
		st.Resources = append(st.Resources, api.Resource{ID: "idle", Kind: "primitive", Role: "Stopped", Why: "ticket t is not granted here"})
		var b strings.Builder
		if err := writeHTML(&b, st); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		want := []string{"<title>" + st.Cluster, "&lt;script&gt;", "ticket t is not granted here", "</html>"}
		for _, n := range st.Nodes {
			want = append(want, "<td>"+n.Name+"<td>")
		}
		for _, r := range st.Resources {
			for _, p := range leaves(r) {
				want = append(want, ">"+p.ID+"<td>"+p.Agent)
			}
		}
		for _, p := range st.Problems {
			want = append(want, strings.ReplaceAll(p.What[:min(len(p.What), 12)], "'", "&#39;"))
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the page lacks %q:\n%s", name, w, text)
			}
		}
		if strings.Contains(text, "<script>") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: what somebody wrote became part of the page", name)
		}
	}
}
