package scheduler

import (
	"fmt"
	"strconv"
	"time"
)

// pauses tells why an instance that failed on a node is not tried there again yet, and asks for a plan when it may be; empty
// if it may be now. The first failure is recovered from at once. After each further one the pause between two attempts
// doubles, from failure-backoff to failure-backoff-max; what ran for longer than its pause before it failed has served it.
func (w *world) pauses(r *rsc, n *node) string {
	if r.backoff <= 0 {
		return ""
	}
	f := w.effective(r, n)
	if f.count < 2 || f.last == 0 {
		return ""
	}
	pause := backoffAfter(f.count, r.backoff, r.backoffMax)
	due := unixTime(f.last).Add(pause)
	if !w.now.Before(due) || ranFor(r, n, f.last) >= pause {
		return ""
	}
	w.recheckAt(due)
	return fmt.Sprintf("it failed on %s %d times: it is tried again at %s (failure-backoff)", n.name, f.count,
		due.In(w.now.Location()).Format("15:04:05"))
}

// backoffAfter is the pause after so many failures, of which the first costs none.
func backoffAfter(count int, base, most time.Duration) time.Duration {
	pause := base
	for range count - 2 { // it ends long before: durations are bounded
		pause *= 2
		if pause >= most {
			return most
		}
	}
	return min(pause, most)
}

// ranFor is how long an instance had been active on a node when it failed, as far as the history tells.
func ranFor(r *rsc, n *node, failed int64) time.Duration {
	for _, k := range sinceStop(r, n) {
		if k.interval > 0 || k.failed {
			continue
		}
		if began, err := strconv.ParseInt(k.op.LastRun, 10, 64); err == nil && began > 0 && began <= failed {
			return unixTime(failed).Sub(unixTime(began))
		}
	}
	return 0
}
