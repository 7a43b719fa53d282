package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
)

// pillAgent is the agent of the devices that send poison pills over shared disks.
const pillAgent = "sbd"

// pillsOf says which nodes poison pills reach; nil if no device sends them.
func pillsOf(c *cib.CIB, devices []string, nodes []Node) *PillFencing {
	var sender *cib.Resource
	others := 0
	for _, id := range devices {
		r := c.Configuration.Resource(id)
		if r != nil && agentOf(&c.Configuration, r).Type == pillAgent {
			sender = r
		} else {
			others++
		}
	}
	if sender == nil {
		return nil
	}
	out := &PillFencing{Reached: []string{}, Unreached: []string{}, Only: others == 0}
	for _, n := range nodes {
		st := stateNamed(c, n.Name)
		if n.Role == RoleWitness || n.Role == RoleRemote || st == nil || !n.Online {
			continue
		}
		text, _ := metaOf(st.Attributes, cib.PillAttribute)
		_, wait, _ := strings.Cut(text, " ")
		ms, err := strconv.ParseInt(wait, 10, 64)
		if err != nil || ms <= 0 {
			out.Unreached = append(out.Unreached, n.Name)
			continue
		}
		out.Reached = append(out.Reached, n.Name)
		out.MessageWait = max(out.MessageWait, Duration(time.Duration(ms)*time.Millisecond))
	}
	// A message wait is over in time only if the fencing lasts longer, with a fifth for the writing and the judging.
	if least := time.Duration(out.MessageWait) * 6 / 5; pillTime(c, sender) < least {
		out.Useless = fmt.Sprintf("a fencing ends after %v, and a poison pill takes %v (message wait): set fencing-timeout to %v at least",
			pillTime(c, sender), time.Duration(out.MessageWait), least)
	}
	return out
}

// pillTime is how long a fencing by that device may take at least.
func pillTime(c *cib.CIB, device *cib.Resource) time.Duration {
	whole := time.Minute
	if v, ok := c.Option("fencing-timeout"); ok {
		if ms, err := cib.ParseMilliseconds(v); err == nil && ms > 0 {
			whole = time.Duration(ms) * time.Millisecond
		}
	}
	least := time.Duration(0)
	for _, name := range []string{"pcmk_off_timeout", "pcmk_reboot_timeout"} {
		t := whole
		if text, ok := metaOf(device.Params, name); ok {
			if ms, err := cib.ParseMilliseconds(text); err == nil && ms > 0 {
				t = time.Duration(ms) * time.Millisecond
			}
		}
		if least == 0 || t < least {
			least = t
		}
	}
	return least
}

// gaps says what is missing for every node to be reached, in words; nil if nothing is.
func (p *PillFencing) gaps() []string {
	var out []string
	if p.Useless != "" {
		out = append(out, p.Useless)
	}
	for _, n := range p.Unreached {
		out = append(out, "no poison pill reaches "+n+": it does not read the shared disks, or its watchdog is not armed")
	}
	return out
}
