package ctl

import (
	"fmt"
	"strings"
	"time"

	"paceline/agent/api"
)

// runFenceDisks works on shared disks for poison pills.
func runFenceDisks(in *invocation) error {
	r := api.DisksRequest{Action: in.arg(0), Devices: in.c.StringSlice("device")}
	rest := in.args[1:]
	node := r.Action == api.DisksMessage || r.Action == api.DisksClear
	switch {
	case node && len(rest) == 0:
		return usagef("paceline fence sbd %s: the name of a node is missing", r.Action)
	case r.Action == api.DisksMessage && len(rest) != 2:
		return usagef("paceline fence sbd message: a node and one of test, reset and off are needed")
	case r.Action == api.DisksClear && len(rest) != 1:
		return usagef("paceline fence sbd clear: one node is needed")
	case r.Action == api.DisksMessage:
		r.Node, r.Kind = rest[0], rest[1]
	case r.Action == api.DisksClear:
		r.Node = rest[0]
	default:
		r.Devices = append(r.Devices, rest...)
	}
	if r.Action == api.DisksCreate {
		if len(r.Devices) == 0 {
			return usagef("paceline fence sbd create: one to three devices are needed")
		}
		if in.c.IsSet("watchdog-timeout") {
			r.WatchdogTimeout = in.c.Int("watchdog-timeout")
		}
		r.Profile, r.MessageWait, r.Overwrite = in.c.String("profile"), api.Duration(in.c.Duration("message-wait")), in.c.Bool("overwrite")
	}
	return in.confirmed(func(yes bool) error {
		r.Yes = yes
		reply, err := in.api.Disks(in.ctx, r)
		if err != nil || in.json() {
			return in.orJSON(reply, err)
		}
		switch {
		case r.Kind == "test":
			in.printf("%s reads the shared disks: it answered after %v\n", r.Node, time.Duration(reply.Took).Round(time.Millisecond))
		case r.Kind != "":
			in.printf("%s is dead by poison pill (%s), which took %v\n", r.Node, r.Kind, time.Duration(reply.Took).Round(time.Millisecond))
		case r.Action == api.DisksClear:
			in.printf("what lay for %s is void\n", r.Node)
		default:
			for _, d := range reply.Devices {
				in.printf("%s", diskText(d))
			}
		}
		return nil
	})
}

// diskText describes a shared disk for people.
func diskText(d api.SharedDisk) string {
	var b strings.Builder
	if d.Trouble != "" {
		fmt.Fprintf(&b, "%s: %s\n", d.Device, d.Trouble)
		return b.String()
	}
	fmt.Fprintf(&b, "%s: disk %d of %d of set %s, made %s; watchdogs of at most %v, message wait %v\n",
		d.Device, d.Number, d.Of, d.Set, moment(d.Created), time.Duration(d.WatchdogTimeout), time.Duration(d.MessageWait))
	for _, s := range d.Slots {
		text := fmt.Sprintf("  %2d %s: %s", s.Slot, orDash(s.Node), s.State)
		for _, m := range s.Messages {
			text += fmt.Sprintf(", %s from %s", m.Kind, m.From)
			if m.Void {
				text += " (of an earlier boot)"
			}
		}
		if s.Trouble != "" {
			text += ": " + s.Trouble
		}
		fmt.Fprintln(&b, text)
	}
	if len(d.Slots) == 0 {
		fmt.Fprintln(&b, "   no node reads it yet")
	}
	return b.String()
}
