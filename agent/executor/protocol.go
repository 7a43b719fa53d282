package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
)

// Version is that of the session protocol. Fields may be added to messages within one version; a receiver ignores those
// that it does not know.
const Version = 1

// Hello opens a session; the coordinator sends it first.
type Hello struct {
	Version     int           `json:"version"` // 0 is filled in by Dial
	Term        uint64        `json:"term"`
	Coordinator string        `json:"coordinator"` // its node name
	Cluster     string        `json:"cluster"`
	NodeLease   time.Duration `json:"node_lease"`
	Policy      Policy        `json:"policy"`
	// Voteless says that the node is not among the voters: it may not know, if it was replaced while it was away.
	Voteless bool `json:"voteless,omitempty"`
}

// Values of Policy.NoQuorum, as of the option no-quorum-policy.
const (
	PolicyStop    = "stop"
	PolicyFreeze  = "freeze"
	PolicyIgnore  = "ignore"
	PolicyDemote  = "demote"
	PolicySuicide = "suicide" // also "fence"
)

// Policy is what the node does by itself when it is cut off. A Policy replaces the one before in full.
type Policy struct {
	// NoQuorum is stop (also when empty or not known), freeze, ignore, demote (demote what is promotable, stop the rest) or
	// suicide.
	NoQuorum string `json:"no_quorum_policy"`
	// StopBudget is how long stopping everything may take in all; 0 means StopBudgetDefault.
	StopBudget time.Duration `json:"stop_budget"`
	// WatchdogFencing says that the others will take this node for dead when it was cut off for long enough: with a watchdog
	// it then ends itself, whatever NoQuorum says. That binds for the rest of the incarnation.
	WatchdogFencing bool `json:"watchdog_fencing,omitempty"`
	// Unmanaged names all resources (instances, or primitives with all their instances) that are to be left alone; null says nothing about it, and then the meta attributes of
	// each resource's last order count.
	Unmanaged []string `json:"unmanaged"`
}

// Cancel takes an order back that has not begun. One that runs goes on, and its result comes as ever.
type Cancel struct {
	Numbers transition.Numbers `json:"numbers"`
}

// Renew prolongs the lease from the moment of its arrival; RenewAck answers it.
type Renew struct {
	Seq uint64 `json:"seq"`
}

// RenewAck answers the Renew of the same number.
type RenewAck struct {
	Seq uint64 `json:"seq"`
}

// AckResult says that the result of that call number is recorded: it is not sent again.
type AckResult struct {
	CallID int64 `json:"call_id"`
}

// Refused ends a session that could not be opened.
type Refused struct {
	Version int    `json:"version"`
	Reason  string `json:"reason"`
	Term    uint64 `json:"term"`    // the one refused
	Highest uint64 `json:"highest"` // the highest seen here
}

// Welcome answers Hello.
type Welcome struct {
	Version     int    `json:"version"`
	Node        string `json:"node"`
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
	Boot        string `json:"boot"`
	HighestTerm uint64 `json:"highest_term"` // before this session
	// Inventory lists what may be active here, in the order in which it was started.
	Inventory []Item `json:"inventory"`
	// Running lists operations in flight and waiting, of whatever term.
	Running []Running `json:"running"`
	// Unacked are the resources of results that follow, one for each: they were not acknowledged. Of recurring monitors none.
	Unacked []string `json:"unacked,omitempty"`
	// CutOff says why the node has acted for itself since the last session; empty if it has not.
	CutOff string `json:"cut_off,omitempty"`
	// PresumedDead is how long after the end of its last session this node is dead in truth, if its watchdog is armed and it is
	// bound to end itself; 0 if nobody may count on that.
	PresumedDead time.Duration `json:"presumed_dead,omitempty"`
	// PillWait is the message wait after which a poison pill on the shared disks counts as taken by this node in this boot; 0 if
	// none reaches it.
	PillWait time.Duration `json:"pill_wait,omitempty"`
	// Watchdog says how the node's watchdog stands, for people; empty if it has none.
	Watchdog string `json:"watchdog,omitempty"`
}

// Item is one resource that is, or may be, active on the node.
type Item struct {
	Resource      string    `json:"resource"`
	Agent         cib.Agent `json:"agent"`
	Role          Role      `json:"role"`
	Unmanaged     bool      `json:"unmanaged,omitempty"`
	Digest        string    `json:"digest,omitempty"` // of the order that started it
	RestartDigest string    `json:"restart_digest,omitempty"`
	// Last is the newest result of a monitor or operation in this incarnation, without output; nil if there is none yet.
	Last      *transition.Result `json:"last,omitempty"`
	Recurring []RecurringItem    `json:"recurring,omitempty"`
}

// RecurringItem is a recurring monitor that runs on the node.
type RecurringItem struct {
	Operation  string `json:"operation"`
	IntervalMS int64  `json:"interval_ms"`
	RC         int    `json:"rc"` // last reported
	Status     int    `json:"status"`
	Digest     string `json:"digest,omitempty"`
}

// Running is an operation in flight, or waiting for its turn.
type Running struct {
	Resource   string             `json:"resource"`
	Operation  string             `json:"operation"`
	IntervalMS int64              `json:"interval_ms"`
	Numbers    transition.Numbers `json:"numbers"`
	Begun      bool               `json:"begun"`
}

// envelope is the outer form of every line.
type envelope struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body"`
}

// messages maps the wire's names to fresh values; Encode and Decode know exactly these.
var messages = map[string]func() any{
	"hello":        func() any { return &Hello{} },
	"order":        func() any { return &transition.Order{} },
	"fence-order":  func() any { return &fencing.Order{} },
	"cancel":       func() any { return &Cancel{} },
	"renew":        func() any { return &Renew{} },
	"policy":       func() any { return &Policy{} },
	"ack-result":   func() any { return &AckResult{} },
	"welcome":      func() any { return &Welcome{} },
	"refused":      func() any { return &Refused{} },
	"result":       func() any { return &transition.Result{} },
	"fence-result": func() any { return &fencing.Result{} },
	"renew-ack":    func() any { return &RenewAck{} },
}

func messageType(m any) string {
	switch m.(type) {
	case *Hello:
		return "hello"
	case *transition.Order:
		return "order"
	case *fencing.Order:
		return "fence-order"
	case *Cancel:
		return "cancel"
	case *Renew:
		return "renew"
	case *Policy:
		return "policy"
	case *AckResult:
		return "ack-result"
	case *Welcome:
		return "welcome"
	case *Refused:
		return "refused"
	case *transition.Result:
		return "result"
	case *fencing.Result:
		return "fence-result"
	case *RenewAck:
		return "renew-ack"
	}
	return ""
}

// Encode returns the line of a message (a pointer to one of the types above), with its newline.
func Encode(m any) ([]byte, error) {
	t := messageType(m)
	if t == "" {
		return nil, fmt.Errorf("encode message: %T is none", m)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", t, err)
	}
	line, err := json.Marshal(envelope{Type: t, Body: body})
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", t, err)
	}
	if len(line) >= LineMax {
		return nil, fmt.Errorf("encode message %s: %d bytes are more than the %d allowed", t, len(line), LineMax)
	}
	return append(line, '\n'), nil
}

// Decode reads the line of one message and returns a pointer to it.
func Decode(line []byte) (any, error) {
	var e envelope
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	make, ok := messages[e.Type]
	if !ok {
		return nil, fmt.Errorf("decode message: %q is not known to version %d of the session protocol; the peer may speak a newer one", e.Type, Version)
	}
	m := make()
	if b := bytes.TrimSpace(e.Body); len(b) == 0 || b[0] != '{' {
		return nil, fmt.Errorf("decode message %s: no body", e.Type)
	}
	if err := json.Unmarshal(e.Body, m); err != nil {
		return nil, fmt.Errorf("decode message %s: %w", e.Type, err)
	}
	if o, ok := m.(*transition.Order); ok && o.Action == nil {
		return nil, errors.New("decode message order: no action")
	}
	return m, nil
}

// TermError refuses a session whose term is below, or whose coordinator is another than, the newest seen.
type TermError struct {
	Term, Highest uint64
	Reason        string
}

func (e *TermError) Error() string { return "open session: " + e.Reason }
