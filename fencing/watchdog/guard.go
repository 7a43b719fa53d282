package watchdog

import "time"

// Guard decides whether the timer may be fed. It is a core: time enters as a value that must not go back. The zero value
// lets everything be fed.
type Guard struct {
	condemned string    // why this node ends; empty if it does not
	until     time.Time // of the hold; zero: there is none
	why       string    // of the hold
	bound     bool      // the hold cannot be released
}

// Hold lets the timer be fed until a moment only: by then what the node runs must be stopped. Of two holds the earlier
// counts. A binding hold cannot be released: others count on the node's death.
func (g *Guard) Hold(until time.Time, binding bool, why string) {
	if g.until.IsZero() || until.Before(g.until) {
		g.until, g.why = until, why
	}
	g.bound = g.bound || binding
}

// Release ends a hold that is not binding and has not run out: everything was stopped in time, or a coordinator is back.
func (g *Guard) Release(now time.Time) {
	if ok, _ := g.MayFeed(now); ok && !g.bound {
		g.until, g.why = time.Time{}, ""
	}
}

// Condemn ends the feeding for good.
func (g *Guard) Condemn(why string) {
	if g.condemned == "" {
		g.condemned = why
	}
}

// MayFeed says whether the timer may be fed; if not, why. Once it may not, it never may again.
func (g *Guard) MayFeed(now time.Time) (bool, string) {
	if g.condemned == "" && !g.until.IsZero() && !now.Before(g.until) {
		g.condemned = g.why
	}
	return g.condemned == "", g.condemned
}
