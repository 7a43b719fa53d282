package cib

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func documents(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in %s: %v", folder, err)
	}
	return files
}

func loadFile(t testing.TB, file string) *CIB {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return load(t, string(text))
}

func TestBadDocuments(t *testing.T) {
	for _, file := range documents(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var lines []string
			for _, p := range Validate(loadFile(t, file)) {
				lines = append(lines, p.String()+"\n")
			}
			golden(t, strings.TrimSuffix(file, ".xml")+".txt", strings.Join(lines, ""))
		})
	}
}

func TestGoodDocuments(t *testing.T) {
	for _, file := range append(documents(t, "good"), "testdata/documents/complete.xml") {
		for _, p := range Validate(loadFile(t, file)) {
			if filepath.Base(file) == "complete.xml" && (p.Attribute == "op start: foo" || p.Attribute == "site") {
				continue // names of no schema, to see that they are kept
			}
			t.Errorf("%s: %s", file, p)
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// A configuration of nothing, as the API may send it, is refused and not stumbled over.
func TestEmptyPlaces(t *testing.T) {
	for _, c := range []Configuration{
		{Nodes: []*Node{nil}}, {Resources: []*Resource{nil}}, {Constraints: []*Constraint{nil}}, {Constraints: []*Constraint{{}}}, {Templates: []*Resource{nil}},
		{Resources: []*Resource{{ID: "g", Kind: KindGroup, Children: []*Resource{nil}}}},
		{Resources: []*Resource{{ID: "p", Kind: KindPrimitive, Operations: Operations{Ops: []*Op{nil}}}}},
		{Constraints: []*Constraint{{Location: &Location{ID: "l", Rules: []*Rule{nil}}}}},
	} {
		if p := ValidateConfiguration(&c); len(p) != 1 || !strings.Contains(p[0].Message, "empty place") {
			t.Errorf("%+v: got %v", c, p)
		}
		if _, err := Apply(&CIB{}, Change{Configure: &Configure{c}}); err == nil {
			t.Errorf("%+v was applied", c)
		}
	}
}

func TestTables(t *testing.T) {
	for name, table := range map[string][]Known{
		"options": ClusterOptions(), "meta": MetaAttributes(), "operations": OperationAttributes(), "devices": DeviceParameters(),
	} {
		for i, k := range table {
			if i > 0 && table[i-1].Name >= k.Name {
				t.Errorf("%s: %s is not in order", name, k.Name)
			}
			if k.Text == "" || len(k.Text) > 110 {
				t.Errorf("%s: %s: the text has %d letters", name, k.Name, len(k.Text))
			}
			if k.Default != "" && k.Check(k.Default) != nil {
				t.Errorf("%s: %s: its default: %s", name, k.Name, k.Check(k.Default))
			}
			if (k.Type == TypeEnum) != (len(k.Allowed) > 0) {
				t.Errorf("%s: %s: type %s and allowed %v", name, k.Name, k.Type, k.Allowed)
			}
			if CanonicalOption(k.Name) != k.Name {
				t.Errorf("%s: %s is an old name", name, k.Name)
			}
		}
	}
}

// However much is wrong, judging ends soon and the list is short.
func TestManyProblems(t *testing.T) {
	c := &Configuration{Nodes: []*Node{{ID: "1", Uname: "n"}}}
	for i := range 3000 {
		c.Resources = append(c.Resources, &Resource{ID: fmt.Sprint("resource-", i), Kind: KindPrimitive, Agent: Agent{"systemd", "", "x"}})
		c.Constraints = append(c.Constraints, &Constraint{Location: &Location{ID: fmt.Sprint("l", i), Resource: fmt.Sprint("resorce-", i), Node: "m", Score: "1"}})
	}
	if got := ValidateConfiguration(c); len(got) != problemsMax+1 || got[problemsMax].Message != "there are more problems, not listed" {
		t.Errorf("%d problems, the last %v", len(got), got[len(got)-1])
	}
}

// An unknown cluster option is told where people set options, and not in the sets in which agents keep values of their own.
func TestUnknownOptions(t *testing.T) {
	own := NVSet{ID: "redis_replication", Pairs: []NVPair{{ID: "a", Name: "db_REPL_INFO", Value: "node1"}}}
	said := func(sets ...NVSet) string {
		var out []string
		for _, p := range ValidateConfiguration(&Configuration{Options: sets}) {
			out = append(out, p.String())
		}
		return strings.Join(out, "\n")
	}
	if got := said(NVSet{ID: BootstrapSet, Pairs: []NVPair{{ID: "b", Name: "maintenance-mode", Value: "false"}}}, own); strings.Contains(got, "db_REPL_INFO") {
		t.Errorf("an agent's own value: %s", got)
	}
	own.ID = BootstrapSet
	if got := said(own); !strings.Contains(got, "paceline knows no such name") {
		t.Errorf("a slip of a person's: %q", got)
	}
}
