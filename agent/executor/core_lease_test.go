package executor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLeaseStories plays events at their times, in milliseconds, with a lease of one second and ticks when the core wants them
// (none while the process is paused: "pause" is the time at which it goes on).
func TestLeaseStories(t *testing.T) {
	for _, c := range []struct{ name, story, want string }{
		{"renewed for ever", "hello 0, renew 900, renew 1800, renew 2700, end 3600", ""},
		{"cut off on the millisecond", "hello 0, renew 300, end 5000", "1300 close, 1300 stop"},
		{"a lost session may come back", "hello 0, lost 100, hello 900, renew 1500, end 2400", ""},
		{"a lost session does not", "hello 0, lost 100, end 2400", "1000 stop"},
		{"once only, until a hello", "hello 0, end 1500, hello 1500, end 5000", "1000 close, 1000 stop, 2500 close, 2500 stop"},
		{"a pause below the lease", "hello 0, pause 900, renew 900, end 1800", ""},
		{"a pause above", "hello 0, pause 1500, renew 1500, end 3000", "1500 paused, 1500 close, 1750 stop"},
		{"a hello after a pause", "hello 0, pause 1500, hello 1600, renew 2500, end 3400", "1500 paused, 1500 close"},
		{"a hello is the first after a pause", "hello 0, wake 1500, hello 1500, renew 2400, end 3300", "1500 paused"},
		{"a hello in the last moment", "hello 0, lost 500, wake 1000, hello 1000, renew 1900, end 2800", ""},
		{"nobody ever said hello", "end 100000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			zero := time.Unix(0, 0)
			at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
			core := newLeaseCore(zero, 0, Policy{})
			var got []string
			now := 0
			take := func(ev leaseEvent) {
				for _, f := range core.step(at(now), ev) {
					name := map[string]string{"executor.closeSession": "close", "executor.pauseSeen": "paused"}[fmt.Sprintf("%T", f)]
					if x, ok := f.(cutOff); ok {
						name = x.how
					}
					got = append(got, fmt.Sprint(now, " ", name))
				}
			}
			for _, line := range strings.Split(c.story, ", ") {
				var what string
				var ms int
				fmt.Sscan(line, &what, &ms)
				for what != "pause" && what != "wake" {
					next := int(core.wake(at(now)).Sub(zero).Milliseconds())
					if next >= ms || now >= ms {
						break
					}
					now = next
					take(leaseTick{})
				}
				now = ms
				switch what {
				case "hello":
					take(leaseHello{lease: time.Second})
				case "renew":
					take(leaseRenew{})
				case "lost":
					take(leaseLost{})
				case "pause":
					take(leaseTick{})
				}
			}
			if g := strings.Join(got, ", "); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
		})
	}
}

// TestLeaseNeverActsLate: whatever happens, at no tick is a node still in order that has had no renewal of an open session for
// longer than the lease (and a quarter, after a pause).
func TestLeaseNeverActsLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const lease = time.Second
		now := time.Unix(0, 0)
		core := newLeaseCore(now, 0, Policy{})
		core.step(now, leaseHello{lease: lease})
		good, open := now, true
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			gap := time.Duration(rapid.SampledFrom([]int{0, 1, 125, 125, 125, 400, 999, 1000, 1001, 3000}).Draw(t, "gap")) * time.Millisecond
			now = now.Add(gap)
			paused := gap > lease
			switch rapid.SampledFrom([]string{"tick", "tick", "renew", "lost", "hello"}).Draw(t, "event") {
			case "tick":
				core.step(now, leaseTick{})
			case "renew":
				core.step(now, leaseRenew{})
				if open && !paused && now.Sub(good) < lease {
					good = now
				}
			case "lost":
				core.step(now, leaseLost{})
				open = false
			case "hello":
				core.step(now, leaseHello{lease: lease})
				good, open, paused = now, true, false
			}
			open = open && core.open
			if ok, why := core.mayAct(now); ok && (now.Sub(good) >= lease || paused) {
				t.Fatalf("it may act %v after the last renewal; a pause: %v; %s", now.Sub(good), paused, why)
			}
		}
	})
}
