package agent

import (
	"context"
	"time"

	"paceline/agent/api"
	"paceline/fencing/sbd"
	"paceline/fencing/watchdog"
)

var _ api.DiskKeeper = backend{}

// Disks works on shared disks for poison pills.
func (b backend) Disks(ctx context.Context, r api.DisksRequest) (api.DisksReply, error) {
	const what = "work on shared disks"
	file := File{Profile: r.Profile}
	if n := b.d.current(); n != nil {
		file = n.file
	}
	if len(r.Devices) == 0 && file.SBD != nil {
		r.Devices = file.SBD.Devices
	}
	if len(r.Devices) == 0 {
		return api.DisksReply{}, api.Errorf(api.CodeUsage, what, "no shared disk is named, and none is in this daemon's configuration")
	}
	media := (&SBDFile{Devices: r.Devices}).media()
	began := time.Now()
	var err error
	switch r.Action {
	case api.DisksCreate:
		err = makeDisks(ctx, file, media, r)
	case api.DisksMessage:
		kind := map[string]byte{"test": sbd.Test, "reset": sbd.Reset, "off": sbd.Off}[r.Kind]
		err = sbd.Speak(ctx, media, kind, "user "+r.User, r.Node)
	case api.DisksClear:
		err = sbd.Clear(ctx, media, r.Node)
	}
	if err != nil {
		return api.DisksReply{}, api.Errorf(api.CodeFailed, what, "%v", err)
	}
	reply := api.DisksReply{Devices: []api.SharedDisk{}}
	if r.Action == api.DisksMessage {
		reply.Took = api.Duration(time.Since(began))
	}
	for _, m := range media {
		reply.Devices = append(reply.Devices, sharedDisk(ctx, m))
	}
	return reply, nil
}

// makeDisks makes a set for the nodes of a cluster: of this one's times, or of those that are stated.
func makeDisks(ctx context.Context, file File, media []sbd.Medium, r api.DisksRequest) error {
	if file.Profile == "" {
		file.Profile = "lan"
	}
	times, err := file.sbdTimes()
	if err != nil {
		return err
	}
	if r.WatchdogTimeout > 0 {
		times.Watchdog = time.Duration(r.WatchdogTimeout) * time.Second
	}
	if times.Watchdog == 0 {
		times.Watchdog = watchdog.TimeoutDefault
	}
	_, err = sbd.Create(ctx, media, sbd.CreateOptions{Times: times, Wait: time.Duration(r.MessageWait), Overwrite: r.Overwrite, Now: time.Now()})
	return err
}

// sharedDisk says what lies on a shared disk.
func sharedDisk(ctx context.Context, m sbd.Medium) api.SharedDisk {
	l, err := sbd.List(ctx, m)
	out := api.SharedDisk{Device: m.Name(), Slots: []api.DiskSlot{}}
	if err != nil {
		out.Trouble = err.Error()
		return out
	}
	h := l.Header
	out.Set, out.Number, out.Of = h.Set.String(), h.Index+1, h.Count
	out.WatchdogTimeout, out.MessageWait, out.Created = api.Duration(h.Watchdog), api.Duration(h.Wait), h.Created
	for _, s := range l.Slots {
		slot := api.DiskSlot{Slot: s.Number, Node: s.Owner.Node, State: sbd.StateName(s.Owner.State), Trouble: s.Trouble, Messages: []api.DiskMessage{}}
		for _, m := range s.Messages {
			slot.Messages = append(slot.Messages, api.DiskMessage{Kind: sbd.KindName(m.Kind), From: m.From, Void: m.Boot != s.Owner.Boot})
		}
		out.Slots = append(out.Slots, slot)
	}
	return out
}
