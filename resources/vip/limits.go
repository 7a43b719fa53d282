package vip

import "time"

const (
	// probes is how often an address is asked for before it is taken: one question may be lost.
	probes = 2
	// dumpRetries bounds the repetitions of a netlink dump that changed while it was read.
	dumpRetries = 10
	// resubscribePause is the wait before netlink events are subscribed anew after an error.
	resubscribePause = 100 * time.Millisecond
	// eventBuffer is the kernel's buffer for netlink events in bytes: a link that flaps with a thousand addresses fits.
	eventBuffer = 1 << 20
	// frameMax bounds a received frame: ARP and neighbour discovery are far shorter.
	frameMax = 1514
	// oneShotPause is between announcements where the process ends with the operation and cannot repeat them later.
	oneShotPause = 30 * time.Millisecond
	// announceEveryMin bounds how often an address is announced for as long as it runs: all hosts of the segment hear it.
	announceEveryMin = time.Second
	// routeProtocol marks the routes that are ours (rtm_protocol): of the numbers that no routing daemon has in rt_protos.
	routeProtocol = 80
)

// announceAt is when a new owner announces the address, counted from the start: switches and hosts lose frames while ports
// settle, so the later ones matter as much as the first.
var announceAt = []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second}
