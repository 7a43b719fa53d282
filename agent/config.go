package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"paceline/agent/links"
	"paceline/agent/store"
	"paceline/fencing"
	"paceline/resources"
)

// Default ports and folders.
const (
	GossipPort = 7946
	PeerPort   = 7947
	ConfigDir  = "/etc/paceline"
	DataDir    = "/var/lib/paceline"
	RunDir     = "/run/paceline"
)

// Options are what a daemon is started with. Empty fields get the defaults.
type Options struct {
	ConfigDir string
	DataDir   string // survives a power cut
	RunDir    string // must be emptied by a reboot: the boot identity lives there
	Version   string
	Logger    *slog.Logger
	// Registry holds the resource agents; nil means those that are built in. Devices runs fencing devices; nil means the
	// fence-agents family.
	Registry *resources.Registry
	Devices  fencing.Driver
	// Ready is called once when the daemon answers on its socket.
	Ready func()
	// network replaces the kernel's, for simulation; nil is the kernel's.
	network network
	// compaction replaces the store's, for simulation, where a log of thousands of entries takes too long.
	compaction store.Compaction
	// uptime replaces the time since the machine's boot, for simulation; nil is the kernel's.
	uptime func() time.Duration
	// Group is the group whose members may use the control socket, beside root; empty: haclient.
	Group string
	// Program is this program's file. Resource agents get links to it in their path, by the names of the tools that they call
	// (crm_attribute and the like); empty: none.
	Program string
}

// network is what a node needs of a network beside the kernel's.
type network interface {
	Gossip(address string, port int) (memberlist.Transport, error)
	Listen(ctx context.Context, address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

func (o *Options) complete() {
	for _, d := range []struct {
		p   *string
		def string
	}{{&o.ConfigDir, ConfigDir}, {&o.DataDir, DataDir}, {&o.RunDir, RunDir}, {&o.Version, "devel"}} {
		if *d.p == "" {
			*d.p = d.def
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() {}
	}
}

// File is the daemon's own configuration, paceline.json: what must be known before the cluster can be reached. Everything
// else is in the replicated CIB.
type File struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Address string `json:"address"` // IP address or host name at which the other nodes reach this one
	// Links are further IP addresses of this node, on networks of their own, in an order that is the same on all nodes.
	Links      []string `json:"links,omitempty"`
	GossipPort int      `json:"gossip_port"`
	PeerPort   int      `json:"peer_port"`
	Profile    string   `json:"profile"`
	Witness    bool     `json:"witness,omitempty"`
	// Bootstrap makes the first node of a cluster found it. It is ignored once the node has state.
	Bootstrap bool `json:"bootstrap,omitempty"`
	// Watchdog resets this machine when the daemon no longer proves that it works; nil: there is none.
	Watchdog *WatchdogFile `json:"watchdog,omitempty"`
	// SBD are the shared disks over which nodes send each other poison pills; nil: there are none. They need a watchdog.
	SBD *SBDFile `json:"sbd,omitempty"`
}

// SBDFile are the shared disks of this machine.
type SBDFile struct {
	Devices []string `json:"devices"` // paths that are the same disk after every boot: /dev/disk/by-id/...
}

// WatchdogFile is the watchdog of this machine.
type WatchdogFile struct {
	Device     string `json:"device"`                // "/dev/watchdog", or "unix:PATH" of a stand-in
	Timeout    int    `json:"timeout"`               // seconds
	Pretimeout int    `json:"pretimeout,omitempty"`  // seconds before the reset, where the device warns; 0: none
	StopBudget int    `json:"stop_budget,omitempty"` // seconds that a node which ends itself may take to stop its services; 0: the time-out
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// Validate completes the file with defaults and says what is wrong with it.
func (f *File) Validate() error {
	if f.Cluster == "" {
		f.Cluster = "paceline"
	}
	if f.GossipPort == 0 {
		f.GossipPort = GossipPort
	}
	if f.PeerPort == 0 {
		f.PeerPort = PeerPort
	}
	if f.Profile == "" {
		f.Profile = "lan"
	}
	for what, name := range map[string]string{"node": f.Node, "cluster": f.Cluster} {
		if !nameForm.MatchString(name) {
			return fmt.Errorf("%s name %q: letters, digits, dots, dashes and underscores, at most 63, are allowed", what, name)
		}
	}
	if f.Address == "" {
		return errors.New("no address given at which the other nodes reach this one")
	}
	if ip := net.ParseIP(f.Address); ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("address %s: the others can not reach this node there; name one of its own addresses", f.Address)
	}
	if err := f.checkLinks(); err != nil {
		return err
	}
	if err := f.Watchdog.validate(f.Profile); err != nil {
		return err
	}
	if err := f.SBD.validate(f.Watchdog); err != nil {
		return err
	}
	for what, p := range map[string]int{"gossip_port": f.GossipPort, "peer_port": f.PeerPort} {
		if p < 1 || p > 65535 {
			return fmt.Errorf("%s %d: 1 to 65535 is allowed", what, p)
		}
	}
	return nil
}

// checkLinks holds the node's addresses against each other.
func (f *File) checkLinks() error {
	if len(f.Links) == 0 {
		return nil
	}
	seen := map[netip.Addr]bool{}
	for _, text := range f.addresses() {
		ip, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			return fmt.Errorf("address %q: a node with several links names them by IP addresses", text)
		case ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "":
			return fmt.Errorf("address %s: the others can not reach this node there; name one of its own addresses", text)
		case seen[ip.Unmap()]:
			return fmt.Errorf("address %s stands twice: each link has an address of its own", text)
		}
		seen[ip.Unmap()] = true
	}
	if len(seen) > links.Max {
		return fmt.Errorf("%d addresses: a node has at most %d links", len(seen), links.Max)
	}
	return nil
}

// addresses returns the node's addresses, one for each link.
func (f *File) addresses() []string { return append([]string{f.Address}, f.Links...) }

func (o *Options) filePath() string { return filepath.Join(o.ConfigDir, "paceline.json") }
func (o *Options) keyPath() string  { return filepath.Join(o.ConfigDir, "key") }

// logPath and snapshotsPath are what the store makes in the data folder.
func (o *Options) logPath() string       { return filepath.Join(o.DataDir, "raft.db") }
func (o *Options) snapshotsPath() string { return filepath.Join(o.DataDir, "snapshots") }

// LoadFile reads paceline.json. The error is fs.ErrNotExist where there is none.
func LoadFile(path string) (File, error) {
	var f File
	data, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	if err := f.Validate(); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	return f, nil
}

// identity is who this daemon is.
type identity struct {
	ID          string // of the node: kept in the data directory
	Boot        string // of the machine's run: kept in the run directory
	Incarnation string // of this daemon
}

func (o *Options) identity() (identity, error) {
	id := identity{Incarnation: randomName(8)}
	var err error
	if id.ID, err = keptName(filepath.Join(o.DataDir, "node-id"), 8); err != nil {
		return id, err
	}
	id.Boot, err = keptName(filepath.Join(o.RunDir, "boot-id"), 8)
	return id, err
}

// keptName returns the name kept in a file; it draws one and keeps it where there is none.
func keptName(path string, bytes int) (string, error) {
	data, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(data)); err == nil && nameForm.MatchString(name) {
		return name, nil
	}
	if err == nil {
		return "", fmt.Errorf("read %s: %q is no identity; remove the file only if this node may be forgotten", path, strings.TrimSpace(string(data)))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := randomName(bytes)
	return name, writeFile(path, 0o640, []byte(name+"\n"))
}

func randomName(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// ownAddress returns the address that the default route would use; "" if there is none.
func ownAddress() string {
	conn, err := net.Dial("udp", "192.0.2.1:9") // TEST-NET: nothing is sent by connecting
	if err == nil {
		defer conn.Close()
		if host, _, err := net.SplitHostPort(conn.LocalAddr().String()); err == nil {
			return host
		}
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}
