package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// ID names a transition in a cluster: the term of its coordinator and its number within the term.
type ID struct {
	Term  uint64
	Graph uint64
}

// String writes the ID as people type it: "12.3".
func (id ID) String() string { return fmt.Sprintf("%d.%d", id.Term, id.Graph) }

// MarshalText and UnmarshalText write and read the form of String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what String writes.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// ParseID reads what String writes.
func ParseID(text string) (ID, error) {
	term, graph, ok := strings.Cut(text, ".")
	t, err1 := strconv.ParseUint(term, 10, 64)
	g, err2 := strconv.ParseUint(graph, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return ID{}, fmt.Errorf("%q does not name a transition: the form is TERM.NUMBER, as in 12.3", text)
	}
	return ID{t, g}, nil
}

// Kinds of events.
const (
	Election   = "election"   // a coordinator took up its term
	Membership = "membership" // a node came, went, or was lost
	Failure    = "failure"    // an operation failed
	Link       = "link"       // a link to a node went down or came back, seen from the node that keeps this
	Transition = "transition" // a transition was planned and starts
	Result     = "result"     // it ended
	Refused    = "refused"    // a change that somebody asked for was not made
	Lost       = "lost"       // something was not kept
)

// Event is one thing that happened, as the coordinator saw it.
type Event struct {
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"`
	Node       string    `json:"node,omitempty"`
	Resource   string    `json:"resource,omitempty"`
	Transition string    `json:"transition,omitempty"` // ID
	Revision   uint64    `json:"revision,omitempty"`
	Text       string    `json:"text"`
	// Ordered lists what a transition ordered, in order; Results what became of it. Long lists end with how
	// many more there were; see ListMax.
	Ordered []string `json:"ordered,omitempty"`
	Results []string `json:"results,omitempty"`
}

// Input is what a transition was planned from, and the digest of what was planned.
type Input struct {
	Format   int       `json:"format"`
	ID       ID        `json:"id"`
	Now      time.Time `json:"now"` // the time planned for
	Revision uint64    `json:"revision"`
	Cause    string    `json:"cause"`
	Version  string    `json:"version"` // of the paceline that planned
	Digest   string    `json:"digest"`  // of the graph; see Digest
	CIB      *cib.CIB  `json:"cib"`
}

// format is that of saved inputs: a newer one is refused by an older paceline.
const format = 1

// Digest is the SHA-256 of a graph's JSON, in hexadecimal: equal exactly for the same plan, byte for byte.
func Digest(g *transition.Graph) (string, error) {
	text, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("digest of a graph: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
