// Package fencing is the contract of fencing devices and the step machine that carries one fencing out: which devices
// reach the target, in which order (topology levels, delays), on which node each runs (never the target), how often it
// is tried again and when the whole is given up.
//
// Guarantees: a fencing is reported as done only if every device of one level reported the required action done
// before the order expired; a device is never run by its own target; every step has a deadline; what was tried and
// why it failed is kept.
//
// The package imports nothing of paceline: it is what outsiders build against. Its machine is a core (no goroutine,
// clock, timer, file or socket); the packages below it talk to devices.
package fencing

import (
	"context"
	"errors"
	"time"
)

// Actions on a node's power.
const (
	Off      = "off"
	Reboot   = "reboot"
	On       = "on"
	Status   = "status"
	Monitor  = "monitor"
	MetaData = "metadata"
	// List asks whether the device reaches the target, where its parameters do not say so (pcmk_host_check dynamic-list or
	// status). It changes nothing.
	List = "list"
	// Test is a rehearsal in the history: every device that would fence the target was asked, and its power was not touched.
	Test = "test"
)

// BootParameter is the parameter in which the coordinator names the run of the target's machine that is meant, to devices that
// reach a machine only in a run in which it listens to them.
const BootParameter = "boot"

// ErrPowerOff is a driver's answer to Status when the device says that the target's power is off.
var ErrPowerOff = errors.New("the power is off")

// Device is a configured fencing device: a stonith-class primitive after templates, rules and defaults.
type Device struct {
	ID     string            `json:"id"`     // the primitive's ID
	Agent  string            `json:"agent"`  // fence_ipmilan, ...
	Params map[string]string `json:"params"` // including pcmk_* parameters
	// Nodes where the device is started (monitored), best first; the fencer prefers them.
	ActiveOn []string `json:"active_on,omitempty"`
	// Banned nodes may not run it.
	Banned []string `json:"banned,omitempty"`
	// Actions are those that the agent's meta-data name, if they are known. Without them, drivers find out.
	Actions []string `json:"actions,omitempty"`
}

// Order asks one node to run one device against one target. It is void once Budget of the executing node's monotonic
// clock has passed since it arrived, and whenever its Term is below the highest that node has seen.
type Order struct {
	Term   uint64        `json:"term"`
	View   uint64        `json:"view"`  // membership view it was decided in
	Fence  uint64        `json:"fence"` // number of the fencing
	Step   int           `json:"step"`  // number of the step within it
	Device Device        `json:"device"`
	Action string        `json:"action"`
	Target string        `json:"target"`
	Delay  time.Duration `json:"delay"`  // to wait before acting (pcmk_delay_base, pcmk_delay_max, priority-fencing-delay)
	Budget time.Duration `json:"budget"` // for the action itself, without Delay
}

// Result is how an Order ended.
type Result struct {
	Term   uint64        `json:"term"`
	Fence  uint64        `json:"fence"`
	Step   int           `json:"step"`
	Node   string        `json:"node"` // who ran it
	OK     bool          `json:"ok"`
	Detail string        `json:"detail,omitempty"` // why not, in words
	Took   time.Duration `json:"took"`
}

// Driver talks to devices of one family. Do returns nil only when the device confirmed the action; for List, only when the
// device reaches the target. Reboot of a device that cannot is off, then on. It returns when the context ends, and leaves
// no process behind.
type Driver interface {
	Do(ctx context.Context, dev Device, action, target string) error
	MetaData(ctx context.Context, agent string) ([]byte, error)
}
