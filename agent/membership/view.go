package membership

import (
	"slices"
	"strings"
	"time"
)

// Status of a member.
type Status string

// The states of a member.
const (
	Alive  Status = "alive"
	Left   Status = "left"   // it said good-bye in good order
	Failed Status = "failed" // it went silent
)

// Roles that a member announces.
const (
	RoleVoter   = "voter-eligible"
	RoleWitness = "witness"
	RoleMember  = "member"
)

// Member is one node as the gossip knows it.
type Member struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"`
	Incarnation string    `json:"incarnation"` // new at each start of its daemon
	Boot        string    `json:"boot"`        // new at each boot of its machine
	Addr        string    `json:"addr"`        // IP address
	Port        int       `json:"port"`        // of the gossip
	PeerPort    int       `json:"peer_port"`
	Links       string    `json:"links,omitempty"` // further IP addresses on networks of their own, with commas between them
	Role        string    `json:"role"`
	Version     string    `json:"version,omitempty"`
	Status      Status    `json:"status"`
	Since       time.Time `json:"since"` // of Status in this incarnation, as seen from here
}

// Addresses returns the member's IP addresses, one for each link.
func (m Member) Addresses() []string {
	list := []string{m.Addr}
	if m.Links != "" {
		list = append(list, strings.Split(m.Links, ",")...)
	}
	return list
}

// View is who is there. It is immutable.
type View struct {
	Seq     uint64   `json:"seq"`     // rises by one with each view
	Members []Member `json:"members"` // by name
}

// Member returns the member of a name.
func (v View) Member(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(v.Members, name, func(m Member, name string) int {
		switch {
		case m.Name < name:
			return -1
		case m.Name > name:
			return 1
		}
		return 0
	})
	if !ok {
		return Member{}, false
	}
	return v.Members[i], true
}

// ByID returns the member with a node ID.
func (v View) ByID(id string) (Member, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Alive returns the names of the members that are alive.
func (v View) Alive() []string {
	var names []string
	for _, m := range v.Members {
		if m.Status == Alive {
			names = append(names, m.Name)
		}
	}
	return names
}
