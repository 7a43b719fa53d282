package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"paceline/resources"
	"paceline/resources/native"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Agent is the agent's name.
var Agent = resources.Agent{Class: "ocf", Provider: "paceline", Type: "vip"}

var meta = resources.MetaData{
	Name: "vip", AgentVersion: "1.0",
	ShortDesc: "Virtual IP address, IPv4 or IPv6",
	LongDesc: "Adds an address to an interface, after asking whether anybody else has it, and announces it by gratuitous ARP or " +
		"unsolicited neighbour advertisement, at once and again later. The loss of the address or of the link is seen at once.",
	Parameters: []resources.Parameter{
		{Name: "ip", Required: true, Unique: true, ShortDesc: "Address, IPv4 or IPv6"},
		{Name: "cidr_netmask", Type: "integer", ShortDesc: "Length of the subnet's prefix; as the interface's own subnet if not set"},
		{Name: "nic", ShortDesc: "Interface; the one whose subnet has the address if not set"},
		{Name: "label", ShortDesc: "Label of the address, for old tools: nic:something, 15 characters at most, IPv4 only"},
		{Name: "dad", Type: "boolean", Default: "yes", ShortDesc: "Ask first whether anybody else has the address, and refuse to take it then"},
		{Name: "dad_time", Type: "time", Default: "50ms", ShortDesc: "How long to wait for an answer; delays every start by as much"},
		{Name: "arp_count", Type: "integer", Default: "4", ShortDesc: "How often to announce the address after a start"},
		{Name: "arp_interval", Type: "time", ShortDesc: "Time between announcements; after 0, 1, 2 and 5 seconds if not set"},
		{Name: "announce_interval", Type: "time", ShortDesc: "Announce the address again this often, for as long as it is here; not if not set",
			LongDesc: "For neighbours that forget, or never ask. At least 1s. In process it is kept exactly; as an OCF executable, which ends " +
				"with its operation, every recurring monitor announces the address, whatever the interval is."},
		{Name: "source_route", ShortDesc: "Route whose preferred source the address is while it is here: default, or a prefix as in 10.0.0.0/8",
			LongDesc: "What this node sends by that route has the address as its source then. The route itself is not touched: the agent adds a " +
				"better copy of it (smaller metric, protocol 80), which stop removes; if the node loses the address otherwise, the route is there as before. " +
				"A route that is missing, or that differs from the copy because somebody changed it, is a failure, which recovery mends."},
		{Name: "source_route_table", Type: "integer", ShortDesc: "Routing table of that route; that of the interface's VRF, else the main one, if not set"},
	},
	Actions: []resources.Action{
		{Name: resources.Start, Timeout: 20 * time.Second},
		{Name: resources.Stop, Timeout: 20 * time.Second},
		{Name: resources.Monitor, Timeout: 20 * time.Second, Interval: 10 * time.Second},
		{Name: resources.ValidateAll, Timeout: 5 * time.Second},
		{Name: resources.MetaDataOp, Timeout: 5 * time.Second},
	},
}

// Config is how the agent runs.
type Config struct {
	Logger  *slog.Logger // nil: none
	OneShot bool         // the process ends with the operation: announce in the foreground, and nothing later
}

// Runner is the agent.
type Runner struct {
	*native.Agent
	log     *slog.Logger
	oneShot bool
	events  events

	mu         sync.Mutex
	announcing map[string]*announcer // by resource; one that has ended is not here
	wg         sync.WaitGroup        // of announcers
}

// New makes the agent.
func New(c Config) *Runner {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{log: c.Logger, oneShot: c.OneShot, announcing: map[string]*announcer{}}
	r.Agent = &native.Agent{
		Meta: meta,
		Operations: map[string]native.Operation{
			resources.Start: r.start, resources.Stop: r.stop, resources.Monitor: r.monitor,
		},
		Validate: func(_ context.Context, req resources.Request) resources.Result {
			_, res := read(req)
			return res
		},
	}
	return r
}

// Close ends the announcements that are still to come.
func (r *Runner) Close() {
	r.mu.Lock()
	for _, a := range r.announcing {
		a.cancel()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

type settings struct {
	ip        netip.Addr
	bits      int // -1: as the interface's subnet
	nic       string
	label     string
	dad       time.Duration   // 0: do not ask
	intervals []time.Duration // of the announcements after a start
	every     time.Duration   // between those for as long as it runs; 0: none
	source    *sourceRoute    // nil: none
}

func read(req resources.Request) (settings, resources.Result) {
	v := resources.NewValues(&meta, req.Params)
	s := settings{ip: v.Addr("ip"), bits: -1, nic: v.String("nic"), label: v.String("label")}
	if v.Err() != nil {
		return s, resources.Errorf(resources.NotConfigured, "%v", v.Err())
	}
	if zone := s.ip.Zone(); zone != "" { // fe80::1%eth0 names the interface
		if s.nic != "" && s.nic != zone {
			v.Failf("nic", "%s is not the interface in %s", s.nic, s.ip)
		}
		s.nic, s.ip = zone, s.ip.WithZone("")
	}
	if s.ip.IsUnspecified() || s.ip.IsMulticast() || s.ip.IsLoopback() {
		v.Failf("ip", "%s is no address of a host", s.ip)
	}
	if v.Given("cidr_netmask") {
		s.bits = v.Int("cidr_netmask", 1, s.ip.BitLen())
	}
	if s.label != "" && (s.ip.Is6() || len(s.label) > 15) {
		v.Failf("label", "%q is not possible: labels are for IPv4, and of 15 characters at most", s.label)
	}
	if v.Bool("dad") {
		s.dad = v.Duration("dad_time")
	}
	s.intervals = announceAt
	count, every := v.Int("arp_count", 0, 100), v.Duration("arp_interval")
	if every > 0 || count != len(announceAt) {
		s.intervals = nil
		for i := range count {
			switch {
			case every > 0:
				s.intervals = append(s.intervals, every*time.Duration(i))
			case i < len(announceAt):
				s.intervals = append(s.intervals, announceAt[i])
			default: // beyond the usual ones: every 5 s
				s.intervals = append(s.intervals, announceAt[len(announceAt)-1]+5*time.Second*time.Duration(i-len(announceAt)+1))
			}
		}
	}
	if s.every = v.Duration("announce_interval"); s.every > 0 && s.every < announceEveryMin {
		v.Failf("announce_interval", "%v is too often: at least %v", s.every, announceEveryMin)
	}
	s.source = readSourceRoute(v, s.ip)
	if v.Err() != nil {
		return s, resources.Errorf(resources.NotConfigured, "%v", v.Err())
	}
	return s, resources.Result{}
}

// failure makes a Result of an error, with the code that its cause asks for.
func failure(err error) resources.Result {
	if errors.Is(err, os.ErrPermission) {
		return resources.Errorf(resources.InsufficientPriv, "%v: needs root, or CAP_NET_ADMIN and CAP_NET_RAW", err)
	}
	return resources.Errorf(resources.GenericError, "%v", err)
}

// monitor says whether the address is on its interface, the interface works, and the route that shall have it as its source does.
func (r *Runner) monitor(ctx context.Context, req resources.Request) resources.Result {
	s, res := read(req)
	if res.Code != resources.OK {
		return res
	}
	l, res := s.works()
	if res.Code == resources.OK && s.source != nil {
		if err := s.source.check(s.ip, l); err != nil {
			res = failure(err)
		}
	}
	if res.Code == resources.OK && s.every > 0 {
		r.keepAnnouncing(ctx, req, s)
	}
	return res
}

// works returns the interface that has the address, and whether it works there.
func (s settings) works() (netlink.Link, resources.Result) {
	if l := local(s.ip); l != nil && (s.nic == "" || l.Attrs().Name == s.nic) && down(l) == "" {
		return l, resources.Result{}
	}
	have, err := s.where()
	if err != nil {
		return nil, failure(err)
	}
	if len(have) == 0 {
		return nil, resources.Result{Code: resources.NotRunning}
	}
	l, err := netlink.LinkByIndex(have[0].LinkIndex)
	switch {
	case err != nil:
		return nil, failure(fmt.Errorf("look up interface %d: %w", have[0].LinkIndex, err))
	case s.nic != "" && l.Attrs().Name != s.nic:
		return nil, resources.Errorf(resources.GenericError, "%s is on %s and not on %s", s.ip, l.Attrs().Name, s.nic)
	case down(l) != "":
		return nil, resources.Errorf(resources.GenericError, "%s", down(l))
	}
	return l, resources.Result{}
}

func (r *Runner) start(ctx context.Context, req resources.Request) resources.Result {
	s, res := read(req)
	if res.Code != resources.OK {
		return res
	}
	have, err := s.where()
	if err != nil {
		return failure(err)
	}
	link, bits, res := s.place(have)
	if res.Code != resources.OK {
		return res
	}
	name := link.Attrs().Name
	if why := down(link); why != "" {
		return resources.Errorf(resources.GenericError, "%s cannot be taken: %s", s.ip, why)
	}
	if s.source != nil { // before anything is changed: a start that fails shall leave nothing
		if _, _, err := s.source.copies(s.ip, link); err != nil {
			return failure(err)
		}
	}
	var seg *segment
	if speaks(link) && (s.dad > 0 && len(have) == 0 || len(s.intervals) > 0 || s.every > 0) {
		if seg, err = openSegment(link, s.ip); err != nil {
			return failure(err)
		}
	}
	if len(have) == 0 {
		if seg != nil && s.dad > 0 {
			native.Doing(ctx, "asking on %s whether anybody has %s", name, s.ip)
			mac, err := seg.ask(ctx, s.dad)
			if mac != nil {
				err = fmt.Errorf("%s is in use already: %s answers for it on %s", s.ip, mac, name)
			}
			if err != nil {
				go seg.conn.Close() // the kernel takes its time for it
				return failure(err)
			}
		}
		native.Doing(ctx, "adding %s to %s", s.ip, name)
		a := &netlink.Addr{IPNet: &net.IPNet{IP: s.ip.AsSlice(), Mask: net.CIDRMask(bits, s.ip.BitLen())}, Label: s.label}
		if s.ip.Is6() {
			a.Flags = unix.IFA_F_NODAD // asked already; the kernel would take a second for it
		}
		if err := netlink.AddrAdd(link, a); err != nil && !errors.Is(err, unix.EEXIST) {
			if seg != nil {
				go seg.conn.Close()
			}
			return failure(fmt.Errorf("add %s/%d to %s: %w", s.ip, bits, name, err))
		}
	}
	if seg != nil {
		r.announce(ctx, req.Resource, seg, s)
	}
	if s.source != nil {
		native.Doing(ctx, "making %s the source of the route to %s", s.ip, s.source)
		if err := s.source.set(s.ip, link); err != nil {
			return failure(err)
		}
	}
	return resources.Result{}
}

// place decides on which interface, and with which prefix, the address shall be.
func (s settings) place(have []netlink.Addr) (netlink.Link, int, resources.Result) {
	var link netlink.Link
	var err error
	bits := s.bits
	switch {
	case len(have) > 0:
		if link, err = netlink.LinkByIndex(have[0].LinkIndex); err != nil {
			return nil, 0, failure(fmt.Errorf("look up interface %d: %w", have[0].LinkIndex, err))
		}
		if s.nic != "" && link.Attrs().Name != s.nic {
			return nil, 0, resources.Errorf(resources.GenericError, "%s is on %s already, and wanted on %s", s.ip, link.Attrs().Name, s.nic)
		}
	case s.nic != "":
		if link, err = netlink.LinkByName(s.nic); err != nil {
			return nil, 0, resources.Errorf(resources.InvalidArgument, "interface %s is not on this node", s.nic)
		}
		if bits < 0 {
			bits = subnetBits(link, s.ip)
		}
	default:
		var found int
		if link, found, err = choose(s.ip); err != nil {
			return nil, 0, resources.Errorf(resources.InvalidArgument, "%v", err)
		}
		if bits < 0 {
			bits = found
		}
	}
	return link, bits, resources.Result{}
}

func (r *Runner) stop(ctx context.Context, req resources.Request) resources.Result {
	r.hush(req.Resource)
	s, res := read(req)
	if !s.ip.IsValid() {
		if res.Code == resources.OK || req.Params["ip"] == "" {
			return resources.Errorf(resources.NotConfigured, "parameter ip: is required and not set")
		}
		return resources.Result{} // what is no address is on no interface
	}
	have, err := s.where() // the other parameters do not matter: a stop that fails costs the node
	if err != nil {
		return failure(err)
	}
	if req.Params["source_route"] != "" { // whatever it says: what has the address as its source is known by that
		native.Doing(ctx, "removing the routes with source %s", s.ip)
		if err := unset(s.ip); err != nil {
			return failure(err)
		}
	}
	for _, a := range have {
		native.Doing(ctx, "removing %s", a.IPNet)
		if err := remove(a); err != nil {
			return failure(err)
		}
	}
	return resources.Result{}
}
