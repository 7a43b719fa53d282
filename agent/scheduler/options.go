package scheduler

import (
	"fmt"
	"strconv"

	"paceline/agent/cib"
)

// quorumPolicy is what to do without quorum.
type quorumPolicy uint8

const (
	quorumStop quorumPolicy = iota
	quorumIgnore
	quorumFreeze
	quorumDemote
	quorumFence // "fence", formerly "suicide"
)

// options are the cluster options, interpreted.
type options struct {
	symmetric        bool
	noQuorum         quorumPolicy
	fencing          bool
	fenceAction      string
	startupFencing   bool
	maintenance      bool
	stopAll          bool
	stopRemoved      bool
	cancelRemoved    bool
	probes           bool
	placement        string
	health           string
	healthBase       int
	healthScores     map[string]int // red, yellow, green
	shutdownLock     bool
	shutdownLockMS   int64
	concurrentFence  bool
	priorityDelayMS  int64
	pendingTimeoutMS int64
	recheckMS        int64
}

// unpackOptions interprets the cluster options; a value that makes no sense is reported and its default used.
func (w *world) unpackOptions() {
	raw := w.values(w.cib.Configuration.Options, scope{})
	get := func(name string) (string, bool) {
		for _, n := range cib.OptionNames(name) {
			if v, ok := raw[n]; ok {
				return v, true
			}
		}
		return "", false
	}
	flag := func(name string, def bool) bool {
		v, ok := get(name)
		if !ok {
			return def
		}
		b, err := cib.ParseBool(v)
		if err != nil {
			w.problem(fmt.Sprintf("cluster option %s: %v; %v is used", name, err, def))
			return def
		}
		return b
	}
	amount := func(name string, def int64) int64 {
		v, ok := get(name)
		if !ok {
			return def
		}
		ms, err := cib.ParseMilliseconds(v)
		if err != nil {
			w.problem(fmt.Sprintf("cluster option %s: %v; %d ms is used", name, err, def))
			return def
		}
		return ms
	}
	o := &w.opts
	o.symmetric = flag("symmetric-cluster", true)
	o.fencing = flag("fencing-enabled", true)
	o.startupFencing = flag("startup-fencing", true)
	o.maintenance = flag("maintenance-mode", false)
	o.stopAll = flag("stop-all-resources", false)
	o.stopRemoved = flag("stop-removed-resources", true)
	o.cancelRemoved = flag("cancel-removed-actions", true)
	o.probes = flag("enable-startup-probes", true)
	o.shutdownLock = flag("shutdown-lock", false)
	o.concurrentFence = flag("concurrent-fencing", true)
	o.shutdownLockMS = amount("shutdown-lock-limit", 0)
	o.priorityDelayMS = amount("priority-fencing-delay", 0)
	o.pendingTimeoutMS = amount("node-pending-timeout", 0)
	o.recheckMS = amount("cluster-recheck-interval", 15*60*1000)
	o.fenceAction = w.choice(get, "fencing-action", "reboot", "reboot", "off", "poweroff")
	if o.fenceAction == "poweroff" {
		o.fenceAction = "off"
	}
	o.placement = w.choice(get, "placement-strategy", "default", "default", "utilization", "minimal", "balanced")
	o.health = w.choice(get, "node-health-strategy", "none", "none", "migrate-on-red", "only-green", "progressive", "custom")
	o.healthScores = map[string]int{
		"red": w.scoreOption(get, "node-health-red", -cib.Infinity), "yellow": w.scoreOption(get, "node-health-yellow", 0),
		"green": w.scoreOption(get, "node-health-green", 0),
	}
	o.healthBase = w.scoreOption(get, "node-health-base", 0)
	w.quorum, _ = cib.ParseBool(w.cib.Header.HaveQuorum)
	o.noQuorum = w.quorumPolicy(get)
}

func (w *world) choice(get func(string) (string, bool), name, def string, allowed ...string) string {
	v, ok := get(name)
	if !ok {
		return def
	}
	for _, a := range allowed {
		if a == v {
			return v
		}
	}
	w.problem(fmt.Sprintf("cluster option %s: %q is none of %v; %s is used", name, v, allowed, def))
	return def
}

func (w *world) scoreOption(get func(string) (string, bool), name string, def int) int {
	v, ok := get(name)
	if !ok {
		return def
	}
	n, err := cib.ParseScore(v)
	if err != nil {
		w.problem(fmt.Sprintf("cluster option %s: %v; %d is used", name, err, def))
		return def
	}
	return n
}

func (w *world) quorumPolicy(get func(string) (string, bool)) quorumPolicy {
	v, _ := get("no-quorum-policy")
	switch v {
	case "", "stop":
		return quorumStop
	case "ignore":
		return quorumIgnore
	case "freeze":
		return quorumFreeze
	case "demote":
		return quorumDemote
	case "fence", "suicide":
		if !w.opts.fencing {
			w.problem("no-quorum-policy asks for fencing, but fencing is disabled; stop is used")
			return quorumStop
		}
		// A partition that never had quorum must not fence itself on the way to its first.
		panicked, _ := cib.ParseBool(w.cib.Header.NoQuorumPanic)
		if w.quorum || panicked || w.hadQuorum() {
			return quorumFence
		}
		return quorumStop
	}
	w.problem(fmt.Sprintf("cluster option no-quorum-policy: %q is unknown; stop is used", v))
	return quorumStop
}

// hadQuorum tells whether the document marks that the partition had quorum before.
func (w *world) hadQuorum() bool {
	for _, a := range w.cib.Header.Extra {
		if a.Name == "no-quorum-panic" {
			yes, _ := cib.ParseBool(a.Value)
			return yes
		}
	}
	return false
}

// number reads an integer meta attribute; what cannot be read is reported and the default used.
func (w *world) number(r *rsc, name string, def int) int {
	v, ok := r.meta[name]
	if !ok {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		w.problem(fmt.Sprintf("resource %s: %s=%q is not a number; %d is used", r.id, name, v, def))
		return def
	}
	return n
}

// flag reads a boolean meta attribute; what cannot be read is reported and the default used.
func (w *world) flag(r *rsc, name string, def bool) bool {
	v, ok := r.meta[name]
	if !ok {
		return def
	}
	b, err := cib.ParseBool(v)
	if err != nil {
		w.problem(fmt.Sprintf("resource %s: %s: %v; %v is used", r.id, name, err, def))
		return def
	}
	return b
}
