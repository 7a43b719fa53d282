package vip

import (
	"context"
	"fmt"
	"time"

	"paceline/resources"

	"github.com/vishvananda/netlink"
)

// announcer is what goes on telling a segment about an address after its start.
type announcer struct{ cancel context.CancelFunc }

// announce tells the segment about the new owner: the first time now, the others in the background. It takes over seg.
func (r *Runner) announce(ctx context.Context, resource string, seg *segment, s settings) {
	if len(s.intervals) > 0 {
		if err := seg.announce(); err != nil { // the address works all the same: neighbours ask when their entry ages
			r.log.Warn("announce address", "res", resource, "cause", err)
		}
	}
	if r.oneShot {
		for range min(len(s.intervals)-1, 2) {
			time.Sleep(oneShotPause)
			_ = seg.announce()
		}
		seg.conn.Close()
		return
	}
	r.background(ctx, resource, true, func(ctx context.Context) {
		r.first(ctx, resource, seg, s.intervals)
		r.periodic(ctx, resource, s)
	})
}

// keepAnnouncing sees to it that an address that runs is announced periodically: also one whose announcer ended with an earlier
// process of the daemon. A process that ends with its operation does it once, with every recurring monitor.
func (r *Runner) keepAnnouncing(ctx context.Context, req resources.Request, s settings) {
	switch {
	case !r.oneShot:
		r.background(ctx, req.Resource, false, func(ctx context.Context) { r.periodic(ctx, req.Resource, s) })
	case req.Interval > 0:
		if _, err := again(s); err != nil {
			r.log.Warn("announce address", "res", req.Resource, "cause", err)
		}
	}
}

// background runs the announcer of a resource, of which there is one: a running one ends if anew is true, and stays otherwise.
func (r *Runner) background(ctx context.Context, resource string, anew bool, run func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.announcing[resource]; old != nil {
		if !anew {
			return
		}
		old.cancel()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	me := &announcer{cancel: cancel}
	r.announcing[resource] = me
	r.wg.Go(func() {
		defer cancel()
		run(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.announcing[resource] == me {
			delete(r.announcing, resource)
		}
	})
}

// hush ends the announcer of a resource.
func (r *Runner) hush(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.announcing[resource]; a != nil {
		a.cancel()
		delete(r.announcing, resource)
	}
}

// first makes the later announcements of a start. Between them we hear whether somebody else claims the address: an owner that was not
// to be heard before. It closes seg.
func (r *Runner) first(ctx context.Context, resource string, seg *segment, at []time.Duration) {
	defer seg.conn.Close() // the kernel takes its time for it
	began := time.Now()
	for _, d := range at[min(1, len(at)):] {
		due := began.Add(d)
		mac, err := seg.foreign(ctx, false, due)
		if mac != nil {
			r.log.Error("address has a second owner", "res", resource, "address", seg.addr, "owner", mac)
		}
		if !sleep(ctx, time.Until(due)) {
			return
		}
		if err != nil {
			r.log.Warn("listen for other owners of address", "res", resource, "cause", err)
		}
		if err := seg.announce(); err != nil {
			r.log.Warn("announce address", "res", resource, "cause", err)
		}
	}
}

// periodic announces the address until ctx ends, or until it is not here any more: whoever has it then shall not be contradicted.
func (r *Runner) periodic(ctx context.Context, resource string, s settings) {
	if s.every == 0 {
		return
	}
	for sleep(ctx, s.every) {
		here, err := again(s)
		if err != nil {
			r.log.Warn("announce address", "res", resource, "cause", err)
		}
		if !here {
			return
		}
	}
}

// again announces an address, if it is here and its link works.
func again(s settings) (here bool, err error) {
	have, err := s.where()
	if err != nil || len(have) == 0 {
		return err != nil, err // unknown is not gone
	}
	l, err := netlink.LinkByIndex(have[0].LinkIndex)
	if err != nil {
		return true, fmt.Errorf("look up interface %d: %w", have[0].LinkIndex, err)
	}
	if !speaks(l) || down(l) != "" {
		return true, nil
	}
	seg, err := openSegment(l, s.ip) // its hardware address may have changed
	if err != nil {
		return true, err
	}
	defer seg.conn.Close()
	return true, seg.announce()
}

// sleep waits, and says whether that was to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
