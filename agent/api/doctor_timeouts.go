package api

import (
	"strings"
	"time"

	"paceline/agent/cib"
)

// Defaults of the scheduler and the fencer, for the arithmetic.
const (
	operationTimeout = 20 * time.Second
	fencingTimeout   = 60 * time.Second
	// shutdownMax is how long the service manager lets a daemon leave in good order.
	shutdownMax = 5 * time.Minute
)

// timeouts checks the arithmetic of time-outs against each other, and against what agents advise.
func (p patient) timeouts() Check {
	c := Check{Name: "timeouts", Text: "the time-outs fit together"}
	cfg := &p.c.Configuration
	budget := fencingTimeout
	if v, ok := cfg.Option("fencing-timeout"); ok {
		if d, good := span(v); good {
			budget = d
		}
	}
	for _, id := range fenceDevices(cfg) {
		r := cfg.Resource(id)
		for _, action := range []string{"reboot", "off"} {
			if v, ok := metaOf(r.Params, "pcmk_"+action+"_timeout"); ok {
				if d, good := span(v); good && d > budget {
					c.add(SeverityWarning, "device-timeout", id, "paceline configure property fencing-timeout="+v,
						"%s may take %v to %s a node, but the whole fencing may take only %v", id, d, action, budget)
				}
			}
		}
		for _, name := range []string{"pcmk_delay_max", "pcmk_delay_base"} {
			if v, ok := metaOf(r.Params, name); ok {
				if d, good := span(v); good && d >= budget {
					c.add(SeverityError, "device-delay", id, "paceline resource param "+id+" set "+name+" 5s",
						"%s waits up to %v before it acts (%s), but the whole fencing may take only %v", id, d, name, budget)
				}
			}
		}
	}
	if v, ok := cfg.Option("priority-fencing-delay"); ok {
		if d, good := span(v); good && d >= budget {
			c.add(SeverityError, "fencing-delay", "", "paceline configure property priority-fencing-delay=5s",
				"priority-fencing-delay is %v, but the whole fencing may take only %v", d, budget)
		}
	}
	for _, r := range cfg.Primitives() {
		p.operations(&c, r)
	}
	return c
}

// operations checks the operations of one primitive.
func (p patient) operations(c *Check, r *cib.Resource) {
	cfg := &p.c.Configuration
	agent := agentOf(cfg, r)
	if agent.Class == "stonith" {
		return
	}
	def := operationTimeout
	if v, ok := metaOf(cfg.OpDefaults, "timeout"); ok {
		if d, good := span(v); good {
			def = d
		}
	}
	given := map[string]time.Duration{}
	for _, op := range r.Operations.Ops {
		timeout := def
		if d, good := span(op.Timeout); good {
			timeout = d
		}
		given[op.Name+" "+op.Role] = timeout
		given[op.Name] = timeout
		if op.Name == "stop" && timeout > shutdownMax {
			c.add(SeverityWarning, "stop-timeout", r.ID, "shorten it, or raise TimeoutStopSec of pacelined.service",
				"stop of %s may take %v, but the service manager ends the daemon after %v when a node shuts down", r.ID, timeout, shutdownMax)
		}
		interval, _ := span(op.Interval)
		if v, ok := metaOf(r.Meta, "failure-timeout"); ok && op.Name == "monitor" && interval > 0 {
			if d, good := span(v); good && d > 0 && d < interval {
				c.add(SeverityWarning, "failure-timeout", r.ID, "paceline resource meta "+r.ID+" set failure-timeout "+(2*interval).String(),
					"failures of %s are forgotten after %v, before its next monitor after %v could show them again", r.ID, d, interval)
			}
		}
	}
	for _, name := range []string{"start", "stop", "promote", "demote"} {
		wanted := time.Duration(0)
		for _, a := range p.advice[agent.String()] {
			if a.Name == name {
				wanted = time.Duration(a.Timeout)
			}
		}
		have, ok := given[name]
		if !ok {
			have = def
		}
		if have < wanted {
			c.add(SeverityWarning, "operation-timeout", r.ID,
				"paceline configure default-timeouts "+r.ID,
				"%s of %s is given %s, its agent advises at least %s", name, r.ID, short(have), short(wanted))
		}
	}
}

// span reads a time as the configuration has it; without a unit it is seconds.
func span(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	ms, err := cib.ParseMilliseconds(text)
	return time.Duration(ms) * time.Millisecond, err == nil
}

// short writes a duration without trailing zero units: "2m", not "2m0s".
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
