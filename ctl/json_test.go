package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
)

// reply is what commands answer with --json.
type reply struct {
	commands string // with commas
	line     string // what is run to see that it is so; empty where that needs more than a cluster in memory
	value    any    // nil: it is made by the command line; its members are those that line shows
}

// replies are the answers of all commands, in the order of the document.
var replies = []reply{
	{"status, cluster status, corosync status", "status", api.Status{}},
	{"status --watch", "", api.Status{}},
	{"resource start, resource stop, resource restart, resource move, resource ban, resource clear, resource promote, resource demote, " +
		"resource manage, resource unmanage, resource maintenance, resource cleanup, resource refresh, resource trace, resource untrace, node standby, node online, " +
		"node maintenance, node ready, maintenance on, maintenance off, ticket grant, ticket revoke, ticket standby, ticket activate, ticket delete, " +
		"configure edit, configure filter, configure load, configure apply, configure import, configure undo, configure rollback, " +
		"configure default-timeouts, configure commit, cib commit", "resource stop web --wait=10s --yes", api.ChangeReply{}},
	{"configure show", "configure show", api.ConfigurationReply{}},
	{"configure commit-history", "configure commit-history", api.HistoryReply{}},
	{"configure blame", "configure blame web", nil},
	{"configure diff", "configure diff --from 2", nil},
	{"configure plan", "configure plan", nil},
	{"configure verify, verify, configure validate-all", "configure verify", nil},
	{"configure lint", "configure lint good.crm", nil},
	{"cib list", "cib list", nil},
	{"cib diff", "cib diff x", nil},
	{"explain", "explain web", api.Explanation{}},
	{"history", "history", api.TimelineReply{}},
	{"doctor, cluster health", "doctor", api.Checkup{}},
	{"audit", "audit", api.AuditReply{}},
	{"health", "health", api.Health{}},
	{"resource list", "resource list", nil},
	{"resource locate", "resource locate web", nil},
	{"resource constraints", "resource constraints web", nil},
	{"resource operations", "resource operations", nil},
	{"resource scores", "resource scores", nil},
	{"resource traces", "resource traces web", api.TracesReply{}},
	{"resource failcount", "resource failcount web show", nil},
	{"resource param, resource meta, resource utilization, node attribute, node status-attr, node utilization", "resource meta web show", nil},
	{"node show", "node show node1", nil},
	{"node list", "node list", nil},
	{"node server", "node server", nil},
	{"node fence, node clearstate, fence test", "", api.FenceReply{}},
	{"fence sbd", "", api.DisksReply{}},
	{"node delete, cluster leave, cluster remove", "", api.LeaveReply{}},
	{"cluster init", "", api.InitReply{}},
	{"cluster join", "", api.JoinReply{}},
	{"cluster token", "cluster token", api.TokenReply{}},
	{"cluster force-quorum", "", api.ForceQuorumReply{}},
	{"cluster rotate-key, cluster renew-key", "", api.KeyRotateReply{}},
	{"cluster start, cluster stop, cluster restart, cluster enable, cluster disable, cluster wait_for_startup", "cluster stop --dry-run", serviceReply{}},
	{"ticket show, site ticket", "ticket show", ticketsReply{}},
	{"ra classes", "ra classes", nil},
	{"ra list", "ra list ocf heartbeat", nil},
	{"ra providers", "ra providers Dummy", nil},
	{"ra info", "ra info Dummy", api.AgentReply{}},
	{"ra validate", "ra validate Dummy state=/run/x", nil},
	{"access token", "access token list", api.AccessListReply{}},
	{"version", "version", nil},
}

// elsewhereDescribed are commands whose --json is no reply with a schema of its own here.
var elsewhereDescribed = []string{"report", "ra test", "configure rsctest"}

// jsonCluster is a cluster in memory with what the lines speak of; it returns how to run one.
func jsonCluster(t *testing.T) func(line string) (string, int) {
	c := apitest.New("node1", "node2")
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	dir := t.TempDir()
	socket, err := os.MkdirTemp("", "pl")
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.ListenUnix(filepath.Join(socket, "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; os.RemoveAll(socket) })
	run := func(line string) (string, int) {
		var out, errs bytes.Buffer
		streams := Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string {
			return map[string]string{"PACELINE_SOCKET": filepath.Join(socket, "s"), "XDG_STATE_HOME": dir}[name]
		}}
		status := Run(t.Context(), append([]string{"paceline"}, splitWords(line)...), streams)
		if out.Len() == 0 {
			return errs.String(), status
		}
		return out.String(), status
	}
	t.Chdir(dir)
	if err := os.WriteFile("good.crm", []byte("primitive web ocf:heartbeat:Dummy op monitor interval=10s\nrsc_ticket t-web t: web\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"configure load update good.crm --allow-unknown-agent", "cib new x", "cib use live"} {
		if out, status := run(line); status != 0 {
			t.Fatalf("%s: %d: %s", line, status, out)
		}
	}
	return run
}

// docs/json.md tells what every command with --json answers, as the types have it, and the commands do answer so: `make docs`
// makes the document anew.
func TestJSONIsDocumented(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, r := range replies {
		for _, c := range strings.Split(r.commands, ", ") {
			c, _, _ = strings.Cut(c, " (")
			told[strings.TrimSuffix(c, " --watch")] = true
		}
	}
	for _, row := range table {
		if slices.Contains(flagNames(row.flags), flagJSON.name) && !told[row.path] && !slices.Contains(elsewhereDescribed, row.path) && !isObject(row.path) {
			t.Errorf("nobody tells what `paceline %s --json` answers", row.path)
		}
	}
	run := jsonCluster(t)
	w := &jsonDocument{t: t, comments: map[string]map[string]string{}, done: map[reflect.Type]bool{}}
	w.read(filepath.Join(root, "agent/api"), "api")
	w.read(filepath.Join(root, "agent/cib"), "cib")
	w.read(filepath.Join(root, "ctl"), "ctl")
	w.WriteString(jsonHead)
	for _, r := range replies {
		fmt.Fprintf(w, "\n### %s\n\n", r.commands)
		out := ""
		if r.line != "" {
			var status int
			if out, status = run(r.line + " --json"); status != exitDone && status != exitUsage && !strings.HasPrefix(strings.TrimSpace(out), "{") {
				t.Errorf("%s --json: %d: %s", r.line, status, out)
				continue
			}
		}
		if r.value == nil {
			w.members(r.line, out)
			continue
		}
		if strings.Contains(r.line, "--wait") && !strings.Contains(out, `"settled": true`) {
			t.Errorf("%s --json: the wait has not ended: %s", r.line, out)
		}
		typ := reflect.TypeOf(r.value)
		if r.line != "" {
			d := json.NewDecoder(strings.NewReader(out))
			d.DisallowUnknownFields()
			if err := d.Decode(reflect.New(typ).Interface()); err != nil {
				t.Errorf("%s --json is no %s: %v", r.line, typ.Name(), err)
			}
		}
		fmt.Fprintf(w, "%s.\n", w.name(typ))
		w.queue = append(w.queue, typ)
	}
	w.WriteString("\n## Types\n")
	for len(w.queue) > 0 {
		typ := w.queue[0]
		w.queue = w.queue[1:]
		w.structure(typ)
	}
	path := filepath.Join(root, "docs/json.md")
	if *updateJSON {
		if err := os.WriteFile(path, w.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, w.Bytes()) {
		t.Errorf("docs/json.md is not what the types make (%v): run `make docs`", err)
	}
}

// isObject says whether a command takes a line of the language: those answer as load does.
func isObject(path string) bool {
	return slices.ContainsFunc(objectCommands(), func(c command) bool { return c.path == path })
}

const jsonHead = `# JSON

Every command that shows or changes something takes ` + "`--json`" + `. What it prints then is one JSON value on standard output; warnings and
errors are on standard error, and the exit status is the same as without it. ` + "`schema`" + ` is the version: as long as it is 1, members are
added, never renamed, removed or given another meaning, so a program ignores those that it does not know. Members that are marked
*optional* are left out where they say nothing. Times are as in RFC 3339, durations texts like "1m30s".

With ` + "`--wait`" + ` the value comes when the wait has ended: ` + "`settled`" + ` says whether the cluster is at rest, ` + "`failures`" + ` what failed meanwhile, and the
exit status is 1 if something failed and 4 if it took longer. With ` + "`--dry-run`" + ` ` + "`actions`" + ` is what would be done. ` + "`status --watch --json`" + ` is a
stream: one status on each line. The API on the daemon's socket answers the same values. Commands that take a line of the crm
language (` + "`configure primitive`" + ` and the like) answer as ` + "`configure load`" + ` does. This page is made of the types that the program uses, and
a test runs the commands.

## What commands answer
`

// jsonDocument is the document being made.
type jsonDocument struct {
	bytes.Buffer
	t        *testing.T
	comments map[string]map[string]string // by type, then field; "" is the type's own
	done     map[reflect.Type]bool
	queue    []reflect.Type
}

// read collects the comments of a package's types.
func (w *jsonDocument) read(dir, pkg string) {
	files := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			for _, s := range decl.Specs {
				spec := s.(*ast.TypeSpec)
				fields := map[string]string{"": sentenceOf(decl.Doc.Text())}
				if st, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, n := range field.Names {
							fields[n.Name] = sentenceOf(field.Doc.Text() + " " + field.Comment.Text())
						}
					}
				}
				w.comments[pkg+"."+spec.Name.Name] = fields
			}
		}
	}
}

// sentenceOf makes one line of a comment.
func sentenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.ReplaceAll(text, "|", `\|`)
}

// members tells the members of a value that the command line makes itself.
func (w *jsonDocument) members(line, out string) {
	var value map[string]any
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		w.t.Errorf("%s --json: %v: %s", line, err, out)
		return
	}
	if value["schema"] != float64(api.Schema) && line != "version" {
		w.t.Errorf("%s --json has no schema: %s", line, out)
	}
	var names []string
	for name := range value {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(w, "Members:")
	for i, name := range names {
		sep := ","
		if i == 0 {
			sep = ""
		}
		fmt.Fprintf(w, "%s `%s` (%s)", sep, name, kindOf(value[name]))
	}
	fmt.Fprintf(w, ".\n")
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null or a value"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "text"
	case []any:
		if len(v) > 0 {
			if m, ok := v[0].(map[string]any); ok {
				return "list of objects with " + strings.Join(sortedNames(m), ", ")
			}
			return "list of " + kindOf(v[0])
		}
		return "list"
	}
	return "object"
}

func sortedNames(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, "`"+k+"`")
	}
	slices.Sort(out)
	return out
}

// name is how the document calls a type.
func (w *jsonDocument) name(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return w.name(t.Elem())
	case reflect.Slice:
		return "list of " + w.name(t.Elem())
	case reflect.Map:
		return "object of " + w.name(t.Elem())
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		if t.Name() == "Duration" {
			return "duration"
		}
		return "number"
	case reflect.String:
		return "text"
	case reflect.Interface:
		return "any value"
	}
	switch {
	case t.PkgPath() == "time":
		return "time"
	case !strings.HasSuffix(t.PkgPath(), "agent/api") && !strings.HasSuffix(t.PkgPath(), "paceline/ctl"):
		return "object" // the typed configuration and what history keeps: as `configure convert --to json` prints it
	}
	w.queue = append(w.queue, t)
	return "[" + t.Name() + "](#" + strings.ToLower(t.Name()) + ")"
}

// structure writes the table of a type.
func (w *jsonDocument) structure(t reflect.Type) {
	if w.done[t] {
		return
	}
	w.done[t] = true
	pkg := filepath.Base(t.PkgPath())
	comments := w.comments[pkg+"."+t.Name()]
	fmt.Fprintf(w, "\n### %s\n\n", t.Name())
	if text := strings.TrimSpace(comments[""]); text != "" {
		fmt.Fprintf(w, "%s\n\n", doc.Synopsis(text))
	}
	fmt.Fprintf(w, "| member | value | meaning |\n| --- | --- | --- |\n")
	w.fields(t, comments)
}

func (w *jsonDocument) fields(t reflect.Type, comments map[string]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			w.fields(inner, w.comments[filepath.Base(inner.PkgPath())+"."+inner.Name()])
			continue
		}
		if tag == "-" || !f.IsExported() {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		value := w.name(f.Type)
		if strings.Contains(rest, "omit") {
			value += ", *optional*"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", tag, value, strings.TrimSpace(comments[f.Name]))
	}
}
