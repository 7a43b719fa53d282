// Package ping is the native agent ocf:paceline:ping: how many hosts a node reaches, as an attribute of the node, for rules that place
// resources where the network works. It runs as a clone, on every node.
//
// Guarantees: all hosts are asked at the same time, so that one that is silent delays no other; an attempt that is answered ends the
// waiting for its host; the attribute goes when the resource stops.
//
// Tested in namespaces with hosts that answer and hosts that do not.
package ping

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paceline/resources"
	"paceline/resources/attribute"
	"paceline/resources/native"
	"paceline/resources/plugin"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "ping"}

// hostsMax bounds the hosts: each costs a socket.
const hostsMax = 100

// ping is the agent. Its parameters have the names that such agents usually give them.
type ping struct {
	Hosts      string        `ra:"host_list,required" short:"Hosts to reach, by name or address, separated by blanks; tcp:host:port is reached by a connection"`
	Name       string        `ra:"name" default:"pingd" short:"Attribute that gets the number of hosts reached, times multiplier"`
	Multiplier int           `ra:"multiplier" default:"1" min:"1" max:"1000000" short:"What one host counts"`
	Dampen     time.Duration `ra:"dampen" default:"5s" short:"How long a change is held back, so that all nodes lose a host together"`
	Attempts   int           `ra:"attempts" default:"3" min:"1" max:"100" short:"How often a host is asked before it counts as not reached"`
	Each       time.Duration `ra:"timeout" default:"2s" short:"How long to wait for each answer"`
	Least      int           `ra:"failure_score" default:"0" min:"0" max:"100000000" short:"Below this value the resource counts as failed; 0: never"`

	keeper *attribute.Keeper
}

// New makes the agent.
func New(c attribute.Config) *native.Agent {
	k := attribute.New(c, "ping")
	return plugin.NewWith(plugin.Info{
		Name: Agent.Type, Version: "1.0", Short: "Counts the hosts that the node reaches, in a node attribute",
		Long:     "Runs as a clone. Rules use the attribute: location web-needs-network web rule -inf: not_defined pingd or pingd lt 1.",
		Timeouts: map[string]time.Duration{resources.Start: time.Minute, resources.Monitor: time.Minute},
	}, func(p *ping) { p.keeper = k })
}

func (p *ping) hosts() []string { return strings.Fields(p.Hosts) }

// Validate says whether hosts are hosts.
func (p *ping) Validate(context.Context) error {
	if n := len(p.hosts()); n == 0 || n > hostsMax {
		return plugin.Errorf(plugin.NotConfigured, "parameter host_list: it has %d hosts, not 1 to %d", n, hostsMax)
	}
	for _, h := range p.hosts() {
		if target, ok := strings.CutPrefix(h, "tcp:"); ok {
			if _, _, err := net.SplitHostPort(target); err != nil {
				return plugin.Errorf(plugin.NotConfigured, "parameter host_list: %q is not tcp:host:port", h)
			}
		}
	}
	return nil
}

func (p *ping) Start(ctx context.Context) error {
	if err := p.keeper.Begin(ctx); err != nil {
		return err
	}
	_, err := p.look(ctx)
	return err
}

func (p *ping) Stop(ctx context.Context) error {
	p.keeper.Forget(ctx, p.Name)
	return p.keeper.End(ctx)
}

func (p *ping) Monitor(ctx context.Context) (plugin.State, error) {
	if active, err := p.keeper.Active(ctx); !active || err != nil {
		return plugin.Stopped, err
	}
	// The looks of the kit around a start and a stop, and probes, tell nothing: the attribute follows the recurring monitor.
	if plugin.Request(ctx).Operation != resources.Monitor {
		return plugin.Running, nil
	}
	value, err := p.look(ctx)
	if err == nil && value < p.Least {
		err = fmt.Errorf("it reaches hosts for %d, below the failure_score of %d", value, p.Least)
	}
	return plugin.Running, err
}

// look counts the hosts and tells the cluster.
func (p *ping) look(ctx context.Context) (int, error) {
	plugin.Doing(ctx, "waiting for answers of %s", p.Hosts)
	var reached atomic.Int64
	var denied atomic.Pointer[error]
	var wg sync.WaitGroup
	for _, h := range p.hosts() {
		wg.Go(func() {
			for range p.Attempts {
				err := p.reach(ctx, h)
				if err == nil {
					reached.Add(1)
					return
				}
				if errors.Is(err, os.ErrPermission) {
					denied.Store(&err)
					return
				}
				if ctx.Err() != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := denied.Load(); err != nil {
		return 0, plugin.Errorf(plugin.NoPermission, "open a socket for pings: needs root, or CAP_NET_RAW: %w", *err)
	}
	value := int(reached.Load()) * p.Multiplier
	return value, p.keeper.Tell(ctx, p.Name, strconv.Itoa(value), p.Dampen)
}

// reach makes one attempt.
func (p *ping) reach(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, p.Each)
	defer cancel()
	if target, ok := strings.CutPrefix(host, "tcp:"); ok {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", target)
		if err == nil {
			c.Close()
		}
		return err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	return echo(ctx, addresses[0].Unmap())
}

// echo asks an address and waits for its answer.
func echo(ctx context.Context, to netip.Addr) error {
	network, listen, protocol := "ip4:icmp", "0.0.0.0", 1
	var kind, answer icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if to.Is6() {
		network, listen, protocol = "ip6:ipv6-icmp", "::", 58
		kind, answer = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	c, err := icmp.ListenPacket(network, listen)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	id, seq := rand.IntN(1<<16), rand.IntN(1<<16) // a raw socket hears the answers to everybody
	text, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte("paceline")}}).Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(text, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}); err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		m, err := icmp.ParseMessage(protocol, b[:n])
		if err != nil || m.Type != answer {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && e.ID == id && e.Seq == seq {
			return nil
		}
	}
}
