package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"paceline/agent/cib"
	"paceline/agent/history"
	"paceline/agent/scheduler"
)

// Historian is the Backend of a daemon that keeps what it did as coordinator.
type Historian interface {
	// Past returns this node's part of the timeline, oldest first, and what is wrong with it.
	Past(ctx context.Context) ([]history.Event, []string, error)
	// Note keeps an event of the API itself. It does not block.
	Note(e history.Event)
	// Input returns the saved input of a transition, if this node keeps it; else an error of CodeNotFound.
	Input(ctx context.Context, id history.ID) (*history.Input, error)
	// Others names the other nodes that may keep a part, and how to reach them; without Transport for those that are not
	// there.
	Others(ctx context.Context) []Route
}

// Kinds of timeline events beside those of package history.
const (
	TimelineConfiguration = "configuration"
	TimelineFencing       = "fencing"
)

// TimelineEvent is one thing that happened in the cluster.
type TimelineEvent struct {
	history.Event
	Keeper string `json:"keeper,omitempty"` // the node that keeps it; empty for what the cluster keeps
	User   string `json:"user,omitempty"`   // who committed, or asked for the fencing
}

// TimelineReply is the timeline, newest first. Notes say what is missing, and why.
type TimelineReply struct {
	Schema int             `json:"schema"`
	Events []TimelineEvent `json:"events"`
	Notes  []string        `json:"notes"`
}

// TransitionReply is the saved input of a transition, and what came of planning it again here.
type TransitionReply struct {
	Schema int            `json:"schema"`
	Keeper string         `json:"keeper"`
	Input  *history.Input `json:"input"`
	Again  Again          `json:"again"`
}

// Again says what planning a saved input again gives.
type Again struct {
	Digest  string `json:"digest"`
	Same    bool   `json:"same"` // byte for byte the graph that was carried out
	Version string `json:"version"`
	Text    string `json:"text"`
}

// Replay plans a saved input again and compares the graph with the one that was carried out.
func Replay(in *history.Input, version string) (a Again, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("plan transition %s again: the scheduler broke: %v", in.ID, r)
		}
	}()
	a = Again{Version: version}
	if a.Digest, err = history.Digest(scheduler.Plan(in.CIB, in.Now).Graph); err != nil {
		return a, err
	}
	a.Same = a.Digest == in.Digest
	switch {
	case a.Same:
		a.Text = "planned again, it is the same graph, byte for byte"
	case in.Version != version:
		a.Text = fmt.Sprintf("planned again, it is another graph: it was planned by paceline %s, this is %s", in.Version, version)
	default:
		a.Text = "planned again, it is ANOTHER graph, though the version is the same: that is a fault of paceline, please report it with the saved input"
	}
	return a, nil
}

func (s *Server) historian() (Historian, error) {
	if h, ok := s.backend.(Historian); ok {
		return h, nil
	}
	return nil, Errorf(CodeUsage, "", "this daemon keeps no history of transitions")
}

// timelineHere answers with this node's part alone.
func (s *Server) timelineHere(ctx context.Context, q *request) (any, error) {
	h, err := s.historian()
	if err != nil {
		return nil, err
	}
	events, problems, err := h.Past(ctx)
	if err != nil {
		return nil, err
	}
	reply := &TimelineReply{Schema: Schema, Events: []TimelineEvent{}, Notes: nonNil(problems)}
	me := s.node(ctx)
	for _, e := range events[max(0, len(events)-timelineMax):] {
		reply.Events = append(reply.Events, TimelineEvent{Event: e, Keeper: me})
	}
	return reply, nil
}

// timeline joins the parts that the nodes keep with what the cluster keeps: commits and fencings.
func (s *Server) timeline(ctx context.Context, q *request) (any, error) {
	n, err := entries(q, TimelineDefault)
	if err != nil {
		return nil, err
	}
	h, err := s.historian()
	if err != nil {
		return nil, err
	}
	own, err := s.timelineHere(ctx, q)
	if err != nil {
		return nil, err
	}
	reply := own.(*TimelineReply)
	s.gather(ctx, q, h, "/v1/timeline/here", func() any { return &TimelineReply{} }, func(_ string, v any, err error) {
		if err != nil {
			reply.Notes = append(reply.Notes, err.Error())
			return
		}
		part := v.(*TimelineReply)
		reply.Events, reply.Notes = append(reply.Events, part.Events...), append(reply.Notes, part.Notes...)
	})
	commits, err := s.backend.History(ctx, n)
	if err != nil {
		return nil, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	reply.Events = append(reply.Events, commitEvents(commits)...)
	for _, f := range snap.CIB.Status.Fencing {
		reply.Events = append(reply.Events, fenceTimeline(f))
	}
	reply.Events = slices.DeleteFunc(reply.Events, func(e TimelineEvent) bool { return !e.about(q.URL.Query().Get("node"), q.URL.Query().Get("resource")) })
	sort.SliceStable(reply.Events, func(i, j int) bool { return reply.Events[i].Time.After(reply.Events[j].Time) })
	reply.Events = nonNil(reply.Events[:min(n, len(reply.Events))])
	slices.Sort(reply.Notes)
	return reply, nil
}

// about tells whether an event speaks of a node and a resource; empty names are any.
func (e TimelineEvent) about(node, resource string) bool {
	text := strings.Join(slices.Concat([]string{e.Text}, e.Ordered, e.Results), "\n")
	mentions := func(name, field string) bool {
		if name == "" || field == name || baseID(field) == name {
			return true
		}
		return slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool {
			return r == ' ' || r == '\n' || r == ',' || r == ';' || r == '"'
		}), func(w string) bool {
			w = strings.TrimSuffix(w, ":")
			return w == name || baseID(w) == name
		})
	}
	return mentions(node, e.Node) && mentions(resource, e.Resource)
}

func commitEvents(commits []Commit) []TimelineEvent {
	var out []TimelineEvent
	for _, c := range commits {
		e := TimelineEvent{User: c.User, Event: history.Event{
			Time: c.Time, Kind: TimelineConfiguration, Revision: c.Revision, Text: cmp.Or(c.Message, "the configuration was changed"),
		}}
		for _, ch := range c.Changes {
			e.Results = append(e.Results, ch.Text)
		}
		out = append(out, e)
	}
	return out
}

func fenceTimeline(f *cib.FenceEvent) TimelineEvent {
	at := time.UnixMilli(f.Completed)
	if f.Completed == 0 {
		at = time.UnixMilli(f.Started)
	}
	text := fmt.Sprintf("%s of %s ", f.Action, f.Target)
	switch f.State {
	case "ok":
		text += "succeeded"
	case "pending":
		text += "is under way"
	default:
		text += "failed"
	}
	if f.Device != "" {
		text += " by " + f.Device
	}
	if f.Executor != "" {
		text += ", carried out by " + f.Executor
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return TimelineEvent{User: f.Origin, Event: history.Event{Time: at, Kind: TimelineFencing, Node: f.Target, Text: text}}
}

// gather asks all other nodes at once for their part; took is called for one after the other. A node that is not there, or
// does not answer in time, is an error that names it.
func (s *Server) gather(ctx context.Context, q *request, h Historian, uri string, into func() any, took func(node string, v any, err error)) {
	ctx, cancel := context.WithTimeout(ctx, gatherMax)
	defer cancel()
	others := h.Others(ctx)
	values, errs := make([]any, len(others)), make([]error, len(others))
	var wg sync.WaitGroup
	for i, route := range others {
		if route.Transport == nil {
			errs[i] = fmt.Errorf("%s is not there: what it keeps of its time as coordinator is missing", route.Coordinator)
			continue
		}
		wg.Go(func() {
			v := into()
			if err := s.fetch(ctx, route, q.who, uri, v); err != nil {
				why := err
				var e *Error
				if errors.As(err, &e) && e.Code == CodeNotFound {
					return // it keeps nothing of it
				}
				errs[i] = fmt.Errorf("%s did not answer: what it keeps of its time as coordinator is missing (%v)", route.Coordinator, why)
				return
			}
			values[i] = v
		})
	}
	wg.Wait()
	for i, route := range others {
		if values[i] != nil || errs[i] != nil {
			took(route.Coordinator, values[i], errs[i])
		}
	}
}

// transitionHere answers with an input that this node keeps.
func (s *Server) transitionHere(ctx context.Context, q *request) (any, error) {
	id, err := history.ParseID(q.URL.Query().Get("id"))
	if err != nil {
		return nil, Errorf(CodeUsage, q.what, "%v", err).WithHint("`paceline history` lists them")
	}
	h, err := s.historian()
	if err != nil {
		return nil, err
	}
	in, err := h.Input(ctx, id)
	if err != nil {
		return nil, err
	}
	return &TransitionReply{Schema: Schema, Keeper: s.node(ctx), Input: in}, nil
}

// transition finds the input of a transition, here or on another node, and plans it again.
func (s *Server) transition(ctx context.Context, q *request) (any, error) {
	v, err := s.transitionHere(ctx, q)
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Code == CodeUsage) {
		return nil, err
	}
	reply, _ := v.(*TransitionReply)
	var notes []string
	if reply == nil {
		h, herr := s.historian()
		if herr != nil {
			return nil, herr
		}
		s.gather(ctx, q, h, "/v1/transition/here?id="+q.URL.Query().Get("id"), func() any { return &TransitionReply{} }, func(_ string, v any, err error) {
			if err != nil {
				notes = append(notes, err.Error())
			} else if t := v.(*TransitionReply); t.Input != nil && t.Input.CIB != nil {
				reply = t
			}
		})
	}
	if reply == nil {
		e := Errorf(CodeNotFound, q.what, "no node that answers keeps the input of transition %s", q.URL.Query().Get("id"))
		if len(notes) > 0 {
			e.Why += ": " + strings.Join(notes, "; ")
		}
		return nil, e.WithHint("`paceline history` lists transitions; the oldest inputs are deleted")
	}
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	if reply.Again, err = Replay(reply.Input, live.Version); err != nil {
		return nil, err
	}
	return reply, nil
}

// entries reads how many entries are asked for.
func entries(q *request, otherwise int) (int, error) {
	text := q.URL.Query().Get("n")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, Errorf(CodeUsage, q.what, "%q is not a number of entries", text)
	}
	return n, nil
}

const (
	// TimelineDefault is how many events are listed when nobody says: two screens.
	TimelineDefault = 50
	// timelineMax bounds what one node tells of its part.
	timelineMax = 5000
	// gatherMax bounds the wait for the other nodes' parts: a person waits for it.
	gatherMax = 3 * time.Second
)
