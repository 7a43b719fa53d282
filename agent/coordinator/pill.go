package coordinator

import (
	"maps"
	"slices"
	"strings"

	"paceline/agent/cib"
	"paceline/fencing"
)

// PillAgent is the agent of the devices that send poison pills over shared disks.
const PillAgent = "sbd"

// aimed returns the devices for one target: those that send poison pills are told for which run of its machine one is, as the
// target announced it.
func aimed(list []fencing.Device, st *cib.NodeState) []fencing.Device {
	out := slices.Clone(list)
	for i, d := range out {
		if d.Agent != PillAgent {
			continue
		}
		out[i].Params = maps.Clone(d.Params)
		if st != nil {
			out[i].Params[fencing.BootParameter], _, _ = strings.Cut(attribute(st, cib.PillAttribute), " ")
		}
	}
	return out
}

// pills says whether any device sends poison pills.
func pills(list []fencing.Device) bool {
	return slices.ContainsFunc(list, func(d fencing.Device) bool { return d.Agent == PillAgent })
}

// counted says whether one of these devices (IDs joined by '+') was believed for the passing of time: it is void if the target had a
// session since.
func counted(c *cib.CIB, devices string) bool {
	for _, id := range strings.Split(devices, "+") {
		if id == WatchdogDevice {
			return true
		}
		for _, d := range Devices(c) {
			if d.ID == id && d.Agent == PillAgent {
				return true
			}
		}
	}
	return false
}
