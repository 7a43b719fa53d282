package api

import (
	"context"
	"time"
)

// DiskKeeper is the Backend of a daemon that can work on shared disks for poison pills, whether it belongs to a cluster or not.
type DiskKeeper interface {
	// Disks does what is asked for. It returns when that is done: a pill takes the message wait.
	Disks(ctx context.Context, r DisksRequest) (DisksReply, error)
}

// What can be done with shared disks.
const (
	DisksCreate  = "create"
	DisksList    = "list"
	DisksMessage = "message"
	DisksClear   = "clear"
)

// DisksRequest asks for something to be done with shared disks, as this machine names them. Without devices it is those of the daemon's
// configuration.
type DisksRequest struct {
	Action  string   `json:"action"`
	Devices []string `json:"devices,omitempty"`
	// To make a set: the largest watchdog time-out of the nodes (seconds), the profile of the cluster and the message wait; the
	// defaults are those of this node, or of a new cluster, and the least wait that they allow. Overwrite loses what lies there.
	WatchdogTimeout int      `json:"watchdog_timeout,omitempty"`
	Profile         string   `json:"profile,omitempty"`
	MessageWait     Duration `json:"message_wait,omitempty"`
	Overwrite       bool     `json:"overwrite,omitempty"`
	// For whom a message is, and its kind: test, reset or off. User is filled in by the server.
	Node string `json:"node,omitempty"`
	Kind string `json:"kind,omitempty"`
	User string `json:"-"`
	Yes  bool   `json:"yes,omitempty"`
}

// DisksReply says what lies on shared disks, or what was done.
type DisksReply struct {
	Schema  int          `json:"schema"`
	Devices []SharedDisk `json:"devices"`
	Took    Duration     `json:"took,omitempty"` // a message's delivery
}

// SharedDisk is one shared disk.
type SharedDisk struct {
	Device          string     `json:"device"`
	Trouble         string     `json:"trouble,omitempty"`
	Set             string     `json:"set,omitempty"`
	Number          int        `json:"number,omitempty"` // in its set, from 1
	Of              int        `json:"of,omitempty"`
	WatchdogTimeout Duration   `json:"watchdog_timeout,omitempty"`
	MessageWait     Duration   `json:"message_wait,omitempty"`
	Created         time.Time  `json:"created,omitzero"`
	Slots           []DiskSlot `json:"slots"`
}

// DiskSlot is the place of a node on a shared disk.
type DiskSlot struct {
	Slot     int           `json:"slot"`
	Node     string        `json:"node,omitempty"`
	State    string        `json:"state"` // free armed dying closed
	Trouble  string        `json:"trouble,omitempty"`
	Messages []DiskMessage `json:"messages"`
}

// DiskMessage is what lies for a node.
type DiskMessage struct {
	Kind string `json:"kind"`
	From string `json:"from"`
	Void bool   `json:"void,omitempty"` // it was for an earlier boot
}

// disks works on shared disks.
func (s *Server) disks(ctx context.Context, q *request) (any, error) {
	var r DisksRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	keeper, ok := s.backend.(DiskKeeper)
	if !ok {
		return nil, Errorf(CodeRefused, q.what, "this daemon cannot do it")
	}
	r.User = q.who.user
	switch r.Action {
	case DisksCreate, DisksList:
	case DisksClear:
		if !r.Yes {
			return nil, Errorf(CodeConfirm, q.what, "a poison pill that somebody waits for does not end %s then, and its fencing fails", r.Node)
		}
	case DisksMessage:
		if r.Kind != "test" && r.Kind != "reset" && r.Kind != "off" {
			return nil, Errorf(CodeUsage, q.what, "%q is no message", r.Kind).WithHint("messages are test, reset and off")
		}
		if r.Kind != "test" && !r.Yes {
			return nil, Errorf(CodeConfirm, q.what, "%s ends at once, and the cluster is not asked", r.Node).WithHint("`paceline node fence %s` asks the cluster", r.Node)
		}
	default:
		return nil, Errorf(CodeUsage, q.what, "%q is nothing that can be done with shared disks", r.Action)
	}
	reply, err := keeper.Disks(ctx, r)
	if err != nil {
		return nil, err
	}
	reply.Schema = Schema
	return &reply, nil
}

// Disks works on shared disks.
func (c *Client) Disks(ctx context.Context, r DisksRequest) (*DisksReply, error) {
	return post[DisksReply](ctx, c, "/v1/disks", r, FenceMax)
}
