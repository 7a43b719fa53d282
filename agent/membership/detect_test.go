package membership

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDetectionTimes kills a member over and over, in virtual time, and holds what it sees against the arithmetic.
func TestDetectionTimes(t *testing.T) {
	for _, c := range []struct {
		profile Profile
		n       int
		runs    int
		median  time.Duration // at most
	}{
		{LAN, 2, 60, 800 * time.Millisecond}, {LAN, 3, 60, 800 * time.Millisecond}, {LAN, 10, 30, time.Second},
		{Fast, 2, 60, 450 * time.Millisecond}, {Fast, 3, 60, 450 * time.Millisecond}, {Fast, 10, 30, 550 * time.Millisecond},
		{WAN, 2, 20, 7 * time.Second}, {WAN, 5, 20, 7 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s/%d", c.profile.Name, c.n), func(t *testing.T) {
			runs := c.runs
			if testing.Short() {
				runs = 5
			}
			var all []time.Duration
			for i := range runs {
				synctest.Test(t, func(t *testing.T) {
					// The moment of death moves through a probe interval.
					phase := c.profile.ProbeInterval * time.Duration(i) / time.Duration(runs)
					all = append(all, detectOnce(t, c.profile, c.n, phase))
				})
			}
			slices.Sort(all)
			median := all[len(all)/2]
			t.Logf("known to all after %s (median), %s (max); Detect says %s", median, all[len(all)-1], c.profile.Detect(c.n))
			if !testing.Short() && median > c.median {
				t.Errorf("median %s, want at most %s", median, c.median)
			}
			if p90 := all[(len(all)*9-1)/10]; p90 > c.profile.Detect(c.n) {
				t.Errorf("nine of ten within %s, but Detect says %s", p90, c.profile.Detect(c.n))
			}
		})
	}
}

func detectOnce(t *testing.T, p Profile, n int, phase time.Duration) time.Duration {
	w := newWorld(t)
	ms := w.cluster(n, p)
	time.Sleep(p.PushPull + phase)
	w.kill(ms[n-1])
	began := time.Now()
	for _, m := range ms[:n-1] {
		await(t, m, 3*p.Detect(n), "it failed", status(fmt.Sprintf("n%d", n), Failed))
		if dead, _ := m.View().Member(fmt.Sprintf("n%d", n)); dead.Since.Before(began) {
			t.Errorf("failed since %s, before it was killed", dead.Since)
		}
	}
	return time.Since(began)
}

// BenchmarkDetect reports how long it takes over loopback, in real time, until both survivors know of a death.
func BenchmarkDetect(b *testing.B) {
	for _, p := range []Profile{LAN, Fast} {
		b.Run(p.Name, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				b.StopTimer()
				ms := loopback(b, p)
				time.Sleep(2 * p.ProbeInterval) // probes are under way
				b.StartTimer()
				began := time.Now()
				ms[2].Close()
				for _, m := range ms[:2] {
					await(b, m, 20*time.Second, "n3 failed", status("n3", Failed))
				}
				all = append(all, time.Since(began))
				b.StopTimer()
				for _, m := range ms {
					m.Close()
				}
				b.StartTimer()
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "median-ms")
			b.ReportMetric(float64(all[len(all)-1].Milliseconds()), "max-ms")
		})
	}
}
