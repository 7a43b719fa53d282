// Package manual is fencing by a person's word: "paceline node fence --confirmed NODE" says that somebody has seen to it that
// the node is off.
//
// Guarantees: a confirmation counts for one node, from the moment it is given; it is kept in the history with the name of the one
// who gave it. No device is asked, so what it is worth is what the person knows. The package is a core: it runs nothing.
package manual

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"paceline/fencing"
)

// Device stands in the history in the place of a device.
const Device = "manual"

// Confirmation is a person's word that a node is off.
type Confirmation struct {
	Node string    // the node that is off
	User string    // who says so
	At   time.Time // when it was said
}

// Check refuses a confirmation that cannot be meant: without node or name, or for a node that is heard at this moment,
// whose power therefore is on.
func (c Confirmation) Check(alive bool) error {
	switch {
	case strings.TrimSpace(c.Node) == "":
		return errors.New("confirm a fencing: no node is named")
	case strings.TrimSpace(c.User) == "":
		return errors.New("confirm a fencing: nobody answers for it")
	case alive:
		return fmt.Errorf("confirm that %s is off: it is heard right now, so it is not", c.Node)
	}
	return nil
}

// Record makes the history's entry. The fencing counts as off: somebody has to start the node again.
func (c Confirmation) Record() fencing.Record {
	at := c.At.UnixMilli()
	return fencing.Record{
		Target: c.Node, Action: fencing.Off, Device: Device, Origin: "user " + c.User, State: fencing.StateOK,
		Detail: c.User + " confirmed that the node is off", Started: at, Completed: at,
	}
}

// Done completes a fencing that waits for a device, or for a person.
func (c Confirmation) Done(started time.Time) fencing.Done {
	if started.IsZero() {
		started = c.At
	}
	return fencing.Done{OK: true, Device: Device, Detail: c.User + " confirmed that the node is off", Started: started}
}
