package watchdog

import (
	"fmt"
	"strings"
	"time"
)

// Timer is a watchdog timer. It counts from the moment it is opened.
type Timer interface {
	// Feed starts the count anew.
	Feed() error
	// Timeout is what the timer really counts to: hardware rounds.
	Timeout() time.Duration
	// Reset ends the machine now, if the timer has a way to do so; without one the count does.
	Reset(reason string) error
	// Off is Reset, but leaves the machine without power.
	Off(reason string) error
	// Close ends the use. Disarmed, it counts no more; else it goes on to count.
	Close(disarm bool) error
}

// StandInPrefix begins the name of a stand-in's unix socket, in the place of a device.
const StandInPrefix = "unix:"

// Open opens a timer, which then counts: a character device of the kernel's watchdog interface ("/dev/watchdog"), or a
// stand-in on a unix socket ("unix:/run/power.sock"). A pretimeout of 0 asks for none. The error names the device.
func Open(name string, timeout, pretimeout time.Duration) (Timer, error) {
	if timeout < TimeoutMin || timeout > TimeoutMax {
		return nil, fmt.Errorf("open watchdog %s: a time-out of %v; %v to %v is allowed", name, timeout, TimeoutMin, TimeoutMax)
	}
	if pretimeout < 0 || pretimeout >= timeout {
		return nil, fmt.Errorf("open watchdog %s: a pretimeout of %v does not lie within the time-out of %v", name, pretimeout, timeout)
	}
	if path, ok := strings.CutPrefix(name, StandInPrefix); ok {
		return openStandIn(path, timeout)
	}
	return openDevice(name, timeout, pretimeout)
}
