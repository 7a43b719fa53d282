package scheduler

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"paceline/agent/cib"
)

// junk is what stands in documents where something else is expected.
var junk = []string{"", "0", "-1", "1", "true", "INFINITY", "-INFINITY", "99999999999999999999", "1e9", "foo", "a:b", "#uname", "%", "*", "[", "p", "\\1",
	"2026-13-45", "P1Y", "Promoted", "Stopped", "monitor", "stop", "10s", "-5ms", "fence", "é", "a b"}

// TestMutatedDocuments plans for documents that were damaged here and there: there is always an answer, always the same,
// and no cycle in it. Where PACELINE_CONFORMANCE names the conformance cases, these are damaged too.
func TestMutatedDocuments(t *testing.T) {
	docs := []string{seedXML}
	if dir := os.Getenv("PACELINE_CONFORMANCE"); dir != "" {
		files, err := filepath.Glob(filepath.Join(dir, "xml", "*.xml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no conformance cases in %s: %v", dir, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) < 1<<17 { // what a longer one could show, a shorter one shows sooner
				docs = append(docs, string(text))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		if i := rapid.IntRange(0, len(docs)).Draw(t, "document"); i < len(docs) {
			text = docs[i]
		} else {
			text = encoded(t, randomLife(t)[2])
		}
		doc := etree.NewDocument()
		if err := doc.ReadFromString(text); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			mutate(t, doc)
		}
		out, err := doc.WriteToString()
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := cib.Decode(strings.NewReader(out))
		if err != nil {
			return // it says what is wrong with the document
		}
		p := Plan(c, propertyTime)
		if len(p.Graph.Actions) > 0 && inOrder(p.Graph) == nil {
			t.Fatalf("the graph has a cycle, for %s", out)
		}
		if bytesOf(p) != bytesOf(Plan(c, propertyTime)) {
			t.Fatalf("two answers for %s", out)
		}
	})
}

func encoded(t *rapid.T, c *cib.CIB) string {
	var b bytes.Buffer
	if err := cib.Encode(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// mutate damages one place of a document.
func mutate(t *rapid.T, doc *etree.Document) {
	all := doc.FindElements("//*")
	e := all[rapid.IntRange(0, len(all)-1).Draw(t, "element")]
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0, 1, 2:
		if len(e.Attr) > 0 {
			a := &e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attribute")]
			if rapid.Bool().Draw(t, "from elsewhere") {
				if other := all[rapid.IntRange(0, len(all)-1).Draw(t, "other")]; len(other.Attr) > 0 {
					a.Value = other.Attr[rapid.IntRange(0, len(other.Attr)-1).Draw(t, "its attribute")].Value
				}
			} else {
				a.Value = rapid.SampledFrom(junk).Draw(t, "value")
			}
		}
	case 3:
		if len(e.Attr) > 0 {
			e.RemoveAttr(e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "removed")].FullKey())
		}
	case 4:
		if parent := e.Parent(); parent != nil && e != doc.Root() {
			parent.RemoveChild(e)
		}
	case 5:
		if other := all[rapid.IntRange(0, len(all)-1).Draw(t, "new home")]; e != doc.Root() {
			other.AddChild(e.Copy())
		}
	}
}

// TestBadOption gives one cluster option a value that it cannot have: it is reported, and the plan is that of its default.
func TestBadOption(t *testing.T) {
	bad := map[string][]string{}
	for _, name := range []string{"symmetric-cluster", "startup-fencing", "maintenance-mode", "stop-all-resources", "stop-orphan-resources",
		"stop-orphan-actions", "enable-startup-probes", "shutdown-lock", "concurrent-fencing"} {
		bad[name] = []string{"perhaps", "2", "INFINITY"}
	}
	for _, name := range []string{"priority-fencing-delay", "shutdown-lock-limit", "node-pending-timeout", "cluster-recheck-interval"} {
		bad[name] = []string{"soon", "5 parsecs"}
	}
	for _, name := range []string{"stonith-action", "placement-strategy", "node-health-strategy", "no-quorum-policy"} {
		bad[name] = []string{"whatever", "7"}
	}
	for _, name := range []string{"node-health-red", "node-health-yellow", "node-health-green", "node-health-base"} {
		bad[name] = []string{"much"}
	}
	names := sortedKeys(bad)
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(randomLife(t)).Draw(t, "state")
		name := rapid.SampledFrom(names).Draw(t, "option")
		value := rapid.SampledFrom(bad[name]).Draw(t, "value")
		var kept []cib.NVPair
		for _, p := range c.Configuration.Options[0].Pairs {
			if p.Name != name {
				kept = append(kept, p)
			}
		}
		c.Configuration.Options[0].Pairs = kept
		want := Plan(c, propertyTime)
		c.Configuration.Options[0].Pairs = append(kept, cib.NVPair{ID: "bad", Name: name, Value: value})
		got := Plan(c, propertyTime)
		if len(got.Problems) != len(want.Problems)+1 {
			t.Fatalf("%s=%s: problems %q, without it %q", name, value, got.Problems, want.Problems)
		}
		got.Problems = want.Problems
		if bytesOf(got) != bytesOf(want) {
			t.Fatalf("%s=%s: the plan is\n%s\nnot that of the default\n%s", name, value, bytesOf(got), bytesOf(want))
		}
	})
}
