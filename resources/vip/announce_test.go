package vip

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// forget makes the other host believe that an address is at an owner that is no more, as after a failover.
func (w wire) forget(t testing.TB, ip string) {
	t.Helper()
	a := netip.MustParseAddr(ip)
	must(t, w.host.NeighSet(&netlink.Neigh{
		LinkIndex: w.far.Attrs().Index, IP: a.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}, State: netlink.NUD_STALE, Family: family(a),
	}))
}

// learns waits until the other host knows that an address is here. It asks for nothing itself: only an announcement tells it.
func (w wire) learns(t testing.TB, ip string) {
	t.Helper()
	a := netip.MustParseAddr(ip)
	known := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); runtime.Gosched() {
		ns, err := w.host.NeighList(w.far.Attrs().Index, family(a))
		must(t, err)
		for _, n := range ns {
			if n.IP.Equal(a.AsSlice()) {
				known = n.HardwareAddr.String()
			}
		}
		if known == w.near.Attrs().HardwareAddr.String() {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("%s: the other host knows %q, want %q", ip, known, w.near.Attrs().HardwareAddr)
}

// Another host that remembers the old owner learns of the new one at once.
func TestAnnouncement(t *testing.T) {
	w := lay(t)
	r := newRunner(t)
	for _, ip := range []string{"10.88.0.9", "fd88::9"} {
		w.forget(t, ip)
		run(t, r, request("ip", ip, "arp_count", "1"), "start", 0)
		w.learns(t, ip)
		run(t, r, request("ip", ip), "stop", 0)
	}
}

// An address is announced for as long as it runs: also after the daemon began anew, and not any more when it is gone.
func TestAnnouncesForAsLongAsItRuns(t *testing.T) {
	w := lay(t)
	for _, ip := range []string{"10.88.0.9", "fd88::9"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel() // each waits for seconds
			r := newRunner(t)
			req := request("ip", ip, "arp_count", "1", "announce_interval", "1s")
			run(t, r, req, "start", 0)
			w.forget(t, ip)
			w.learns(t, ip)
			r.Close()
			restarted := newRunner(t)
			run(t, restarted, req, "monitor", 0)
			run(t, restarted, req, "monitor", 0)
			w.forget(t, ip)
			w.learns(t, ip)
			if n := len(restarted.announcing); n != 1 {
				t.Errorf("%d announce", n)
			}
			// Somebody takes it: the announcer ends by itself, lest it contradict the next owner.
			have, err := where(netip.MustParseAddr(ip))
			must(t, err)
			must(t, netlink.AddrDel(w.near, &have[0]))
			restarted.wg.Wait()
			run(t, restarted, req, "start", 0)
			run(t, restarted, req, "stop", 0)
			restarted.wg.Wait()
		})
	}
}

// A process that ends with its operation announces with each recurring monitor, and not with a probe.
func TestAnnouncesWithEachMonitor(t *testing.T) {
	w := lay(t)
	r := New(Config{OneShot: true})
	t.Cleanup(r.Close)
	for _, ip := range []string{"10.88.0.9", "fd88::9"} {
		req := request("ip", ip, "announce_interval", "1s", "arp_count", "0")
		run(t, r, req, "start", 0)
		req.Interval = 10 * time.Second
		for range 2 {
			w.forget(t, ip)
			run(t, r, req, "monitor", 0)
			w.learns(t, ip)
		}
		run(t, r, req, "stop", 0)
	}
}
