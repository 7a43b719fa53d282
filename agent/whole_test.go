package agent

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/peer"
	"paceline/agent/store"
	"paceline/fencing"
	"paceline/resources"
)

var (
	wholeSeeds = flag.Int("whole", 4, "how many seeds of whole nodes in virtual time to run")
	wholeFirst = flag.Uint64("whole-seed", 1, "the first of them")
)

// whole is a cluster of whole daemons in one bubble of virtual time: real gossip, raft, TLS, executors, journals and files;
// the network, the agents and the power only pretend. What is checked is what the agents were told to do.
type whole struct {
	t     *testing.T
	rng   *rand.Rand
	wires *wires
	key   peer.Key
	began time.Time
	nodes []*wholeNode
	short store.Compaction // of the logs, so that snapshots are taken and sent

	mu     sync.Mutex
	active map[string]map[string]bool // resource -> nodes
	leads  map[string]bool            // nodes on which cq is promoted
	device string                     // "", refuses, slow
	dark   bool                       // who is fenced does not come up again by itself
	over   bool
	ended  bool
	calm   bool
	fenced int
	starts int
	faults map[string]int
	log    []string
	bad    string
	judged map[string]int

	virtual time.Duration
	wg      sync.WaitGroup
}

type wholeNode struct {
	w             *whole
	name, ip, dir string
	links         []string // further addresses

	mu      sync.Mutex
	d       *Daemon
	plug    *plug
	cancel  context.CancelFunc
	power   bool
	stopped chan struct{} // closed when the daemon before has ended
}

func (n *wholeNode) daemon() *Daemon {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.d
}

func (n *wholeNode) socket() *plug {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.plug
}

// run is one seed.
func runWhole(t *testing.T, seed uint64) (sum *whole) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 11))
		w := &whole{
			t: t, rng: rng, wires: newWires(seed), key: peer.NewKey(), began: time.Now(),
			active: map[string]map[string]bool{}, leads: map[string]bool{}, faults: map[string]int{}, calm: seed%10 == 0,
		}
		sum = w
		if rng.IntN(2) == 0 {
			w.short = store.Compaction{
				After: 10 + uint64(rng.IntN(90)), Keep: 5 + uint64(rng.IntN(20)), Every: 200*time.Millisecond + time.Duration(rng.Int64N(int64(3*time.Second))),
			}
		}
		dir := wholeDir(t)
		for i := range 2 + rng.IntN(6) {
			n := &wholeNode{w: w, name: fmt.Sprintf("n%d", i+1), ip: fmt.Sprintf("10.0.0.%d", i+1), dir: filepath.Join(dir, fmt.Sprint(i+1))}
			w.nodes = append(w.nodes, n)
			n.write(i == 0)
		}
		defer func() {
			w.virtual = time.Since(w.began)
			w.end()
		}()
		for _, n := range w.nodes {
			n.on()
		}
		if !w.settle(time.Minute, true, "form a cluster") {
			return
		}
		if !w.load() || !w.settle(time.Minute, false, "start what is configured") {
			return
		}
		w.trouble()
		w.heal()
		w.settle(4*time.Minute, false, "come to rest after all is healed")
		w.audit()
	})
	return sum
}

// wholeDir is in memory where there is such a file system: every commit is synced.
func wholeDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "paceline-whole-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (w *whole) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf("%9.3f ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

func (w *whole) violate(format string, args ...any) {
	w.say("VIOLATION "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
	}
}

func (n *wholeNode) options() Options {
	registry := &resources.Registry{}
	registry.RegisterClass("ocf", wholeAgent{n})
	return Options{
		ConfigDir: filepath.Join(n.dir, "etc"), DataDir: filepath.Join(n.dir, "lib"), RunDir: filepath.Join(n.dir, "run"), Version: "whole",
		Logger: slog.New(&wholeLog{w: n.w, node: n.name}), Registry: registry, Devices: wholeSwitch{n}, Ready: func() {},
	}
}

// write makes the configuration of a node that is a member already.
func (n *wholeNode) write(first bool) {
	opt := n.options()
	f := File{Cluster: "whole", Node: n.name, Address: n.ip, Links: n.links, Bootstrap: first}
	if err := f.Validate(); err != nil {
		n.w.t.Fatal(err)
	}
	for _, dir := range []string{opt.ConfigDir, opt.DataDir, opt.RunDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			n.w.t.Fatal(err)
		}
	}
	if err := writeJSON(opt.filePath(), 0o644, f); err != nil {
		n.w.t.Fatal(err)
	}
	if err := n.w.key.Save(opt.keyPath()); err != nil {
		n.w.t.Fatal(err)
	}
}

// on starts the machine's daemon, with what Run does but for the control socket, which is the kernel's.
func (n *wholeNode) on() {
	n.mu.Lock()
	for n.d == nil && n.stopped != nil { // the daemon before still ends, and its files are its own. The lock is not held meanwhile: time would stand still
		before := n.stopped
		n.mu.Unlock()
		<-before
		n.mu.Lock()
		if n.stopped == before {
			n.stopped = nil
		}
	}
	defer n.mu.Unlock()
	if n.d != nil || n.w.finished() {
		return
	}
	if !n.power {
		n.plug = &plug{w: n.w.wires, ips: append([]string{n.ip}, n.links...)}
		os.RemoveAll(filepath.Join(n.dir, "run")) // as a reboot does
	}
	n.power = true
	opt := n.options()
	opt.network, opt.compaction = n.plug, n.w.short
	opt.uptime = func() time.Duration { return time.Since(n.w.began) }
	opt.complete()
	os.MkdirAll(opt.RunDir, 0o755)
	id, err := opt.identity()
	if err != nil {
		n.w.violate("%s does not know itself: %v", n.name, err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Daemon{opt: opt, log: opt.Logger, id: id, ctx: ctx}
	d.server = api.NewServer(api.Config{Backend: backend{d}, Logger: opt.Logger})
	f, err := LoadFile(opt.filePath())
	if err != nil {
		n.w.violate("%s has lost its configuration: %v", n.name, err)
		cancel()
		return
	}
	var contacts []string // what joining tells; later a node knows the others by itself
	if _, err := os.Stat(filepath.Join(opt.DataDir, "peers.json")); err != nil {
		for _, m := range n.w.nodes {
			if m != n {
				contacts = append(contacts, fmt.Sprintf("%s:%d", m.ip, f.GossipPort))
			}
		}
	}
	ring, err := peer.LoadRing(opt.keyPath())
	if err != nil {
		n.w.violate("%s has lost its key: %v", n.name, err)
		cancel()
		return
	}
	node, err := startNode(d, f, ring, contacts)
	if err != nil {
		cancel()
		n.w.violate("%s does not start: %v", n.name, err)
		return
	}
	d.mu.Lock()
	d.node = node
	d.mu.Unlock()
	n.d, n.cancel, n.stopped = d, cancel, make(chan struct{})
	n.w.say("%s is on (boot %s, incarnation %s)", n.name, id.Boot, id.Incarnation)
}

// off ends the daemon: at once with all it runs and its machine, or it alone. It does not wait for the end.
func (n *wholeNode) off(powerCut bool, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.d
	if powerCut && n.power {
		n.power = false
		n.plug.kill()
		n.w.mu.Lock()
		for _, on := range n.w.active {
			delete(on, n.name)
		}
		delete(n.w.leads, n.name)
		n.w.mu.Unlock()
	}
	if d == nil {
		return
	}
	n.w.say("%s is off: %s", n.name, why)
	n.d = nil
	n.cancel()
	stopped := n.stopped
	go func() {
		defer close(stopped)
		if node := d.current(); node != nil {
			node.stop()
		}
		d.wg.Wait()
	}()
}

// leave ends the daemon in good order.
func (n *wholeNode) leave() {
	d := n.daemon()
	if d == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	d.leaveInGoodOrder(ctx)
	n.off(false, "it left in good order")
}

// replace cuts the machine's power and brings it back with an empty disk.
func (n *wholeNode) replace(after time.Duration) {
	n.mu.Lock()
	stopped := n.stopped
	n.mu.Unlock()
	n.off(true, "its disk is lost")
	if stopped != nil {
		<-stopped
	}
	dir := n.options().DataDir
	n.mu.Lock()
	back := n.d != nil // something else has switched it on meanwhile
	if !back {
		os.RemoveAll(dir)
		os.Mkdir(dir, 0o700)
	}
	n.mu.Unlock()
	if back {
		n.w.say("%s keeps its disk", n.name)
		return
	}
	time.Sleep(after)
	n.on()
}

func (w *whole) finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *whole) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	for _, n := range w.nodes {
		n.off(false, "the end")
	}
	w.wg.Wait()
	for _, n := range w.nodes {
		if n.stopped != nil {
			<-n.stopped
		}
	}
	time.Sleep(time.Minute) // libraries leave goroutines behind that end with their time-outs
}

// wholeAgent is every agent of a node.
type wholeAgent struct{ n *wholeNode }

func (wholeAgent) MetaData(context.Context, resources.Agent) ([]byte, error) {
	return []byte("<resource-agent/>"), nil
}

func (a wholeAgent) Run(ctx context.Context, req resources.Request) resources.Result {
	w, name := a.n.w, a.n.name
	plug := a.n.socket()
	w.mu.Lock()
	took := time.Millisecond + time.Duration(w.rng.Int64N(int64(50*time.Millisecond)))
	fails := !w.over && !w.calm && w.rng.IntN(200) == 0
	w.mu.Unlock()
	start := func() {
		w.mu.Lock()
		on := w.active[req.Resource]
		if on == nil {
			on = map[string]bool{}
			w.active[req.Resource] = on
		}
		on[name] = true
		w.starts++
		var all []string
		for k := range on {
			all = append(all, k)
		}
		w.mu.Unlock()
		if len(all) > 1 && !strings.HasPrefix(req.Resource, "c") {
			slices.Sort(all)
			w.violate("%s is active twice: %v", req.Resource, all)
		}
	}
	if plug.isDead() {
		return resources.Result{Code: resources.GenericError, Reason: "no power"}
	}
	switch req.Operation {
	case resources.Start:
		start()
	case resources.Promote:
		w.mu.Lock()
		w.leads[name] = true
		two := len(w.leads) > 1
		w.mu.Unlock()
		if two {
			w.violate("%s is promoted on %s and elsewhere", req.Resource, name)
		}
	}
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return resources.Result{Code: resources.GenericError, Reason: "it took too long"}
	}
	if plug.isDead() {
		return resources.Result{Code: resources.GenericError, Reason: "no power"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch req.Operation {
	case resources.Start:
		if fails {
			delete(w.active[req.Resource], name)
			return resources.Result{Code: resources.GenericError, Reason: "it does not like to"}
		}
	case resources.Stop:
		delete(w.active[req.Resource], name)
	case resources.Demote:
		delete(w.leads, name)
	case resources.Monitor:
		if !w.active[req.Resource][name] {
			return resources.Result{Code: resources.NotRunning}
		}
		if req.Resource == "cq" && w.leads[name] {
			return resources.Result{Code: resources.RunningPromoted}
		}
	}
	return resources.Result{}
}

// wholeSwitch is the power switch, as a node reaches it.
type wholeSwitch struct{ n *wholeNode }

func (wholeSwitch) MetaData(context.Context, string) ([]byte, error) {
	return []byte(`<resource-agent name="fence_whole"><parameters><parameter name="plug"/></parameters><actions><action name="off"/><action name="reboot"/><action name="monitor"/></actions></resource-agent>`), nil
}

func (s wholeSwitch) Do(ctx context.Context, _ fencing.Device, action, target string) error {
	w := s.n.w
	if action != fencing.Off && action != fencing.Reboot {
		return nil
	}
	by := s.n.socket()
	w.mu.Lock()
	mode, calm := w.device, w.calm
	took := 10*time.Millisecond + time.Duration(w.rng.Int64N(int64(200*time.Millisecond)))
	if mode == "slow" {
		took = time.Second + time.Duration(w.rng.Int64N(int64(15*time.Second)))
	}
	back := 200*time.Millisecond + time.Duration(w.rng.Int64N(int64(3*time.Second)))
	early := time.Duration(w.rng.Int64N(int64(took)))
	w.mu.Unlock()
	pause := func(d time.Duration) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := pause(early); err != nil {
		return err
	}
	if by.isDead() {
		return fmt.Errorf("no power")
	}
	if mode == "refuses" {
		return fmt.Errorf("the outlet of %s does not switch", target)
	}
	if calm {
		w.violate("%s is fenced, and nothing was wrong", target)
	}
	for _, m := range w.nodes {
		if m.name == target {
			w.mu.Lock()
			w.fenced++
			dark := w.dark
			w.mu.Unlock()
			m.off(true, "fenced by "+s.n.name)
			if dark {
				continue
			}
			w.wg.Go(func() { // the machine comes up again by itself
				time.Sleep(back)
				m.on()
			})
		}
	}
	return pause(took - early)
}

// wholeLog keeps what the daemons say, from warnings on.
type wholeLog struct {
	w    *whole
	node string
	with []slog.Attr
}

func (l *wholeLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || testing.Verbose() && level >= slog.LevelInfo
}

func (l *wholeLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.w.say("%s: %s", l.node, text)
	return nil
}

func (l *wholeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &wholeLog{w: l.w, node: l.node, with: append(slices.Clone(l.with), attrs...)}
}

func (l *wholeLog) WithGroup(string) slog.Handler { return l }

// coordinator returns the daemon that coordinates; nil if none or several do.
func (w *whole) coordinator() *Daemon {
	var found *Daemon
	for _, n := range w.nodes {
		d := n.daemon()
		if d == nil {
			continue
		}
		if node := d.current(); node != nil {
			if _, local := node.coordinator(); local {
				if found != nil {
					return nil
				}
				found = d
			}
		}
	}
	return found
}

func (w *whole) apply(what string, ch cib.Change) bool {
	d := w.coordinator()
	if d == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := backend{d}.Apply(ctx, api.Command{Change: ch, User: "root", Message: what})
	w.say("%s: %v", what, err)
	return err == nil
}

// load configures what the cluster is to run.
func (w *whole) load() bool {
	text := `<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="true"/></cluster_property_set></crm_config><nodes/><resources>
<primitive id="power" class="stonith" type="fence_whole"/>
<primitive id="r1" class="ocf" provider="whole" type="Service"><operations><op id="r1-m" name="monitor" interval="5s" timeout="20s"/></operations></primitive>
<primitive id="r2" class="ocf" provider="whole" type="Service"><operations><op id="r2-m" name="monitor" interval="5s" timeout="20s"/></operations></primitive>
<group id="g"><primitive id="g1" class="ocf" provider="whole" type="Service"/><primitive id="g2" class="ocf" provider="whole" type="Service"/></group>
<clone id="c"><primitive id="cp" class="ocf" provider="whole" type="Service"/></clone>
<clone id="q"><meta_attributes id="qm"><nvpair id="qm1" name="promotable" value="true"/></meta_attributes><primitive id="cq" class="ocf" provider="whole" type="Service"><operations><op id="cq-m" name="monitor" interval="7s" role="Promoted" timeout="20s"/></operations></primitive></clone>
</resources><constraints><rsc_colocation id="col" rsc="r1" with-rsc="r2" score="-100"/><rsc_order id="ord" first="r2" then="r1"/>
<rsc_location id="q1" rsc="q" role="Promoted" node="n1" score="10"/><rsc_location id="q2" rsc="q" role="Promoted" node="n2" score="5"/></constraints></configuration><status/></cib>`
	c, _, err := cib.Decode(strings.NewReader(text))
	if err != nil {
		w.violate("the configuration: %v", err)
		return false
	}
	for range 20 {
		if d := w.coordinator(); d != nil {
			snap, err := backend{d}.Snapshot(context.Background())
			if err == nil {
				c.Configuration.Nodes = snap.CIB.Configuration.Nodes
				if w.apply("load", cib.Change{Configure: &cib.Configure{Configuration: c.Configuration}}) {
					return true
				}
			}
		}
		time.Sleep(time.Second)
	}
	w.violate("the configuration could not be loaded")
	return false
}

// audit puts what the nodes' own journals tell to the rules.
func (w *whole) audit() {
	var parts []audit.Part
	for _, n := range w.nodes {
		d := n.daemon()
		if d == nil {
			continue
		}
		p, err := backend{d}.AuditPart(context.Background())
		if err != nil {
			w.violate("%s tells nothing for an audit: %v", n.name, err)
			continue
		}
		p.Unsure = time.Millisecond // what journals count in
		parts = append(parts, *p)
	}
	rep := audit.Judge(parts)
	for _, f := range rep.Findings {
		w.violate("%v (%+v)", f.Error(), f.Fact)
	}
	w.judged = map[string]int{}
	for _, r := range rep.Rules {
		w.judged[r.Name] = r.Judged
	}
}

// trouble makes faults for a while.
func (w *whole) trouble() {
	w.mu.Lock()
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 1))
	w.mu.Unlock()
	if w.calm {
		time.Sleep(20 * time.Second)
		return
	}
	between := func(lo, hi time.Duration) time.Duration { return lo + time.Duration(rng.Int64N(int64(hi-lo))) }
	cut := func(a, b *wholeNode, d time.Duration, both bool) {
		if a == b {
			return
		}
		w.wires.set(a.ip, b.ip, true)
		if both {
			w.wires.set(b.ip, a.ip, true)
		}
		w.wg.Go(func() {
			time.Sleep(d)
			w.wires.set(a.ip, b.ip, false)
			w.wires.set(b.ip, a.ip, false)
		})
	}
	// A disk is lost once, and where nobody leaves, so that there are three voters: what a majority has written down stays.
	stays := len(w.nodes) >= 3 && rng.IntN(2) == 0
	wipes := stays
	end := time.Now().Add(between(5*time.Second, 30*time.Second))
	for time.Now().Before(end) {
		time.Sleep(between(100*time.Millisecond, 6*time.Second))
		n, m := w.nodes[rng.IntN(len(w.nodes))], w.nodes[rng.IntN(len(w.nodes))]
		kind := []string{"power cut", "daemon killed", "node cut off", "link cut", "link cut one way", "device", "restart", "operator", "node leaves", "all leave", "disk lost"}[rng.IntN(11)]
		switch {
		case kind == "disk lost" && !wipes:
			kind = "power cut"
		case kind == "disk lost":
			wipes = false
		case stays && (kind == "node leaves" || kind == "all leave"):
			kind = "restart"
		}
		w.say("fault: %s (%s, %s)", kind, n.name, m.name)
		w.mu.Lock()
		w.faults[kind]++
		w.mu.Unlock()
		switch kind {
		case "power cut", "daemon killed":
			n.off(kind == "power cut", kind)
			back := between(50*time.Millisecond, 8*time.Second)
			w.wg.Go(func() {
				time.Sleep(back)
				n.on()
			})
		case "restart":
			n.off(false, kind)
			n.on()
		case "disk lost":
			back := between(50*time.Millisecond, 8*time.Second)
			w.wg.Go(func() { n.replace(back) })
		case "node leaves", "all leave":
			back := between(50*time.Millisecond, 8*time.Second)
			going := []*wholeNode{n}
			if kind == "all leave" {
				going = slices.Clone(w.nodes)
				rng.Shuffle(len(going), func(i, j int) { going[i], going[j] = going[j], going[i] })
			}
			w.wg.Go(func() {
				for _, n := range going {
					n.leave()
				}
				time.Sleep(back)
				for _, n := range going {
					n.on()
				}
			})
		case "node cut off":
			d := between(200*time.Millisecond, 10*time.Second)
			for _, o := range w.nodes {
				cut(n, o, d, true)
			}
		case "link cut", "link cut one way":
			cut(n, m, between(200*time.Millisecond, 10*time.Second), kind == "link cut")
		case "device":
			mode := []string{"refuses", "slow"}[rng.IntN(2)]
			w.mu.Lock()
			w.device = mode
			w.mu.Unlock()
			d := between(time.Second, 10*time.Second)
			w.wg.Go(func() {
				time.Sleep(d)
				w.mu.Lock()
				w.device = ""
				w.mu.Unlock()
			})
		case "operator":
			on := []string{"true", "false"}[rng.IntN(2)]
			w.wg.Go(func() {
				w.apply("standby "+n.name+" "+on, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &on}})
			})
		}
	}
}

// heal ends all faults.
func (w *whole) heal() {
	w.say("everything is healed")
	w.mu.Lock()
	w.over, w.device = true, ""
	w.mu.Unlock()
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			w.wires.set(a.ip, b.ip, false)
		}
	}
	for _, n := range w.nodes {
		n.on()
	}
}

// clear takes back what operators and failures left.
func (w *whole) clear() bool {
	d := w.coordinator()
	if d == nil {
		return false
	}
	snap, err := backend{d}.Snapshot(context.Background())
	if err != nil {
		return false
	}
	off := "false"
	var ch cib.Change
	for _, n := range w.nodes {
		ch.Batch = append(ch.Batch, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &off}})
	}
	for _, st := range snap.CIB.Status.Nodes {
		for _, set := range st.Attributes {
			for _, p := range set.Pairs {
				if strings.HasPrefix(p.Name, "fail-count-") || strings.HasPrefix(p.Name, "last-failure-") {
					ch.Batch = append(ch.Batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: p.Name}})
				}
			}
		}
		for _, h := range st.Resources {
			for _, op := range h.Ops {
				if strings.HasSuffix(op.ID, "_last_failure_0") {
					ch.Batch = append(ch.Batch, cib.Change{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: h.ID}})
					break
				}
			}
		}
	}
	return w.apply("all clear", ch)
}

// settle waits until the cluster is at rest with everything running, and demands that it comes to it.
func (w *whole) settle(within time.Duration, empty bool, what string) bool {
	began := time.Now()
	clear := began
	calm := 0
	for {
		w.mu.Lock()
		bad := w.bad
		w.mu.Unlock()
		if bad != "" {
			return false
		}
		if !empty && time.Now().After(clear) && w.clear() {
			clear = time.Now().Add(30 * time.Second)
		}
		why := w.unrest(empty)
		if why == "" {
			calm++
		} else {
			calm = 0
		}
		if calm >= 4 {
			return true
		}
		if time.Since(began) > within {
			w.violate("%s within %v: %s", what, within, why)
			return false
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (w *whole) unrest(empty bool) string {
	d := w.coordinator()
	if d == nil {
		return "nobody coordinates, or two do"
	}
	live, err := backend{d}.Live(context.Background())
	if err != nil {
		return err.Error()
	}
	if !live.Transition.Idle || len(live.Fencing) > 0 {
		return fmt.Sprintf("%s is not idle: %+v, fencing %+v", live.Node, live.Transition, live.Fencing)
	}
	snap, err := backend{d}.Snapshot(context.Background())
	if err != nil {
		return err.Error()
	}
	for _, n := range w.nodes {
		st := (*cib.NodeState)(nil)
		for _, s := range snap.CIB.Status.Nodes {
			if s.Uname == n.name {
				st = s
			}
		}
		if st == nil || st.CRMD != "online" || st.Join != "member" {
			return n.name + " is not online"
		}
	}
	if empty {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range []string{"r1", "r2", "g1", "g2"} {
		if len(w.active[name]) != 1 {
			return fmt.Sprintf("%s is active on %v", name, w.active[name])
		}
	}
	for _, name := range []string{"cp", "cq"} {
		if len(w.active[name]) != len(w.nodes) {
			return fmt.Sprintf("%s is active on %v", name, w.active[name])
		}
	}
	if len(w.leads) != 1 {
		return fmt.Sprintf("cq is promoted on %v", w.leads)
	}
	return ""
}

// Whole daemons, three to five minutes of virtual time each, under faults that a seed draws. Goroutines run as the runtime
// schedules them, so a seed draws the same faults each time, and not the very same run.
func TestWholeNodesUnderFaults(t *testing.T) {
	faults, judged := map[string]int{}, map[string]int{}
	fenced, starts := 0, 0
	began := time.Now()
	var virtual time.Duration
	for i := range uint64(*wholeSeeds) {
		seed := *wholeFirst + i
		sum := runWhole(t, seed)
		for k, v := range sum.faults {
			faults[k] += v
		}
		for k, v := range sum.judged {
			judged[k] += v
		}
		fenced, starts, virtual = fenced+sum.fenced, starts+sum.starts, virtual+sum.virtual
		if sum.bad != "" {
			tail := sum.log
			if len(tail) > 150 && !testing.Verbose() {
				tail = tail[len(tail)-150:]
			}
			t.Fatalf("seed %d, %d nodes: %s\n%s\nagain: go test ./agent -run TestWholeNodes -whole 1 -whole-seed %d", seed, len(sum.nodes), sum.bad, strings.Join(tail, "\n"), seed)
		}
	}
	t.Logf("%d seeds: %v of virtual time in %v, %d fencings, %d starts, faults %v; judged by the journals: %v", *wholeSeeds, virtual.Round(time.Second), time.Since(began).Round(time.Second), fenced, starts, faults, judged)
}
