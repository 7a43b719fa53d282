package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// layer says what a package, and those below it that have no line of their own, may import of ours. Packages below it may
// import it and each other; it imports them only where its line says so. Tests may import what they like.
type layer struct {
	pkg    string
	may    []string
	reason string
}

// layers is the house: who may import whom, and why not more. The longest fitting line counts.
var layers = []layer{
	{"resources", nil, "the agent contract is a promise to outsiders: it builds without the rest of paceline"},
	{"resources/builtin", []string{"resources/..."}, "it collects the kinds of resources for whoever composes a program"},
	{"fencing", nil, "the device contract is a promise to outsiders: it builds without the rest of paceline"},

	{"agent/cib", nil, "everything speaks of configuration and status, so these know nothing else"},
	{"agent/access", []string{"agent/cib"}, "who may do what is a function of the configuration and the user"},
	{"agent/transition", []string{"agent/cib"}, "the engine that advances a graph never knows how the graph was made"},
	{"agent/scheduler", []string{"agent/cib", "agent/transition"}, "a plan is a function of the CIB and the time alone; of transition it takes the graph's type"},
	{"agent/outcome", []string{"agent/cib", "agent/transition", "resources", "fencing"}, "what a result makes of the CIB hangs on no plan: who records and who plays a model share it"},
	{"agent/whatif", []string{"agent/cib", "agent/transition", "agent/scheduler", "agent/outcome", "resources"}, "a what-if is a function of a state, an event and the time"},
	{"agent/quorum", []string{"agent/cib"}, "a verdict is a function of votes alone, so that every case can be tested"},
	{"agent/peer", nil, "keys and TLS between nodes are as low as the network itself"},
	{"agent/links", nil, "which network reaches a node is as low as the network itself"},
	{"agent/membership", []string{"agent/peer"}, "gossip knows who is there, not what runs"},
	{"agent/store", []string{"agent/cib", "agent/quorum", "agent/peer"}, "the log replicates the CIB and decides nothing about it"},
	{"agent/coordinator", []string{"agent/cib", "agent/scheduler", "agent/transition", "agent/outcome", "agent/quorum", "agent/membership", "agent/store", "fencing", "fencing/manual", "resources"},
		"the loop decides; how orders reach nodes and devices is handed to it. A person's word needs no device"},
	{"agent/history", []string{"agent/cib", "agent/transition"}, "what is kept is data; who plans it again decides with what"},
	{"agent/executor", []string{"agent/cib", "agent/transition", "fencing", "resources", "resources/secret"}, "an executor carries orders out and plans nothing"},
	{"agent/api", []string{"agent/access", "agent/peer", "agent/audit", "agent/cib", "agent/scheduler", "agent/transition", "agent/outcome", "agent/whatif", "agent/history"}, "the API says things about the cluster; what it serves is given to it"},
	{"agent/ocftools", []string{"agent/api", "agent/cib", "resources"}, "the tools that agents call reach the cluster through the API as everybody does"},
	{"agent/dashboard", []string{"agent/api"}, "the web page uses the API as everybody does"},
	{"agent/audit", []string{"agent/cib", "resources"}, "rules judge facts, and know nothing of who brings them"},
	{"agent/audit/journals", []string{"agent/audit", "agent/cib", "agent/executor", "resources"}, "what a journal's lines tell is a function of the lines"},
	{"agent/simulation", []string{"agent/...", "fencing/...", "resources/..."}, "a test bed for whole clusters"},
	{"agent", []string{"agent/cib", "agent/transition", "agent/scheduler", "agent/quorum", "agent/peer", "agent/links", "agent/membership", "agent/store",
		"agent/coordinator", "agent/executor", "agent/history", "agent/audit/...", "agent/api", "agent/ocftools", "agent/dashboard", "fencing/...", "resources/..."},
		"the composition: it wires the rooms together, and only the simulation is none of its business"},
	{"agent/pacelined", []string{"agent", "agent/cib", "agent/ocftools", "fencing/...", "resources/..."}, "main reads flags; what the daemon is, package agent says"},

	{"ctl", []string{"agent/api", "agent/cib", "agent/scheduler", "agent/transition", "agent/outcome", "agent/whatif", "agent/history", "ctl/crm", "ctl/draft", "ctl/shell",
		"resources/conformance", "resources/scaffold", "resources/secret"},
		"the command line reaches a cluster through the API alone: what it lacks is missing from the API. Agents that are being written are files, in no cluster"},
	{"ctl/crm", []string{"agent/cib"}, "a language is a function of its text"},
	{"ctl/draft", []string{"agent/cib", "ctl/crm"}, "an editing session is a function of two configurations and what is typed"},
	{"ctl/shell", []string{"ctl/crm", "ctl/draft"}, "the shell edits lines; commands are handed to it"},
	{"ctl/paceline", []string{"ctl"}, "main runs the command table"},

	{"integration", []string{"..."}, "tests and demonstrations of the whole may use all of it"},
}

// layerOf finds a package's line.
func layerOf(pkg string) (layer, bool) {
	best, found := layer{}, false
	for _, l := range layers {
		if (pkg == l.pkg || strings.HasPrefix(pkg, l.pkg+"/")) && len(l.pkg) >= len(best.pkg) {
			best, found = l, true
		}
	}
	return best, found
}

// allowed tells whether the package from, of layer l, may import the package target.
func (l layer) allowed(from, target string) bool {
	if own, ok := layerOf(target); ok && own.pkg == l.pkg && from != l.pkg {
		return true
	}
	for _, m := range l.may {
		if m == "..." || m == target {
			return true
		}
		if under, ok := strings.CutSuffix(m, "/..."); ok && (target == under || strings.HasPrefix(target, under+"/")) {
			return true
		}
	}
	return false
}

// core is a package, or some of its files, in which nothing happens by itself: time, randomness and the outside world
// come in as values.
type core struct {
	pkg    string
	files  string // pattern of file names; "" is all
	reason string
}

var cores = []core{
	{"agent/cib", "", "applying a change gives the same CIB on every node"},
	{"agent/scheduler", "", "the same CIB and time give the same plan: simulate, explain and the cluster agree"},
	{"agent/access", "", "the same rules give the same rights on every node"},
	{"agent/quorum", "", "a verdict can be tested over every membership"},
	{"agent/links", "table.go", "which link is best is decided without a clock"},
	{"agent/transition", "", "the simulator and the cluster run the same code"},
	{"agent/outcome", "", "the simulator and the cluster run the same code"},
	{"agent/whatif", "", "the same question has the same answer"},
	{"agent/coordinator", "core*.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "nodes.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "run.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "results.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "fence.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "takeover.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "devices.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "policy.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "progress.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "values.go", "the simulator and the cluster run the same code"},
	{"agent/coordinator", "events.go", "the simulator and the cluster run the same code"},
	{"fencing", "machine*.go", "a fencing can be replayed step by step"},
	{"fencing", "plan.go", "a fencing can be replayed step by step"},
	{"fencing", "fencing.go", "the contract does nothing"},
	{"fencing/manual", "", "a person's word needs no device"},
	{"integration/chaos", "plan.go", "the same seed draws the same faults"},
	{"integration/chaos", "facts.go", "the same journals tell the same facts"},
	{"integration/cluster", "facts.go", "the same journals tell the same facts"},
	{"fencing/sbd", "watch.go", "every order of steps can be tried"},
	{"fencing/sbd", "delivery.go", "every order of steps can be tried"},
	{"fencing/sbd", "times.go", "the arithmetic is the same wherever it is checked"},
	{"fencing/sbd", "format.go", "the same bytes mean the same on every node"},
	{"ctl/crm", "", "the same text gives the same configuration"},
	{"ctl/draft", "", "the same words on the same configuration make the same session"},
}

// Imports that a core may not have. net/netip and net/url are arithmetic on text, and allowed.
var coreImports = map[string]string{
	"os": "the outside world", "os/exec": "the outside world", "os/signal": "the outside world", "syscall": "the outside world",
	"golang.org/x/sys/unix": "the outside world", "net": "the network", "net/http": "the network", "net/rpc": "the network",
	"math/rand": "a global random source", "crypto/rand": "a global random source", "log": "a global logger", "unsafe": "memory",
	"sync": "goroutines, which a core does not have", "sync/atomic": "goroutines, which a core does not have",
}

// Calls that a core may not make, by package and name.
var coreCalls = map[string][]string{
	"time": {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"},
}

// Of math/rand/v2 a core may use what makes or names a source that is handed in.
var randAllowed = []string{"Rand", "Source", "New", "NewPCG", "NewChaCha8", "NewZipf", "PCG", "ChaCha8", "Zipf"}

// root is the project's directory.
const root = ".."

// sourceFile is a Go file that is not a test.
type sourceFile struct {
	pkg, path string
	ast       *ast.File
}

func sources(t *testing.T, fset *token.FileSet, tests bool) []sourceFile {
	t.Helper()
	var out []sourceFile
	for _, top := range []string{"agent", "ctl", "resources", "fencing", "integration"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") && !tests {
				return nil
			}
			f, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			out = append(out, sourceFile{path.Dir(filepath.ToSlash(rel)), filepath.ToSlash(rel), f})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestLayers(t *testing.T) {
	for _, f := range sources(t, token.NewFileSet(), false) {
		l, ok := layerOf(f.pkg)
		if !ok {
			t.Errorf("%s: package %s has no line in the table of layers", f.path, f.pkg)
			continue
		}
		for _, i := range f.ast.Imports {
			target, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			target, ours := strings.CutPrefix(target, "paceline/")
			if ours && !l.allowed(f.pkg, target) {
				t.Errorf("%s imports %s, which %s may not: %s", f.path, target, l.pkg, l.reason)
			}
		}
	}
}

func TestCoresArePure(t *testing.T) {
	fset := token.NewFileSet()
	seen := map[core]bool{}
	for _, f := range sources(t, fset, false) {
		for _, c := range cores {
			if f.pkg != c.pkg {
				continue
			}
			if ok, err := path.Match(c.files, path.Base(f.path)); err != nil {
				t.Fatal(err)
			} else if c.files != "" && !ok {
				continue
			}
			seen[c] = true
			for _, wrong := range impurities(fset, f.ast) {
				t.Errorf("%s, but %s is a core: %s", wrong, c.pkg, c.reason)
			}
		}
	}
	for _, c := range cores {
		if _, err := os.Stat(filepath.Join(root, c.pkg)); err == nil && !seen[c] {
			t.Logf("core %s %s has no files", c.pkg, c.files)
		}
	}
}

// impurities lists what a core may not have.
func impurities(fset *token.FileSet, f *ast.File) []string {
	var out []string
	names := map[string]string{} // name in this file -> package
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		if why, bad := coreImports[p]; bad {
			out = append(out, fmt.Sprintf("%s: imports %q (%s)", fset.Position(i.Pos()), p, why))
		}
		name := path.Base(p)
		if p == "math/rand/v2" {
			name = "rand"
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, fmt.Sprintf("%s: starts a goroutine", fset.Position(n.Pos())))
		case *ast.SelectStmt:
			out = append(out, fmt.Sprintf("%s: waits on channels", fset.Position(n.Pos())))
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			p := names[id.Name]
			if slices.Contains(coreCalls[p], n.Sel.Name) {
				out = append(out, fmt.Sprintf("%s: uses %s.%s", fset.Position(n.Pos()), id.Name, n.Sel.Name))
			}
			if p == "math/rand/v2" && !slices.Contains(randAllowed, n.Sel.Name) {
				out = append(out, fmt.Sprintf("%s: uses the global random source: rand.%s", fset.Position(n.Pos()), n.Sel.Name))
			}
		}
		return true
	})
	sort.Strings(out)
	return out
}

// The checks themselves are checked: what they are to find, they find.
func TestChecksFind(t *testing.T) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x.go", `package x
import ("os"; "time"; "math/rand/v2"; clock "time")
func f(r *rand.Rand) { go f(nil); _ = time.Now(); _ = clock.NewTimer(0); _ = rand.IntN(3); _ = r.IntN(3); _ = os.Args; _ = time.Second }
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := impurities(fset, f)
	if len(got) != 5 {
		t.Errorf("found %q", got)
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"agent/cib", "agent/transition", false},
		{"agent/scheduler", "agent/transition", true},
		{"agent/transition", "agent/scheduler", false},
		{"agent/membership/memnet", "agent/membership", true},
		{"resources/vip", "resources", true},
		{"resources/vip", "agent/cib", false},
		{"resources", "resources/vip", false},
		{"ctl", "agent/store", false},
		{"ctl", "agent/coordinator", false},
		{"agent", "agent/simulation", false},
		{"agent/pacelined", "agent", true},
		{"agent/store", "agent/coordinator", false},
	} {
		l, _ := layerOf(c.from)
		if l.allowed(c.from, c.to) != c.ok {
			t.Errorf("%s imports %s: want %v", c.from, c.to, c.ok)
		}
	}
}
