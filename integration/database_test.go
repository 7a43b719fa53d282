package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// redisConfig makes what Redis acknowledges durable on its own disk; WAIT makes it so on the replicas.
const redisConfig = `bind 0.0.0.0
protected-mode no
dir /var/lib/redis-story
appendonly yes
appendfsync always
save ""
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-timeout 5
`

// database is a promotable Redis of three nodes, with an address that follows the primary.
const database = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive db ocf:heartbeat:redis params config=/etc/redis-story.conf user=root port=6379 \
    op start timeout=60s interval=0 op stop timeout=60s interval=0 op promote timeout=60s interval=0 op demote timeout=60s interval=0 \
    op monitor interval=2s role=Promoted timeout=20s op monitor interval=3s role=Unpromoted timeout=20s
clone dbs db meta promotable=true notify=true
primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=10s
colocation ip-with-primary inf: ip dbs:Promoted
order promote-then-ip Mandatory: dbs:promote ip:start
`

// The database story: a client writes to a replicated database and notes what was acknowledged, the power of the primary is cut,
// and after the promotion every acknowledged write is there. PACELINE_DATABASE says how often (make database).
//
// A write counts as acknowledged when both replicas have it on their disks (WAIT 2): only then may any of them be promoted.
func TestDatabase(t *testing.T) {
	rounds := 1
	if text := os.Getenv("PACELINE_DATABASE"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		rounds = n
	}
	needAgent(t, "heartbeat", "redis", "resource-agents")
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server of the package redis-server")
	}
	o := storyLab(t, 3)
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: o})
	must(t, err)
	cleanUp(t, c)
	for _, n := range c.Nodes() {
		must(t, os.WriteFile(n.Disk("/etc/redis-story.conf"), []byte(redisConfig), 0o644))
		must(t, os.MkdirAll(n.Disk("/var/lib/redis-story"), 0o755))
	}
	must(t, c.Form(t.Context()))
	must(t, c.Load(t.Context(), database))

	w := &writer{dial: func(ctx context.Context) (net.Conn, error) { return c.Client().Dial(ctx, "tcp", vip+":6379") }, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.run(ctx) })
	defer wg.Wait()
	defer cancel()

	var took []time.Duration
	for round := range rounds {
		d, err := databaseCut(t, c, w)
		if err != nil {
			acked := w.acknowledged()
			t.Fatalf("power cut %d of %d of the primary: %v (%d writes acknowledged)", round+1, rounds, err, len(acked))
		}
		took = append(took, d)
	}
	audit(t, c)
	slices.Sort(took)
	t.Logf("%d power cuts of the primary: %d writes acknowledged, none lost; from cut to the new primary's first accepted write %v min, %v median, %v max",
		rounds, len(w.acknowledged()), took[0], took[len(took)/2], took[len(took)-1])
}

// whole tells whether all three copies run, one of them as primary with the address, and nothing is to be done.
func whole(s *api.Status) bool {
	p := promoted(s, "dbs")
	r := cluster.Find(s.Resources, "dbs")
	return len(p) == 1 && r != nil && len(r.Nodes) == 3 && cluster.Where(s, "ip") == p[0] && cluster.Online(s, "node1", "node2", "node3") && cluster.Quiet(s)
}

// databaseMax bounds one round: agents wait for the database in steps of seconds.
const databaseMax = 90 * time.Second

func databaseCut(t *testing.T, c *cluster.Cluster, w *writer) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), databaseMax)
	defer cancel()
	if err := w.more(ctx, 50); err != nil { // all three take part
		return 0, err
	}
	s, err := c.Await(ctx, "the database to be whole", whole)
	if err != nil {
		return 0, err
	}
	victim := promoted(s, "dbs")[0]
	if err := w.more(ctx, 1); err != nil { // in the middle of the stream of writes
		return 0, err
	}
	cut := time.Now()
	if err := c.Node(victim).Kill(); err != nil {
		return 0, err
	}
	acked := w.acknowledged()
	s, err = c.Await(ctx, "another primary", func(s *api.Status) bool {
		p := promoted(s, "dbs")
		return len(p) == 1 && p[0] != victim && cluster.Where(s, "ip") == p[0]
	})
	if err != nil {
		return 0, err
	}
	accepted, err := w.acceptedAfter(ctx, cut)
	if err != nil {
		return 0, err
	}
	have, err := w.read(ctx)
	if err != nil {
		return 0, err
	}
	var lost []int
	for _, n := range acked {
		if !have[n] {
			lost = append(lost, n)
		}
	}
	took := accepted.Sub(cut).Round(time.Millisecond)
	t.Logf("%s was primary (coordinator %s), %v is; %d writes acknowledged before the cut, %d of them lost; the next write accepted after %v",
		victim, s.Coordinator, promoted(s, "dbs"), len(acked), len(lost), took)
	if len(lost) > 0 {
		return 0, fmt.Errorf("%d acknowledged writes are lost: %v", len(lost), lost[:min(len(lost), 20)])
	}
	if err := c.Node(victim).Boot(ctx); err != nil {
		return 0, err
	}
	_, err = c.Await(ctx, victim+" to be back as a replica", whole)
	return took, err
}

// writer writes numbers into a set of the database, one after the other, and notes which were acknowledged by both replicas.
type writer struct {
	dial func(context.Context) (net.Conn, error)
	news chan struct{} // something was noted

	mu       sync.Mutex
	acked    []int
	accepted time.Time // last write that the primary itself took
}

func (w *writer) run(ctx context.Context) {
	next := 0
	for ctx.Err() == nil {
		conn, err := w.connect(ctx)
		if err != nil {
			continue // dialling takes its time
		}
		for ctx.Err() == nil {
			next++
			if err := w.write(conn, next); err != nil {
				break
			}
		}
		conn.Close()
	}
}

// writeWait bounds one exchange: a node that lost power never answers.
const writeWait = 300 * time.Millisecond

func (w *writer) connect(ctx context.Context) (*redisConn, error) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	conn, err := w.dial(ctx)
	if err != nil {
		<-ctx.Done() // a refusal comes at once: the next attempt waits for its turn
		return nil, err
	}
	return &redisConn{Conn: conn, r: bufio.NewReader(conn)}, nil
}

func (w *writer) write(conn *redisConn, n int) error {
	if _, err := conn.ask(writeWait, "SADD", "numbers", strconv.Itoa(n)); err != nil {
		return err
	}
	w.note(func() { w.accepted = time.Now() })
	reply, err := conn.ask(2*writeWait, "WAIT", "2", strconv.FormatInt(writeWait.Milliseconds(), 10))
	if err != nil {
		return err
	}
	if reply[0] == "2" {
		w.note(func() { w.acked = append(w.acked, n) })
	}
	return nil
}

func (w *writer) note(change func()) {
	w.mu.Lock()
	change()
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *writer) acknowledged() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.acked)
}

// await waits until something is noted that satisfies.
func (w *writer) await(ctx context.Context, what string, satisfies func() bool) error {
	for {
		w.mu.Lock()
		ok := satisfies()
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

func (w *writer) more(ctx context.Context, n int) error {
	goal := len(w.acknowledged()) + n
	return w.await(ctx, "writes to be acknowledged by both replicas", func() bool { return len(w.acked) >= goal })
}

// acceptedAfter returns when the first write after a moment was seen to be taken.
func (w *writer) acceptedAfter(ctx context.Context, cut time.Time) (at time.Time, err error) {
	err = w.await(ctx, "a write to be accepted", func() bool {
		at = w.accepted
		return at.After(cut)
	})
	return at, err
}

// read returns what the database holds.
func (w *writer) read(ctx context.Context) (map[int]bool, error) {
	for {
		conn, err := w.connect(ctx)
		if err == nil {
			var list []string
			list, err = conn.ask(5*time.Second, "SMEMBERS", "numbers")
			conn.Close()
			if err == nil {
				out := map[int]bool{}
				for _, s := range list {
					n, err := strconv.Atoi(s)
					if err != nil {
						return nil, fmt.Errorf("the database holds %q, which nobody wrote", s)
					}
					out[n] = true
				}
				return out, nil
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("read the database: %w", err)
		}
	}
}

// redisConn speaks the protocol of Redis, as much of it as the story needs.
type redisConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *redisConn) ask(limit time.Duration, words ...string) ([]string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return nil, err
	}
	return c.reply()
}

func (c *redisConn) reply() ([]string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return nil, errors.New("an empty reply")
	}
	n, numErr := strconv.Atoi(line[1:])
	switch line[0] {
	case '+', ':':
		return []string{line[1:]}, nil
	case '-':
		return nil, errors.New(line[1:])
	case '$':
		if numErr != nil || n < 0 || n > 1<<20 {
			return nil, fmt.Errorf("reply %q", line)
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, text); err != nil {
			return nil, err
		}
		return []string{string(text[:n])}, nil
	case '*':
		if numErr != nil || n < 0 || n > 1<<22 {
			return nil, fmt.Errorf("reply %q", line)
		}
		var out []string
		for range n {
			one, err := c.reply()
			if err != nil {
				return nil, err
			}
			out = append(out, one...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("reply %q", line)
}
