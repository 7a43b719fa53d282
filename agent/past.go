package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"

	"paceline/agent/api"
	"paceline/agent/coordinator"
	"paceline/agent/history"
	"paceline/agent/membership"
	"paceline/agent/transition"
)

// Record keeps what the coordinator tells, in this node's history.
func (o *outside) Record(e coordinator.Effect) {
	r := o.n.past
	if r == nil {
		return // it could not be opened, and status says so
	}
	switch e := e.(type) {
	case coordinator.Planned:
		id := history.ID{Term: e.Term, Graph: e.Graph}
		r.Keep(history.Input{ID: id, Now: e.Now.UTC(), Revision: e.Revision, Cause: e.Cause, CIB: e.CIB}, e.Plan)
		r.Note(history.Event{
			Time: e.Now, Kind: history.Transition, Transition: id.String(), Revision: e.Revision, Text: e.Cause,
			Ordered: labels(realOf(e.Plan), ""),
		})
	case coordinator.Ended:
		id := history.ID{Term: e.Term, Graph: e.Graph}
		text := "complete"
		if len(e.Failed)+len(e.Rest) > 0 {
			text = fmt.Sprintf("%d done, %d failed, %d not carried out", len(e.Done), len(e.Failed), len(e.Rest))
		}
		if e.Aborted != "" {
			text += "; cut short: " + e.Aborted
		}
		results := append(labels(e.Failed, " failed"), labels(e.Rest, " was not carried out")...)
		r.Note(history.Event{Time: e.Now, Kind: history.Result, Transition: id.String(), Text: text, Results: results})
	case coordinator.Happened:
		kinds := map[coordinator.HappenedKind]string{
			coordinator.HappenedElection: history.Election, coordinator.HappenedMembership: history.Membership, coordinator.HappenedFailure: history.Failure,
		}
		r.Note(history.Event{Time: e.Now, Kind: kinds[e.Kind], Node: e.Node, Resource: e.Resource, Revision: e.Revision, Text: e.Text})
	}
}

func realOf(g *transition.Graph) []*transition.Action {
	var out []*transition.Action
	for _, a := range g.Actions {
		if a.Kind != transition.KindPseudo {
			out = append(out, a)
		}
	}
	return out
}

// labels names actions for people, at most as many as the history keeps of one transition and one to see that there are more.
func labels(list []*transition.Action, after string) []string {
	out := make([]string, 0, min(len(list), history.ListMax+1))
	for _, a := range list {
		if len(out) == history.ListMax {
			return append(out, fmt.Sprintf("... and %d more", len(list)-len(out)))
		}
		out = append(out, a.Label()+after)
	}
	return out
}

// Past returns this node's part of the timeline, and what is wrong with it.
func (b backend) Past(context.Context) ([]history.Event, []string, error) {
	n := b.d.current()
	if n == nil {
		return nil, nil, api.ErrUnconfigured
	}
	if n.past == nil {
		return nil, []string{n.file.Node + " keeps no history: its folder could not be opened"}, nil
	}
	n.past.Flush()
	events, problems := n.past.Events()
	if err := n.past.Problem(); err != nil {
		problems = append(problems, err.Error())
	}
	return events, problems, nil
}

// Note keeps an event in this node's part of the timeline.
func (b backend) Note(e history.Event) {
	if n := b.d.current(); n != nil && n.past != nil {
		n.past.Note(e)
	}
}

// Input returns the saved input of a transition, if this node keeps it; else CodeNotFound.
func (b backend) Input(_ context.Context, id history.ID) (*history.Input, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	missing := api.Errorf(api.CodeNotFound, "", "%s keeps no input of transition %s", n.file.Node, id)
	if n.past == nil {
		return nil, missing
	}
	n.past.Flush()
	in, err := n.past.Load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	return &in, nil
}

// Others lists the other nodes that may keep a part of the history, and how to reach them. One that is not alive has no
// Transport.
func (b backend) Others(context.Context) []api.Route {
	n := b.d.current()
	if n == nil {
		return nil
	}
	var out []api.Route
	for _, m := range n.currentView().Members {
		if m.ID == n.id.ID || m.Role == membership.RoleWitness {
			continue
		}
		r := api.Route{Coordinator: m.Name}
		if m.Status == membership.Alive {
			addr := net.JoinHostPort(m.Addr, strconv.Itoa(int(m.PeerPort)))
			t := n.peer.Transport()
			r.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.URL.Scheme, req.URL.Host = "http", addr
				return t.RoundTrip(req)
			})
		}
		out = append(out, r)
	}
	return out
}
