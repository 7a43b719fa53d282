package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Direction is one direction of traffic between two machines, on all networks. "*" stands for every machine; "node1@1" for node1 on the
// second network alone, "*@1" for everybody there.
type Direction struct{ From, To string }

func (d Direction) String() string { return d.From + ">" + d.To }

// network is the bridges with their namespace, and what is cut on them.
type network struct {
	ns  netns.NsHandle
	nl  *netlink.Handle
	bri []int // the bridges' interface indices, one for each network

	mu   sync.Mutex
	cuts map[Direction]int // percent of frames lost; 100 is a cut
}

// inNamespace runs f on a thread that is in ns. Sockets and processes made by f stay there.
func inNamespace(ns netns.NsHandle, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer own.Close()
		if err := netns.Set(ns); err != nil {
			done <- fmt.Errorf("enter the network namespace: %w", err)
			return
		}
		err = f()
		if netns.Set(own) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with this goroutine
		}
		done <- err
	}()
	return <-done
}

func newNetwork(links int) (*network, error) {
	n := &network{cuts: map[Direction]int{}}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, left in the new namespace, ends with the goroutine
		var err error
		n.ns, err = netns.New()
		made <- err
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("make the bridge's network namespace: %w", err)
	}
	var err error
	if n.nl, err = netlink.NewHandleAt(n.ns); err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink: %w", err), n.ns.Close())
	}
	for link := range links {
		if err := n.addBridge(link); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

// bridgeName is that of a network's bridge.
func bridgeName(link int) string {
	if link == 0 {
		return "lab"
	}
	return fmt.Sprintf("lab.%d", link)
}

// cableName is that of the bridge's end of a machine's cable.
func cableName(machine string, link int) string {
	if link == 0 {
		return machine
	}
	return fmt.Sprintf("%s.%d", machine, link)
}

func (n *network) addBridge(link int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName(link)
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
	if err := n.nl.LinkAdd(bridge); err != nil {
		return fmt.Errorf("make the bridge: %w", err)
	}
	if err := n.nl.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("set the bridge up: %w", err)
	}
	n.bri = append(n.bri, bridge.Attrs().Index)
	return nil
}

// close lets the namespace go, and the bridge with it. It may be called again.
func (n *network) close() {
	if n.nl != nil {
		n.nl.Close()
	}
	if n.ns.IsOpen() {
		_ = n.ns.Close()
	}
}

// macOf is the address of a machine's interface, made of its number so that replies tell who sent them.
func macOf(index, link int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0x70, 0x6c, 0, byte(link), byte(index)}
}

// plug makes a cable between a bridge and a machine: the interface named after the machine stays here, its other end,
// eth0 on the first network, goes to the namespace of process pid.
func (n *network) plug(machine string, index, link, pid int) error {
	name := cableName(machine, link)
	n.unplug(name)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	attrs.MasterIndex = n.bri[link]
	// Where both ends of a cable have the same number, each in its namespace, the kernel takes them for one device and
	// may notice the carrier as late as a second after: numbers that eth0 never has prevent that.
	attrs.Index = 1000*(link+1) + index
	cable := &netlink.Veth{LinkAttrs: attrs, PeerName: fmt.Sprintf("eth%d", link), PeerHardwareAddr: macOf(index, link), PeerNamespace: netlink.NsPid(pid)}
	if err := n.nl.LinkAdd(cable); err != nil {
		return fmt.Errorf("make the cable of %s: %w", name, err)
	}
	end, err := n.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find the cable of %s: %w", name, err)
	}
	if err := n.nl.LinkSetUp(end); err != nil {
		return fmt.Errorf("plug in %s: %w", name, err)
	}
	return nil
}

// linkDown takes a machine's link down; frames already queued are dropped.
func (n *network) linkDown(name string) error {
	link, err := n.nl.LinkByName(name)
	if err != nil {
		return nil // no cable: nothing to take down
	}
	return n.nl.LinkSetDown(link)
}

// unplug removes a machine's cable, if there is one.
func (n *network) unplug(name string) {
	if link, err := n.nl.LinkByName(name); err == nil {
		_ = n.nl.LinkDel(link)
	}
}

// narrowQueue is how long a frame may wait for a narrow link before it is dropped.
const narrowQueue = time.Second

// narrow bounds what goes to a machine to so many kilobits a second; 0 ends that. What is more waits: a narrow link delays, and then
// drops. (Not every kernel has the qdisc that delays as such.)
func (n *network) narrow(name string, kbit int) error {
	link, err := n.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("%s has no cable: %w", name, err)
	}
	rate := uint64(max(kbit, 1)) * 1000 / 8 // bytes a second
	qdisc := &netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       rate, Buffer: netlink.Xmittime(rate, narrowBurst), Limit: narrowBurst + uint32(float64(rate)*narrowQueue.Seconds()),
	}
	if kbit == 0 {
		if err := n.nl.QdiscDel(qdisc); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("widen the link of %s: %w", name, err)
		}
		return nil
	}
	if err := n.nl.QdiscReplace(qdisc); err != nil {
		return fmt.Errorf("narrow the link of %s: %w", name, err)
	}
	return nil
}

// narrowBurst is what passes a narrow link at once: one frame of the largest kind.
const narrowBurst = 2000

// set replaces what is cut and lost by what edit makes of it.
func (n *network) set(edit func(cuts map[Direction]int)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	edit(n.cuts)
	return n.run(ruleset(n.cuts, len(n.bri)))
}

// match writes the end of a direction as nft does: the interfaces of a machine, or the bridge of a network.
func match(word, end string, links int) string {
	machine, link, one := strings.Cut(end, "@")
	switch {
	case one && machine == "*":
		k, _ := strconv.Atoi(link) // checked by Loss
		return fmt.Sprintf("meta ibrname %q ", bridgeName(k))
	case machine == "*":
		return ""
	case one:
		k, _ := strconv.Atoi(link)
		return fmt.Sprintf("%s %q ", word, cableName(machine, k))
	case links == 1:
		return fmt.Sprintf("%s %q ", word, machine)
	}
	var names []string
	for k := range links {
		names = append(names, strconv.Quote(cableName(machine, k)))
	}
	return fmt.Sprintf("%s { %s } ", word, strings.Join(names, ", "))
}

// ruleset writes what is cut as nft rules: one transaction that replaces the table.
func ruleset(cuts map[Direction]int, links int) string {
	var list []Direction
	for d := range cuts {
		list = append(list, d)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].String() < list[j].String() })
	var b strings.Builder
	b.WriteString("add table bridge lab\ndelete table bridge lab\n")
	if len(list) == 0 {
		return b.String()
	}
	b.WriteString("table bridge lab {\n\tchain cuts {\n\t\ttype filter hook forward priority 0; policy accept;\n")
	for _, d := range list {
		b.WriteString("\t\t" + match("iifname", d.From, links) + match("oifname", d.To, links))
		if p := cuts[d]; p < 100 {
			fmt.Fprintf(&b, "numgen random mod 100 < %d ", p)
		}
		b.WriteString("drop\n")
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// run gives rules to nft in the bridge's namespace.
func (n *network) run(rules string) error {
	nft, err := findProgram("nft")
	if err != nil {
		return fmt.Errorf("cut links: %w (Debian: apt-get install nftables)", err)
	}
	return inNamespace(n.ns, func() error {
		cmd := exec.Command(nft, "-f", "-")
		cmd.Stdin = strings.NewReader(rules)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("cut links: nft: %w: %s", err, strings.TrimSpace(out.String()))
		}
		return nil
	})
}

// findProgram looks for a program on the PATH and where administrators' programs are, which an ordinary PATH lacks.
func findProgram(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/bin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("program %s is not installed", name)
}
