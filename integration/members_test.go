package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// roleOf is what a status says that a node is in the cluster, "" if it does not know the node.
func roleOf(s *api.Status, node string) string {
	for _, n := range s.Nodes {
		if n.Name == node {
			return n.Role
		}
	}
	return ""
}

// says runs a command on a node and returns what it printed, which has to have the words in it.
func says(t *testing.T, c *cluster.Cluster, node string, args []string, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	out, err := c.Run(ctx, node, args...)
	if err != nil {
		t.Fatalf("paceline %v on %s: %v", args, node, err)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("paceline %v on %s does not say %q:\n%s", args, node, w, out)
		}
	}
	return out
}

// killed cuts the power of a node that runs the shop, and returns when the shop is open elsewhere. The node was fenced
// before anything started.
func killed(t *testing.T, c *cluster.Cluster, victim string) *api.Status {
	t.Helper()
	cut := time.Now()
	must(t, c.Node(victim).Kill())
	s := await(t, c, "the shop to open elsewhere", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != victim && open(s)
	})
	f, err := c.Failover(victim, cut)
	must(t, err)
	if f.FenceEnded.IsZero() || f.StartBegan.Before(f.FenceEnded) {
		t.Errorf("%s was not fenced first: %+v", victim, f)
	}
	t.Logf("%s lost its power; started on %s after %v", victim, cluster.Where(s, "ip"), f.StartBegan.Sub(cut).Round(time.Millisecond))
	return s
}

// Two nodes and a witness are a majority of three when a node dies: the witness votes, and never runs anything, also when
// it is asked to.
func TestWitness(t *testing.T) {
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: storyLab(t, 3)})
	must(t, err)
	cleanUp(t, c)
	says(t, c, "node1", []string{"cluster", "init", "--name", "first", "--address", c.Node("node1").Addr.String()})
	must(t, c.Join(t.Context(), "node2"))
	says(t, c, "node3", []string{"cluster", "join", "--witness", "--address", c.Node("node3").Addr.String(), joinToken(t, c, "node1")}, "witness")
	whole := func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 3 && s.Quorum.Votes == 3 && s.Quorum.Witness == "node3" &&
			roleOf(s, "node3") == api.RoleWitness && cluster.Quiet(s)
	}
	await(t, c, "two nodes and a witness", whole)
	// Opt-out placement, and nobody says a word against node3: it is the witness, and that is enough.
	must(t, c.Load(t.Context(), strings.ReplaceAll(shop, " node3", "")+"clone everywhere many\nprimitive many ocf:paceline:process params command=sleep args=999999\n"))
	s := await(t, c, "the shop to open", open)
	says(t, c, "node3", []string{"status"}, "Node node3: online (witness)")
	fails(t, c, "node1", "", 3*time.Second, []string{"resource", "move", "shop", "node3"}, "node3 is a witness")
	fails(t, c, "node3", "", 3*time.Second, []string{"node", "standby", "node3"}, "node3 is a witness")

	killed(t, c, cluster.Together(s, "ip", "web"))
	if s, err = c.Await(t.Context(), "the verdict", func(s *api.Status) bool { return s.Quorum.Quorate }); err != nil {
		t.Fatal(err)
	}
	t.Logf("after the power cut: %s", s.Quorum.Reason)
	for _, n := range c.Nodes() {
		if !n.On() {
			must(t, n.Boot(t.Context()))
		} else if b, err := os.ReadFile(n.Log("pacelined")); err != nil || strings.Contains(string(b), "takes over") {
			t.Errorf("%s took over as if it were one of two (%v)", n.Name, err)
		}
	}
	await(t, c, "two nodes and a witness again", whole)
	must(t, c.Node("node3").Kill())
	await(t, c, "people to be told that the witness is lost", func(s *api.Status) bool {
		return open(s) && s.Quorum.Votes == 2 && slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return p.Object == "node3" })
	})
	says(t, c, "node1", []string{"status"}, "Node node3 (witness): OFFLINE (it is not heard any more", "the witness node3 is not heard")
	audit(t, c)
	journals, err := c.Journals()
	must(t, err)
	for _, e := range journals["node3"] {
		if e.Kind == executor.KindBegin || e.Kind == executor.KindFenceBegin {
			t.Errorf("the witness was given work: %+v", e)
		}
	}
}

// Of four nodes three vote. The fourth holds no log: it runs what it is given, every command works on it, its death is as
// any other's, and it takes the place of a voter that is confirmed dead.
func TestMemberWithoutVote(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 4)})
	s := await(t, c, "three voters", func(s *api.Status) bool { return s.Quorum.Total == 3 && cluster.Quiet(s) })
	var member string
	for _, n := range c.Nodes() {
		if roleOf(s, n.Name) == api.RoleMember {
			member = n.Name
		}
	}
	if member == "" {
		t.Fatalf("all of four nodes vote: %s", cluster.Describe(s))
	}
	must(t, c.Load(t.Context(), strings.Replace(shop, "node3\"", "node3 node4\"", 1)+"location here shop 500: "+member+"\n"))
	on := func(node string) func(*api.Status) bool {
		return func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") == node }
	}
	await(t, c, "the shop to open on the member", on(member))

	says(t, c, member, []string{"status"}, "3 voters of 3", member)
	says(t, c, member, []string{"cluster", "status"}, "member")
	says(t, c, member, []string{"configure", "show"}, "location here shop 500: "+member)
	says(t, c, member, []string{"configure", "commit-history"}, "load update")
	says(t, c, member, []string{"explain", "shop"}, member)
	says(t, c, member, []string{"resource", "move", "shop", s.Coordinator})
	await(t, c, "the shop to move", on(s.Coordinator))
	says(t, c, member, []string{"resource", "clear", "shop"})
	await(t, c, "the shop to come back", on(member))
	says(t, c, member, []string{"node", "standby", member})
	await(t, c, "the shop to leave", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") != member })
	says(t, c, member, []string{"node", "online", member})
	await(t, c, "the shop to come back again", on(member))

	killed(t, c, member)
	must(t, c.Node(member).Boot(t.Context()))
	s = await(t, c, "the member to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3", "node4") && on(member)(s)
	})
	if s.Quorum.Total != 3 || roleOf(s, member) != api.RoleMember {
		t.Errorf("the voters changed for the death of one who was none: %s", s.Quorum.Reason)
	}

	voter := s.Coordinator
	cut := time.Now()
	must(t, c.Node(voter).Kill())
	s = await(t, c, "the member to become a voter", func(s *api.Status) bool {
		return !s.Stale && s.Coordinator != "" && s.Coordinator != voter && s.Quorum.Total == 3 && s.Quorum.Votes == 3 && roleOf(s, member) == api.RoleVoter
	})
	t.Logf("%s votes in place of %s after %v", member, voter, time.Since(cut).Round(time.Millisecond))
	if took := time.Since(cut); took > 10*time.Second {
		t.Errorf("that took %v", took)
	}
	fenced := slices.ContainsFunc(c.Switch().Events(), func(e lab.PowerEvent) bool { return e.Node == voter && strings.HasPrefix(e.What, "asked:off") })
	if !fenced {
		t.Errorf("%s lost its vote without being fenced", voter)
	}
	must(t, c.Node(voter).Boot(t.Context()))
	s = await(t, c, "the voter to be back, as a member", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3", "node4") && open(s)
	})
	if s.Quorum.Total != 3 || roleOf(s, voter) != api.RoleMember {
		t.Errorf("%s is a %s of %d voters", voter, roleOf(s, voter), s.Quorum.Total)
	}
	audit(t, c)
}

// history is all commits of the configuration, as a node's command line tells them.
func history(t *testing.T, c *cluster.Cluster, node string) []api.Commit {
	t.Helper()
	out, err := c.Node(node).Output(t.Context(), "paceline", "configure", "commit-history", "--json", "--number", "1000")
	must(t, err)
	var r api.HistoryReply
	must(t, json.Unmarshal(out, &r))
	return r.Commits
}

// keeps fails the story if commits of before are not in what a node tells now, as they were.
func keeps(t *testing.T, c *cluster.Cluster, node string, before []api.Commit) {
	t.Helper()
	now := map[uint64]api.Commit{}
	for _, x := range history(t, c, node) {
		now[x.Revision] = x
	}
	for _, x := range before {
		if got := now[x.Revision]; !got.Time.Equal(x.Time) || got.Message != x.Message || fmt.Sprint(got.Changes) != fmt.Sprint(x.Changes) {
			t.Errorf("%s: the commit %d was %q of %v, and is %q of %v", node, x.Revision, x.Message, x.Time, got.Message, got.Time)
		}
	}
}

// lastEntry returns where in a database file the value of raft's last log entry lies: all copies of it.
func lastEntry(t *testing.T, path string) []int {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	must(t, err)
	var value []byte
	err = db.View(func(tx *bbolt.Tx) error {
		_, v := tx.Bucket([]byte("log")).Cursor().Last()
		value = bytes.Clone(v)
		return nil
	})
	must(t, err)
	must(t, db.Close())
	file, err := os.ReadFile(path)
	must(t, err)
	var places []int
	for at := 0; ; {
		i := bytes.Index(file[at:], value)
		if i < 0 {
			return places
		}
		places = append(places, at+i)
		at += i + len(value)
	}
}

// overwrite puts bytes into a file at places.
func overwrite(t *testing.T, path, text string, places ...int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	for _, at := range places {
		_, err := f.WriteAt([]byte(text), int64(at))
		must(t, err)
	}
	must(t, f.Close())
}

// The end of a node's log is overwritten while it is off: it says so, gets from the others what it lost, and then is as
// good as any. The power of all three nodes at once loses nothing either.
func TestDamagedLog(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	for i := range 3 {
		must(t, commit(t.Context(), c, fmt.Sprintf("whole-%d", i)))
	}
	hurt, other := "", ""
	for _, n := range c.Nodes() {
		if n.Name != s.Coordinator && hurt == "" {
			hurt = n.Name
		} else if n.Name != s.Coordinator {
			other = n.Name
		}
	}
	must(t, c.Node(hurt).Kill())
	db := c.Node(hurt).Disk("/var/lib/paceline/raft.db")
	places := lastEntry(t, db)
	if len(places) == 0 {
		t.Fatal("the last entry of the log is not in the file")
	}
	overwrite(t, db, "damage", places...)
	await(t, c, "the loss of the node to be settled", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") != hurt })
	must(t, commit(t.Context(), c, "meanwhile"))
	must(t, c.Node(hurt).Boot(t.Context()))
	await(t, c, "the node to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && s.Quorum.Total == 3 && open(s)
	})
	if !strings.Contains(c.LogTail(hurt, 300), "log entries are damaged") {
		t.Errorf("the daemon does not say that its log is damaged:\n%s", c.LogTail(hurt, 300))
	}
	before := history(t, c, hurt)
	if len(before) < 5 {
		t.Fatalf("%d commits are remembered", len(before))
	}

	// Without a third node whatever is committed needs the hurt node's log.
	must(t, c.Node(other).Kill())
	await(t, c, "the shop to open on what is left", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") != other })
	must(t, commit(t.Context(), c, "with-the-hurt-one"))
	keeps(t, c, hurt, before)
	before = history(t, c, hurt)
	must(t, c.Node(other).Boot(t.Context()))
	await(t, c, "all to be back", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") && open(s) })

	var wg sync.WaitGroup
	for _, n := range c.Nodes() {
		wg.Go(func() { _ = n.Kill() })
	}
	wg.Wait()
	dark := time.Now()
	for _, n := range c.Nodes() {
		must(t, n.Boot(t.Context()))
	}
	await(t, c, "the shop to open after the dark", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") && open(s) })
	t.Logf("the shop is open %v after the first boot", time.Since(dark).Round(time.Millisecond))
	for _, n := range c.Nodes() {
		keeps(t, c, n.Name, before)
		must(t, committed(t.Context(), c, n.Name, "whole-0", "whole-2", "meanwhile", "with-the-hurt-one"))
	}
	audit(t, c)
}

// The founder's database is cut in half: its daemon refuses it and says what to do. Done as it says, the node comes back
// as a member of its cluster, not as the founder of another one.
func TestTruncatedLog(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	await(t, c, "the shop to open", open)
	must(t, commit(t.Context(), c, "whole"))
	must(t, c.Node("node1").Kill())
	data := c.Node("node1").Disk("/var/lib/paceline")
	info, err := os.Stat(data + "/raft.db")
	must(t, err)
	must(t, os.Truncate(data+"/raft.db", info.Size()/2))
	await(t, c, "the loss of the node to be settled", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") != "node1" })
	before := history(t, c, "node2")
	must(t, c.Node("node1").Boot(t.Context()))
	_, err = c.Node("node1").AwaitExit(t.Context(), "pacelined")
	must(t, err)
	for _, w := range []string{"is damaged", "ends too early", "join again"} {
		if log := c.LogTail("node1", 20); !strings.Contains(log, w) {
			t.Errorf("the daemon does not say %q:\n%s", w, log)
		}
	}

	must(t, os.Rename(data, data+".damaged"))
	must(t, os.Mkdir(data, 0o700))
	must(t, c.StartDaemon(t.Context(), "node1"))
	await(t, c, "node1 to be back", func(s *api.Status) bool {
		return s.Node != "node1" && cluster.Online(s, "node1", "node2", "node3") && s.Quorum.Total == 3 && open(s)
	})
	// Entries of its own founding would pass for those of the first term of the real one, and stay.
	_, since, _ := strings.Cut(c.LogTail("node1", 1000), "can not go on")
	if strings.Contains(since, "this node coordinates the cluster") {
		t.Errorf("node1 founded a second cluster:\n%s", since)
	}
	keeps(t, c, "node1", before)
	must(t, committed(t.Context(), c, "node1", "whole"))
	audit(t, c)
}

// Of two changes made of one state on two nodes one is refused; two loads are merged; and a rollback brings back what was,
// also on the nodes, as one more commit.
func TestRollback(t *testing.T) {
	c := newcomers(t, 3)
	must(t, c.Load(t.Context(), "property stonith-enabled=false\nprimitive a ocf:paceline:process params command=sleep args=1000000\n"))
	await(t, c, "a to run", func(s *api.Status) bool { return cluster.Where(s, "a") != "" && cluster.Quiet(s) })
	old := says(t, c, "node1", []string{"configure", "show"}, "args=1000000")
	revision := history(t, c, "node1")[0].Revision

	must(t, c.Load(t.Context(), "primitive a ocf:paceline:process params command=sleep args=2000000\nprimitive b ocf:paceline:process params command=sleep args=3000000\n"))
	await(t, c, "b to run", func(s *api.Status) bool {
		return cluster.Where(s, "a") != "" && cluster.Where(s, "b") != "" && cluster.Quiet(s)
	})
	says(t, c, "node2", []string{"configure", "rollback", "--yes", fmt.Sprint(revision)})
	await(t, c, "b to be gone", func(s *api.Status) bool {
		return cluster.Where(s, "a") != "" && len(s.Resources) == 1 && cluster.Quiet(s)
	})
	if now := says(t, c, "node3", []string{"configure", "show"}); now != old {
		t.Errorf("the configuration is\n%s\nit was\n%s", now, old)
	}
	if h := history(t, c, "node3"); h[0].Message != fmt.Sprintf("rollback to %d", revision) || h[2].Revision != revision {
		t.Errorf("the history does not tell of the rollback: %+v", h)
	}
	journals, err := c.Journals()
	must(t, err)
	starts := 0
	for _, entries := range journals {
		for _, r := range executor.Runs(entries) {
			if r.Resource == "a" && r.Operation == resources.Start {
				starts++
			}
		}
	}
	if starts != 3 {
		t.Errorf("a was started %d times: at first, with other parameters, and with the old ones again", starts)
	}
	fails(t, c, "node1", "", 3*time.Second, []string{"configure", "rollback", "--yes", "4711"}, "4711")
	fails(t, c, "node1", "", 3*time.Second, []string{"configure", "rollback", "--yes", "zero"}, "zero")

	// Two people, one state.
	s := await(t, c, "the state", func(s *api.Status) bool { return cluster.Quiet(s) })
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, node := range []string{"node1", "node3"} {
		client, err := c.API(node)
		must(t, err)
		value := node
		wg.Go(func() {
			_, errs[i] = client.Change(t.Context(), api.ChangeRequest{
				BaseRevision: s.ConfigRevision, Message: node,
				Change: &cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node1", Name: "who", Value: &value}},
			})
		})
	}
	wg.Wait()
	refused := 0
	for _, err := range errs {
		if e, ok := err.(*api.Error); ok && e.Code == api.CodeConflict {
			refused++
			t.Log(err)
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != 1 {
		t.Errorf("%d of two changes of one state were refused", refused)
	}
	// The same by the command line, which merges.
	for i, node := range []string{"node1", "node3"} {
		wg.Go(func() {
			_, errs[i] = c.RunInput(t.Context(), node, fmt.Sprintf("primitive by-%s ocf:paceline:process params command=sleep args=1000000\n", node), "configure", "load", "update", "-")
		})
	}
	wg.Wait()
	for _, err := range errs {
		must(t, err)
	}
	await(t, c, "what both added to run", func(s *api.Status) bool {
		return cluster.Where(s, "by-node1") != "" && cluster.Where(s, "by-node3") != ""
	})
	twoEditors(t, c)
}

// twoEditors has two people on two nodes edit shadow copies of one revision. What they did to other things merges; what they both
// did to one is shown to the second, who commits nothing.
func twoEditors(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	stateHome := t.TempDir()
	paceline := func(node string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), storyMax)
		defer cancel()
		return c.Node(node).Exec(ctx, append([]string{"env", "XDG_STATE_HOME=" + filepath.Join(stateHome, node), "paceline"}, args...)...)
	}
	do := func(node string, args ...string) string {
		t.Helper()
		out, err := paceline(node, args...)
		must(t, err)
		return out
	}
	edit := func(node, line string) {
		t.Helper()
		do(node, "cib", "new", "mine")
		do(node, append([]string{"configure"}, strings.Fields(line)...)...)
	}
	edit("node1", "primitive from-node1 ocf:paceline:process params command=sleep args=1000000")
	edit("node3", "primitive from-node3 ocf:paceline:process params command=sleep args=1000000")
	do("node1", "cib", "commit", "mine", "-m", "first")
	if out := do("node3", "cib", "commit", "mine", "-m", "second"); !strings.Contains(out, "merged with what was committed since") {
		t.Errorf("the second commit tells nothing of the merge:\n%s", out)
	}
	await(t, c, "what both editors added to run", func(s *api.Status) bool {
		return cluster.Where(s, "from-node1") != "" && cluster.Where(s, "from-node3") != ""
	})
	says(t, c, "node3", []string{"configure", "blame", "from-node1"}, "first")

	do("node1", "cib", "delete", "mine")
	do("node3", "cib", "delete", "mine")
	edit("node1", "node node1 attributes rack=7")
	edit("node3", "node node1 attributes rack=8")
	do("node1", "cib", "commit", "mine")
	out, err := paceline("node3", "cib", "commit", "mine")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("the second change of one attribute was not refused with status 3: %v", err)
	}
	for _, w := range []string{`node "node1" attribute "rack"`, "rack=8", "committed meanwhile", "rack=7"} {
		if !strings.Contains(out, w) {
			t.Errorf("the refusal does not say %q:\n%s", w, out)
		}
	}
	says(t, c, "node2", []string{"configure", "show", "node1"}, "rack=7")
}
