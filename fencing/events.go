package fencing

import (
	"math/rand/v2"
	"time"
)

// Request says what is to be fenced and with what. It is the whole input of a Machine.
type Request struct {
	Number uint64 // of the fencing; every Order carries it as Fence
	Target string
	Action string // Off, Reboot or On
	Origin string // who asked, for people
	Term   uint64
	View   uint64
	// Timeout bounds the whole fencing (stonith-timeout; 0: TimeoutDefault). Delays, and the time of devices that have a
	// pcmk_*_timeout of their own, are added.
	Timeout time.Duration
	// Devices are all that are configured; the machine finds those that reach the target.
	Devices []Device
	// Levels is the topology of the target: IDs of devices, first level first. Empty: every capable device in turn.
	Levels [][]string
	// Live are the nodes that can run a device, best first. The target is never used, even if it is among them.
	Live []string
	Self string // the node that decides; it is in Live
	// Attempt counts the fencings of this target that followed each other, from 1. Each begins with another node: one from which
	// a device is out of reach may use up all the time, and would again.
	Attempt int
	// PriorityDelay is added before the first action (priority-fencing-delay).
	PriorityDelay time.Duration
	Rand          *rand.Rand // for pcmk_delay_max
}

// Event is what a Machine learns: a Result, or NodeLost. A nil Event is the passing of time.
type Event interface{ fencingEvent() }

// NodeLost says that an order to that node will have no result.
type NodeLost struct{ Node string }

func (Result) fencingEvent()   {}
func (NodeLost) fencingEvent() {}

// Effect is what a Machine wants: Ask or Done.
type Effect interface{ fencingEffect() }

// Ask sends an order to a node; its Result comes back as an event.
type Ask struct {
	Node  string
	Order Order
}

// Done ends the fencing. It is the last effect of a machine.
type Done struct {
	OK      bool
	Device  string // IDs of the devices that did it, joined by '+'
	Node    string // nodes that ran them, joined by '+'
	Detail  string // what was tried and why it failed, in words
	Blocked string // not empty: no attempt can succeed as things are (no device reaches the target), in words
	Started time.Time
}

func (Ask) fencingEffect()  {}
func (Done) fencingEffect() {}

// Record is an entry of the history of fencings.
type Record struct {
	Target    string `json:"target"`
	Action    string `json:"action"`             // off reboot on
	Device    string `json:"device,omitempty"`   // IDs of the devices, joined by '+'; "manual" for a person's word
	Executor  string `json:"executor,omitempty"` // nodes that ran them, joined by '+'
	Origin    string `json:"origin,omitempty"`
	State     string `json:"state"` // pending ok failed
	Detail    string `json:"detail,omitempty"`
	Started   int64  `json:"started"` // Unix milliseconds
	Completed int64  `json:"completed,omitempty"`
	Attempt   int    `json:"attempt,omitempty"`
}

// States of a Record.
const (
	StatePending = "pending"
	StateOK      = "ok"
	StateFailed  = "failed"
)

// Record makes the history's entry of how a fencing ended.
func (d Done) Record(req Request, completed time.Time) Record {
	r := Record{
		Target: req.Target, Action: req.Action, Device: d.Device, Executor: d.Node, Origin: req.Origin, State: StateFailed,
		Detail: d.Detail, Started: d.Started.UnixMilli(), Completed: completed.UnixMilli(),
	}
	if d.OK {
		r.State = StateOK
	}
	return r
}
