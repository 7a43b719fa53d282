// Package builtin is the driver of all fencing devices that paceline knows: the fence-agents family, and those that need no
// program of their own. It is for whoever composes a daemon.
package builtin

import (
	"context"
	"fmt"

	"paceline/fencing"
	"paceline/fencing/sbd"
)

// Watchdog is the agent whose device is the target's own watchdog. Nothing is asked of anybody: the order's delay is the time
// after which the watchdog has surely reset the target, and who gives the order has worked that out.
const Watchdog = "watchdog"

// watchdogElsewhere is what the same agent is called elsewhere.
const watchdogElsewhere = "fence_watchdog"

// Driver hands each order to the driver of its agent.
type Driver struct {
	agents fencing.Driver // of the fence-agents family
	pills  *sbd.Station
}

// New returns a driver; agents runs those that are programs, pills are this node's shared disks, nil where it has none.
func New(agents fencing.Driver, pills *sbd.Station) *Driver {
	return &Driver{agents: agents, pills: pills}
}

// Do runs one action of a device.
func (d *Driver) Do(ctx context.Context, dev fencing.Device, action, target string) error {
	switch dev.Agent {
	case Pill:
		return pill(ctx, d.pills, dev, action, target)
	case Watchdog, watchdogElsewhere:
	default:
		return d.agents.Do(ctx, dev, action, target)
	}
	switch action {
	case fencing.Off, fencing.Reboot, fencing.List, fencing.Monitor, fencing.Status:
		return ctx.Err()
	}
	return fmt.Errorf("a watchdog ends its own machine: it has no action %q", action)
}

// MetaData returns an agent's meta-data.
func (d *Driver) MetaData(ctx context.Context, agent string) ([]byte, error) {
	if agent == Pill {
		return []byte(pillMetaData), nil
	}
	return d.agents.MetaData(ctx, agent)
}

// Agents names the agents that can be configured here, if they are known.
func (d *Driver) Agents() []string {
	if l, ok := d.agents.(interface{ Agents() []string }); ok {
		return append(l.Agents(), Pill)
	}
	return []string{Pill}
}
