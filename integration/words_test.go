package integration

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// wordsScene is what the commands of the documents speak of.
const wordsScene = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive web ocf:lab:diary params port=8080 level=low op monitor interval=20s timeout=20s
primitive db ocf:heartbeat:Stateful op monitor interval=10s op monitor interval=11s role=Promoted
primitive dns ocf:heartbeat:Dummy
primitive files ocf:heartbeat:Dummy
primitive inner ocf:heartbeat:Dummy
group front inner
tag shop: web db
rsc_ticket front-with-t t: front loss-policy=stop
`

// word is what the story knows of a command of a document beside its words.
type word struct {
	// typed is what is typed instead, where the document leaves out what is elsewhere around it.
	typed string
	// before is a line of the shell that makes what the command speaks of.
	before string
	after  string
	on     string // node; node1 where it is not said
	status int
	says   string // what it prints has this
	boots  string // the node that has to be switched on again after it
	settle bool   // what it speaks of has to be at rest first
}

var cell = regexp.MustCompile("`([^`]*)`")

// column returns the commands in one column of the table of a document that begin with a word.
func column(t *testing.T, text string, at int, program string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 4 {
			continue
		}
		for _, m := range cell.FindAllStringSubmatch(cells[at], -1) {
			if m[1] == program || strings.HasPrefix(m[1], program+" ") {
				out = append(out, m[1])
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d commands of %s were found in the table: has its form changed?", len(out), program)
	}
	return out
}

// wordsStory is a cluster on which commands of documents are typed as they stand there, each on the same scene.
type wordsStory struct {
	*cluster.Cluster
	scene *cib.Configuration
	first uint64 // revision of the scene
}

// The words of the documents work: what the translation table says for crmsh and for paceline, and every command of the
// operations page, typed as it stands there, on a cluster that has what it speaks of.
func TestWordsOfTheDocuments(t *testing.T) {
	needAgent(t, "heartbeat", "IPaddr2", "resource-agents")
	o := storyLab(t, 4)
	if err := lab.SystemdUsable(); err != nil {
		t.Skip(err)
	}
	o.Systemd = true
	c, err := cluster.Boot(t.Context(), cluster.Options{Lab: o, Bin: binaries(t)})
	must(t, err)
	cleanUp(t, c)
	must(t, c.PutAgent("diary", diary))
	w := &wordsStory{Cluster: c}
	w.form(t)
	table, err := os.ReadFile("../docs/from-crmsh-and-pcs.md")
	must(t, err)
	crm := column(t, string(table), 0, "crm")
	t.Run("crm", func(t *testing.T) { w.typeAll(t, crm, crmWords) })
	// What is said by the same words has been typed already.
	ours := slices.DeleteFunc(column(t, string(table), 2, "paceline"), func(line string) bool {
		_, special := pacelineWords[line]
		return !special && slices.Contains(crm, "crm"+strings.TrimPrefix(line, "paceline"))
	})
	t.Run("paceline", func(t *testing.T) { w.typeAll(t, ours, pacelineWords) })
	page, err := os.ReadFile("../docs/operations.md")
	must(t, err)
	t.Run("operations", func(t *testing.T) { w.typeAll(t, commandsOf(string(page)), operationsWords) })
}

// form makes a cluster of three of the four nodes, with the scene.
func (w *wordsStory) form(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	_, err := w.Run(ctx, "node1", "cluster", "init", "--name", "demo", "--address", w.Node("node1").Addr.String())
	must(t, err)
	must(t, w.Join(ctx, "node2"))
	must(t, w.Join(ctx, "node3"))
	must(t, w.Load(ctx, wordsScene))
	await(t, w.Cluster, "the scene to be set", w.set)
	_, err = w.Node("node1").Exec(ctx, "sh", "-ec", "mkdir -p /run/words; ln -sf /lab/bin/paceline /run/words/crm; cd /run/words; "+
		"printf '#!/bin/sh\nexec sed -i s/20s/30s/ \"$1\"\n' >editor; chmod +x editor; "+
		"paceline configure save f.crm; sed s/8080/8081/ f.crm >all.crm; paceline configure xml >cib.xml; "+
		"printf 'primitive web ocf:lab:diary params port=8082 level=low op monitor interval=20s timeout=20s\n' >web.crm")
	must(t, err)
	client, err := w.API("node1")
	must(t, err)
	r, err := client.Configuration(ctx, 0)
	must(t, err)
	w.scene, w.first = r.Configuration, r.Revision
}

// set says that the scene is as it was at first: everything runs, and nothing is under way.
func (w *wordsStory) set(s *api.Status) bool {
	return cluster.Online(s, "node1", "node2", "node3") && cluster.Where(s, "web") != "" && cluster.Quiet(s)
}

// typeAll types commands, each on the scene. Words that belong to no command are a mistake.
func (w *wordsStory) typeAll(t *testing.T, lines []string, words map[string]word) {
	for line := range words {
		if !slices.Contains(lines, line) {
			t.Errorf("the document has no command %q any more", line)
		}
	}
	begin := time.Now()
	for _, line := range lines {
		k := words[line]
		if k.on == "" {
			k.on = "node1"
		}
		if k.settle {
			await(t, w.Cluster, "the scene for "+line, w.set)
		}
		w.prepare(t, k.on, k.before)
		out, status := w.typed(t, k.on, cmp.Or(k.typed, line))
		if status != k.status || !regexp.MustCompile(k.says).MatchString(out) {
			t.Errorf("%s\nexit status %d, want %d, and %q in:\n%s", line, status, k.status, k.says, out)
		} else if strings.Contains(out, "error: ") && !strings.Contains(out, "hint: ") {
			t.Errorf("%s is refused without saying what to do instead:\n%s", line, out)
		}
		w.prepare(t, k.on, k.after)
		w.reset(t)
		if k.boots != "" {
			must(t, w.Node(k.boots).Boot(t.Context()))
			await(t, w.Cluster, k.boots+" to be back", w.set)
		}
	}
	t.Logf("%d commands in %v", len(lines), time.Since(begin).Round(time.Millisecond))
}

// prepare runs a line that has to work.
func (w *wordsStory) prepare(t *testing.T, node, line string) {
	t.Helper()
	if line == "" {
		return
	}
	if out, status := w.typed(t, node, line); status != 0 {
		t.Errorf("%s\nexit status %d: %s", line, status, out)
	}
}

// typed runs a line of the shell: its stages on the nodes that ssh names, the first and what names none on the one given.
func (w *wordsStory) typed(t *testing.T, node, line string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	line = strings.ReplaceAll(line, " 41", " "+strconv.FormatUint(w.first, 10)) // some revision that there is
	input := ""
	status := 0
	for _, stage := range strings.Split(line, " | ") {
		on := node
		if rest, ok := strings.CutPrefix(stage, "ssh "); ok {
			on, stage, _ = strings.Cut(rest, " ")
			if on == "old" {
				on, stage = "node1", "cat cib.xml"
			}
		}
		out, err := w.Node(on).ExecInput(ctx, strings.NewReader(input), "sh", "-c",
			"mkdir -p /run/words; cd /run/words; export PATH=/run/words:$PATH EDITOR=/run/words/editor HOME=/run/words; "+stage)
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			status = exit.ExitCode()
		case err != nil:
			t.Fatal(err)
		}
		if status != 0 {
			return out, status
		}
		input = out
	}
	return input, 0
}

// reset brings the configuration of the scene back.
func (w *wordsStory) reset(t *testing.T) {
	t.Helper()
	client, err := w.API("node1")
	must(t, err)
	s, err := client.Status(t.Context())
	must(t, err)
	if s.ConfigRevision == w.first {
		return
	}
	r, err := client.Change(t.Context(), api.ChangeRequest{Configuration: w.scene, Yes: true, Message: "the scene again"})
	must(t, err)
	w.first = r.ConfigRevision
}

const (
	shadow   = "paceline cib new x"
	noShadow = "paceline cib use live; paceline cib delete x"
	clone    = "paceline configure clone db-clone db meta promotable=true"
	operator = `paceline configure role operator read xpath:/cib write xpath:"//resources//meta_attributes/nvpair[@name='target-role']"`
	// asks is what a command says that takes the last copy of something down, empties a node or reaches for its power.
	asks = "hint: add --yes"
)

// crmWords are the commands of crmsh that need something, or are answered otherwise than there; the others just work.
var crmWords = map[string]word{
	"crm cluster init":                           {status: 3, says: "paceline cluster leave takes it out"},
	"crm cluster join -c node1":                  {status: 2, says: "paceline cluster token"},
	"crm cluster remove node2":                   {status: 3, says: "on node2: paceline cluster leave"},
	"crm configure delete web":                   {status: 3, says: asks},
	"crm configure set web.monitor.interval 20s": {typed: "crm configure set web.monitor.interval 25s", says: "committed"},
	"crm configure rename web portal":            {status: 3, says: asks},
	"crm configure modgroup front add files":     {before: "paceline ticket grant t"},
	"crm configure rsctest dns":                  {before: "paceline resource stop dns --yes --wait", says: "passed"},
	"crm cib new x":                              {after: noShadow},
	"crm cib commit x":                           {before: shadow + "; paceline configure primitive extra Dummy", after: "paceline cib delete x", says: `\+ primitive "extra"`},
	"crm resource promote db-clone":              {before: clone},
	"crm resource demote db-clone":               {before: clone},
	"crm site ticket show t":                     {says: "t: granted"},
	"crm script list":                            {status: 2, says: "paceline configure apply"},
	"crm node fence node2":                       {before: "paceline resource move web node2 --stay", status: 3, says: asks, settle: true},
	"crm resource move web node2":                {settle: true},
	"crm resource trace web monitor":             {settle: true}, // what is on its way to another node would be restarted
}

// pacelineWords are those of the other column.
var pacelineWords = map[string]word{
	"paceline status --watch":                  {typed: "timeout 1 paceline status --watch; test $? = 124", says: "Online: "},
	"paceline resource start web --wait":       {before: "paceline resource stop web --yes --wait", says: "web"},
	"paceline configure apply f.crm --dry-run": {before: "paceline configure property maintenance-mode=true", status: 2, says: "maintenance-mode"},
	"paceline configure commit":                {typed: `printf 'configure\nprimitive extra Dummy\ncommit\n' | paceline`, says: `\+ primitive "extra"`},
	"paceline cluster init":                    {on: "node4", after: "paceline cluster leave --yes", says: "paceline cluster join "},
	"paceline cluster join -":                  {on: "node4", typed: "ssh node1 paceline cluster token | paceline cluster join -", after: "paceline cluster leave --yes", says: "is a .* of cluster demo"},
	"paceline cluster leave node2":             {status: 3, says: "on node2: paceline cluster leave"},
	"paceline configure plan f.crm":            {before: "paceline configure property maintenance-mode=true", status: 2, says: "maintenance-mode"},
	"paceline node fence node2":                {typed: "paceline node fence node2 --yes", boots: "node2", settle: true},
	"paceline configure undo":                  {before: "paceline configure property maintenance-mode=true", says: "maintenance-mode"},
}

// operationsWords are those of the operations page.
var operationsWords = map[string]word{
	"paceline configure plan all.crm":                                        {status: 2, says: "web restarts from"},
	"paceline configure plan":                                                {before: shadow + "; paceline configure delete web", after: noShadow, status: 2, says: "web stops"},
	"paceline cib new winter":                                                {after: "paceline cib use live; paceline cib delete winter"},
	"paceline cib diff":                                                      {before: shadow + "; paceline configure delete web", after: noShadow, says: "-primitive web"},
	"paceline cib commit -m 'winter set-up'":                                 {before: shadow + "; paceline configure primitive extra Dummy", after: "paceline cib delete x", says: "winter|extra"},
	"paceline configure delete web":                                          {status: 3, says: asks},
	"paceline resource move web node2":                                       {settle: true, says: "web"},
	"paceline resource move web":                                             {settle: true, says: "web"},
	"paceline resource move web node2 --until 2h":                            {settle: true, says: "until"},
	"paceline node fence node2":                                              {before: "paceline resource move web node2 --stay", status: 3, says: asks, settle: true},
	"paceline node fence --confirmed node2":                                  {status: 3, says: "node2"},
	"paceline cluster token | ssh node4 paceline cluster join -":             {after: "ssh node4 paceline cluster leave --yes", says: "is a .* of cluster demo"},
	"paceline cluster rotate-key":                                            {settle: true, says: "the cluster's key is"},
	"paceline cluster rotate-key --without-absent":                           {settle: true, says: "the cluster's key is"},
	"paceline cluster token | ssh node3 paceline cluster renew-key -":        {settle: true, says: "this node has the cluster's key"},
	"paceline cluster leave":                                                 {before: "paceline resource move web node1 --stay", status: 3, says: asks, settle: true},
	"paceline cluster leave node3":                                           {status: 3, says: "on node3: paceline cluster leave"},
	"paceline cluster force-quorum":                                          {status: 3, says: "there is quorum"},
	"paceline explain":                                                       {typed: "paceline explain db", says: "db"},
	"paceline resource start web":                                            {before: "paceline resource stop web --yes", says: "web"},
	"paceline configure acl_target carol operator":                           {before: operator, says: "carol"},
	"paceline access token create --user alice --role operator --expires 8h": {before: operator},
	"paceline --host node1 status": {
		before: "mkdir -p .config/paceline; umask 077; paceline access token create --user m --scope read >.config/paceline/token", says: "Cluster: demo",
	},
	"paceline access token revoke ID": {typed: `paceline access token revoke $(paceline access token list --json|grep -o "\"id\": \"[0-9a-f]*"|cut -d\" -f4|head -n1)`, says: "good for nothing"},
	"paceline status --watch --json":  {typed: "timeout 1 paceline status --watch --json; test $? = 124", says: `"schema":1`},
}

// commandsOf lists the commands in a page: the lines of its blocks of code for the shell, and what its text has in backquotes.
func commandsOf(text string) []string {
	var out []string
	add := func(line string) {
		if !strings.Contains(line, "...") && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	block := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if kind, ok := strings.CutPrefix(line, "```"); ok {
			block = map[bool]string{true: "", false: cmp.Or(kind, "text")}[block != ""]
			continue
		}
		switch {
		case block == "sh":
			command, _, _ := strings.Cut(line, " #")
			if command = strings.TrimSpace(command); strings.Contains(command, "paceline ") {
				add(command)
			}
		case block == "":
			for _, m := range inlineCommand.FindAllStringSubmatch(line, -1) {
				add(m[1])
			}
		}
	}
	return out
}

var inlineCommand = regexp.MustCompile("`(paceline [^`]*)`")
