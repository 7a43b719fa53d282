package integration

import (
	"bytes"
	"go/format"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// The project's top level holds these and names that begin with a dot, so that a reader finds the rest below them.
var topLevel = []string{"agent", "ctl", "resources", "fencing", "docs", "integration", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "CHANGELOG.md"}

// What builds make, and git ignores.
var made = []string{"bin", "dist"}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) && !slices.Contains(made, name) {
			t.Errorf("%s at the top level: everything lives in agent, ctl, resources, fencing, integration or docs", name)
		}
	}
}

// Names that say nothing attract everything.
var banned = []string{"util", "utils", "common", "helper", "helpers", "types", "models", "pkg", "misc", "internal", "base", "shared"}

func TestPackages(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range sources(t, token.NewFileSet(), false) {
		documented[f.pkg] = documented[f.pkg] || f.ast.Doc != nil
		if slices.Contains(banned, path.Base(f.pkg)) {
			t.Errorf("package %s: the name says nothing; a helper lives with its user, or has a noun of its own", f.pkg)
		}
	}
	var names []string
	for pkg := range documented {
		names = append(names, pkg)
	}
	sort.Strings(names)
	for _, pkg := range names {
		if !documented[pkg] {
			t.Errorf("package %s has no comment that says what it is and what it guarantees", pkg)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, f := range sources(t, token.NewFileSet(), true) {
		text, err := os.ReadFile(filepath.Join(root, f.path))
		if err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("%s is not formatted (gofmt -w %s)", f.path, f.path)
		}
		for _, word := range []string{"TODO" + ":", "FIXME", "XXX" + ":"} {
			if bytes.Contains(text, []byte(word)) && f.path != "integration/tidy_test.go" {
				t.Errorf("%s says %s: what ships is done, what is not done is an issue", f.path, word)
			}
		}
	}
}

// A test that draws other cases each time fails for whoever is unlucky, and not for who made the mistake.
func TestDrawsRepeat(t *testing.T) {
	draws, fixed := map[string]bool{}, map[string]bool{}
	for _, f := range sources(t, token.NewFileSet(), true) {
		for _, i := range f.ast.Imports {
			switch i.Path.Value {
			case `"pgregory.net/rapid"`:
				draws[f.pkg] = true
			case `"paceline/integration/drawn"`:
				fixed[f.pkg] = true
			}
		}
	}
	if len(draws) < 5 {
		t.Fatalf("only %v draw their cases: this test looks in the wrong place", draws)
	}
	for pkg := range draws {
		if !fixed[pkg] && pkg != "integration/drawn" {
			t.Errorf("the tests of %s draw their cases, and no file of it imports paceline/integration/drawn, which makes them the same each time", pkg)
		}
	}
}
