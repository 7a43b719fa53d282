package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

const vip = "10.77.0.200"

// openMax bounds the first start of the group, which takes a fraction of a second: if it fails, one wants to know soon.
const openMax = 15 * time.Second

// demo is one demonstration.
type demo struct {
	profile, bin  string
	systemd, keep bool
	began         time.Time

	c      *cluster.Cluster
	ping   *lab.Pinger
	buyer  *customer
	cut    time.Time
	victim string
	heir   string
	back   time.Duration // from the boot of the victim to its being online

	mu   sync.Mutex // of the output
	zero time.Time  // what times are told from: the beginning, then the cut
}

// configuration is what an operator would load. The fencing action is off, so that the demonstration itself gives the
// node its power back.
func (d *demo) configuration() string {
	web := `primitive web ocf:paceline:process params command=/lab/bin/demo args="shop /srv/shop" op monitor interval=10s`
	if d.systemd {
		web = `primitive web systemd:shop op monitor interval=10s`
	}
	return strings.Join([]string{
		`property stonith-enabled=true stonith-action=off`,
		`rsc_defaults resource-stickiness=100`,
		`primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s`,
		`primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=10s`,
		`primitive disk ocf:paceline:mount params device=/lab/shared/shop directory=/srv/shop fstype=none options=bind op monitor interval=10s`,
		web,
		`group shop ip disk web`,
	}, "\n") + "\n"
}

func (d *demo) run(ctx context.Context) error {
	d.zero = d.began
	by := lab.Means()
	init := "a small first process of the lab's own"
	if d.systemd {
		init = "systemd"
	}
	fmt.Printf("paceline: three nodes on this machine, by %s; their first process is %s\n\n", by, init)
	if err := d.setUp(ctx); err != nil {
		return errors.Join(err, d.tearDown(false))
	}
	err := d.show(ctx)
	return errors.Join(err, d.tearDown(err == nil))
}

func (d *demo) tearDown(well bool) error {
	if d.c == nil {
		return nil
	}
	if !well {
		for _, n := range d.c.Nodes() {
			fmt.Fprintf(os.Stderr, "\nend of the log of %s:\n%s\n", n.Name, d.c.LogTail(n.Name, 15))
		}
	}
	return d.c.Down()
}

// setUp boots the nodes, with systemd if they can have it, and opens the shop.
func (d *demo) setUp(ctx context.Context) error {
	c, err := cluster.Boot(ctx, d.options())
	if err != nil && d.systemd && ctx.Err() == nil {
		d.say("nodes with systemd do not boot here (%v): on without, the service is a plain process", err)
		d.systemd = false
		c, err = cluster.Boot(ctx, d.options())
	}
	if err != nil {
		return err
	}
	d.c = c
	return d.open(ctx)
}

// options say what lab and cluster are wanted.
func (d *demo) options() cluster.Options {
	o := cluster.Options{Bin: d.bin, Profile: d.profile, Lab: lab.Options{Name: fmt.Sprintf("demo%d", os.Getpid()), Nodes: 3, Systemd: d.systemd, Keep: d.keep}}
	if d.systemd {
		o.Lab.Units = map[string]string{"shop.service": "[Unit]\nDescription=A shop\n[Service]\nType=exec\nExecStart=/lab/bin/demo shop /srv/shop\n"}
	}
	return o
}

// open makes the cluster, loads its configuration and lets the customer in.
func (d *demo) open(ctx context.Context) error {
	c := d.c
	d.say("three nodes and a client have booted; a daemon waits on each")
	if err := os.MkdirAll(filepath.Join(c.Dir(), "shared", "shop"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "shared", "shop", "shop"), []byte("the shop's disk\n"), 0o644); err != nil {
		return err
	}
	if err := c.Form(ctx); err != nil {
		return err
	}
	d.say("paceline cluster init on node1, paceline cluster join on node2 and node3: all are online")
	text := d.configuration()
	fmt.Printf("\n%s\n", indent(text))
	if err := c.Load(ctx, text); err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(ctx, openMax)
	defer cancel()
	s, err := c.Await(opening, "the shop to open", func(s *api.Status) bool {
		return cluster.Together(s, "ip", "disk", "web") != "" && cluster.Where(s, "power") != "" && cluster.Quiet(s)
	})
	if err != nil {
		return err
	}
	d.victim = cluster.Where(s, "web")
	d.say("paceline configure load: the group shop runs on %s, coordinated by %s", d.victim, s.Coordinator)
	d.buyer = &customer{url: "http://" + vip, http: &http.Client{Timeout: orderWait, Transport: &http.Transport{DialContext: c.Client().Dial, DisableKeepAlives: true}}}
	d.ping, err = c.Client().Ping(ctx, netip.MustParseAddr(vip), 10*time.Millisecond)
	if err != nil {
		return err
	}
	if _, err := d.ping.Await(ctx, time.Time{}, func(lab.Reply) bool { return true }); err != nil {
		return fmt.Errorf("the address does not answer: %w", err)
	}
	return d.orderUntil(ctx, time.Now().Add(time.Second))
}

// orderUntil places orders until a moment. On a busy disk one may be too late to count; that none counts is an error.
func (d *demo) orderUntil(ctx context.Context, end time.Time) error {
	var last error
	done := 0
	for n := 0; time.Now().Before(end); n++ {
		if err := d.buyer.order(n); err != nil {
			last = err
		} else {
			done++
		}
	}
	if done == 0 {
		return fmt.Errorf("the shop takes no orders: %w", last)
	}
	return context.Cause(ctx)
}

// show cuts the power and tells what comes of it.
func (d *demo) show(ctx context.Context) error {
	d.say("a client pings %s every 10 ms and orders from the shop without a pause", vip)
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { d.narrate(watching) })
	wg.Go(func() { d.orderOn(watching) })
	err := d.failover(ctx)
	if err == nil {
		err = d.rejoin(ctx)
	}
	stop()
	wg.Wait()
	if err != nil {
		d.ping.Stop()
		return err
	}
	return d.sum()
}

// orderOn orders without a pause; what fails is not acknowledged, and so not lost.
func (d *demo) orderOn(ctx context.Context) {
	for n := 1_000_000; ctx.Err() == nil; n++ {
		if d.buyer.order(n) != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func (d *demo) failover(ctx context.Context) error {
	fmt.Println()
	d.mu.Lock()
	d.zero, d.cut = time.Now(), time.Now()
	d.mu.Unlock()
	if err := d.c.Node(d.victim).Kill(); err != nil {
		return err
	}
	for _, e := range d.c.Switch().Events() {
		if e.Node == d.victim && e.What == "cut" {
			d.cut = e.Time
		}
	}
	d.say("power cut: %s is dark", d.victim)
	reply, err := d.ping.Await(ctx, d.cut, func(r lab.Reply) bool { return r.From != d.victim })
	if err != nil {
		return fmt.Errorf("the address does not come back: %w", err)
	}
	d.heir = reply.From
	d.sayAt(reply.At, "%s answers at %s", d.heir, vip)
	_, err = d.c.Await(ctx, "the shop to open again", func(s *api.Status) bool {
		return cluster.Together(s, "ip", "disk", "web") == d.heir && cluster.Quiet(s)
	})
	if err != nil {
		return err
	}
	d.say("the shop is open again; it sells for a second before %s gets its power back", d.victim)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

// rejoin boots the node again and waits until it is a member like the others.
func (d *demo) rejoin(ctx context.Context) error {
	begin := time.Now()
	if err := d.c.Node(d.victim).Boot(ctx); err != nil {
		return err
	}
	d.say("%s has power again and has booted", d.victim)
	s, err := d.c.Await(ctx, d.victim+" to rejoin", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && cluster.Quiet(s)
	})
	if err != nil {
		return err
	}
	d.back = time.Since(begin)
	if at := cluster.Together(s, "ip", "disk", "web"); at != d.heir {
		return fmt.Errorf("the shop should have stayed on %s and is on %q", d.heir, at)
	}
	return nil
}

// sum prints the table and judges.
func (d *demo) sum() error {
	report := d.ping.Stop()
	f, err := d.c.Failover(d.victim, d.cut)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range report.Replies {
		if r.At.After(d.cut) && r.From == d.heir {
			f.Answered = r.At
			break
		}
	}
	acked, lost, err := d.buyer.lost()
	if err != nil {
		errs = append(errs, fmt.Errorf("read the shop's book: %w", err))
	}
	if len(lost) > 0 {
		errs = append(errs, fmt.Errorf("%d acknowledged orders are lost: %v", len(lost), lost))
	}
	audited, err := d.c.Audit()
	if err != nil {
		errs = append(errs, err)
	}
	rules := 0
	if audited != nil {
		for _, times := range audited.Judged {
			rules += min(times, 1)
		}
	}
	if f.FenceEnded.IsZero() {
		errs = append(errs, fmt.Errorf("the journals know of no fencing of %s that succeeded", d.victim))
	} else if !f.StartBegan.IsZero() && f.StartBegan.Before(f.FenceEnded) {
		errs = append(errs, errors.New("a resource was started before the fencing had succeeded"))
	}
	silent := report.Longest()
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	row := func(what string, v any) { fmt.Fprintf(w, "  %s\t%v\n", what, v) }
	row("power cut of "+d.victim, "0 ms")
	row("noticed by the others", since(f.Cut, f.Detected))
	if f.Elected.After(f.Detected) {
		row("new coordinator at work", since(f.Cut, f.Elected))
	}
	row("fencing ordered", since(f.Cut, f.FenceBegan))
	row("fencing confirmed", since(f.Cut, f.FenceEnded))
	row("first start on "+d.heir, since(f.Cut, f.StartBegan))
	row("address answers from "+d.heir, since(f.Cut, f.Answered))
	row("address silent for its client", ms(silent.Length()))
	row("orders acknowledged, lost", fmt.Sprintf("%d, %d", acked, len(lost)))
	row("rules that the journals put to the test", rules)
	row(d.victim+" back in the cluster after its boot began", ms(d.back))
	row("demonstration", time.Since(d.began).Round(100*time.Millisecond))
	if err := w.Flush(); err != nil {
		return err
	}
	if len(errs) == 0 {
		fmt.Println("\nNothing was lost.")
	}
	return errors.Join(errs...)
}

func since(zero, t time.Time) string {
	if t.IsZero() {
		return "not found"
	}
	return ms(t.Sub(zero))
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

// say prints a line with the time since the beginning, or since the cut.
func (d *demo) say(format string, args ...any) { d.sayAt(time.Now(), format, args...) }

func (d *demo) sayAt(at time.Time, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Printf("%8.3f s  %s\n", at.Sub(d.zero).Seconds(), fmt.Sprintf(format, args...))
}
