package builtin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paceline/fencing"
	"paceline/fencing/sbd"
)

// Pill is the agent whose devices are the shared disks of this node's configuration: it sends poison pills over them.
const Pill = "sbd"

// pillTestTime bounds asking a node whether it reads the shared disks.
const pillTestTime = time.Minute

// pillMetaData is what the agent says of itself.
const pillMetaData = `<?xml version="1.0"?>
<resource-agent name="sbd" shortdesc="Poison pills on shared disks">
<longdesc>Sends a poison pill to the target over the shared disks that the daemons are configured with (paceline cluster init --sbd). The target reads it and resets itself, or cannot read the disks and is reset by its watchdog. Works without any network. Monitor checks that this node reads the disks; status asks the target to answer.</longdesc>
<parameters>
<parameter name="pcmk_host_list" required="0"><shortdesc lang="en">Nodes that it is used for; without it, all that have a slot on the disks</shortdesc><content type="string"/></parameter>
</parameters>
<actions>
<action name="off"/>
<action name="reboot"/>
<action name="status"/>
<action name="monitor"/>
<action name="list"/>
<action name="metadata"/>
</actions>
</resource-agent>
`

// pill runs one action over the shared disks.
func pill(ctx context.Context, s *sbd.Station, dev fencing.Device, action, target string) error {
	if s == nil {
		return errors.New("this node has no shared disks: its daemon's configuration names none (sbd)")
	}
	boot := dev.Params[fencing.BootParameter]
	switch action {
	case fencing.Monitor:
		return s.Proof()
	case fencing.List:
		return s.Reaches(ctx, target, boot)
	case fencing.Status:
		ctx, cancel := context.WithTimeout(ctx, pillTestTime)
		defer cancel()
		return s.Send(ctx, sbd.Test, target, boot)
	case fencing.Off, fencing.Reboot:
		if boot == "" {
			return fmt.Errorf("no poison pill reaches %s: it did not read the shared disks, or its watchdog was not armed, when it was last a member", target)
		}
		kind := sbd.Reset
		if action == fencing.Off {
			kind = sbd.Off
		}
		return s.Send(ctx, kind, target, boot)
	}
	return fmt.Errorf("a poison pill ends a node: there is no action %q", action)
}
