package api

import (
	"context"
	"net/url"
)

// Scopes of an Attribute: where it is kept, and so how long it lives.
const (
	ScopeTransient = "transient" // of a node, in the status: gone when the node leaves, is fenced or boots
	ScopePermanent = "permanent" // of a node, in the configuration
	ScopeOption    = "option"    // of the cluster, in the configuration
)

// Attribute is one named value of a node or of the cluster.
type Attribute struct {
	Scope string `json:"scope"`
	Node  string `json:"node,omitempty"` // name; of an option empty
	Set   string `json:"set,omitempty"`  // of an option: the set that holds it
	Name  string `json:"name"`
	Value string `json:"value"`
}

// AttributeChange sets an attribute. A nil value deletes it, which is no error where there is none.
type AttributeChange struct {
	Scope string `json:"scope"`
	Node  string `json:"node,omitempty"` // empty: the node that was asked
	Set   string `json:"set,omitempty"`  // of an option: the set that is to hold it
	Name  string `json:"name"`
	// Value is the new value. "++" and "+=N" at its end, after the attribute's name or the word "value", add to the number that
	// is there (none counts as 0).
	Value *string `json:"value"`
}

// AttributesRequest sets attributes, on behalf of a resource agent most often.
type AttributesRequest struct {
	Changes []AttributeChange `json:"changes"`
	// Delay dampens transient attributes: the request returns at once, and what is known when this time has passed since the
	// first change is committed. It is remembered for the attribute, as long as the daemon runs.
	Delay *Duration `json:"delay,omitempty"`
	// NewDelay takes Delay for attributes that have one already, too.
	NewDelay bool `json:"new_delay,omitempty"`
	// Origin says who asks, for the history: "resource db".
	Origin string `json:"origin,omitempty"`
}

// AttributesReply lists attributes.
type AttributesReply struct {
	Schema     int         `json:"schema"`
	Attributes []Attribute `json:"attributes"`
}

// AttributeKeeper is the Backend of a daemon that keeps attributes for the agents that it runs.
type AttributeKeeper interface {
	// SetAttributes returns when the changes are committed, or taken for later if they are dampened. It goes on trying
	// while there is no coordinator, until ctx ends.
	SetAttributes(ctx context.Context, r AttributesRequest) error
	// Attributes returns those that are like want, of which empty fields mean any (Node: this node; "*": all). What this
	// node has taken and not committed yet counts.
	Attributes(ctx context.Context, want Attribute) ([]Attribute, error)
}

// Attributes returns attributes of one scope; see AttributeKeeper.
func (c *Client) Attributes(ctx context.Context, want Attribute) (*AttributesReply, error) {
	return get[AttributesReply](ctx, c, "/v1/attributes", url.Values{
		"scope": {want.Scope}, "node": {want.Node}, "set": {want.Set}, "name": {want.Name},
	})
}

// SetAttributes sets attributes; see AttributeKeeper.
func (c *Client) SetAttributes(ctx context.Context, r AttributesRequest) error {
	_, err := post[AttributesReply](ctx, c, "/v1/attributes", r, RequestMax)
	return err
}

func (s *Server) attributes(ctx context.Context, q *request) (any, error) {
	keeper, err := s.keeper(q)
	if err != nil {
		return nil, err
	}
	v := q.URL.Query()
	want := Attribute{Scope: v.Get("scope"), Node: v.Get("node"), Set: v.Get("set"), Name: v.Get("name")}
	if err := checkScope(q, want.Scope); err != nil {
		return nil, err
	}
	list, err := keeper.Attributes(ctx, want)
	if err != nil {
		return nil, err
	}
	return &AttributesReply{Schema: Schema, Attributes: nonNil(list)}, nil
}

func (s *Server) setAttributes(ctx context.Context, q *request) (any, error) {
	keeper, err := s.keeper(q)
	if err != nil {
		return nil, err
	}
	var r AttributesRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if len(r.Changes) == 0 || len(r.Changes) > AttributesMax {
		return nil, Errorf(CodeUsage, q.what, "%d changes in one request: 1 to %d are allowed", len(r.Changes), AttributesMax)
	}
	for _, c := range r.Changes {
		if err := checkScope(q, c.Scope); err != nil {
			return nil, err
		}
		switch {
		case c.Name == "":
			return nil, Errorf(CodeUsage, q.what, "an attribute has no name")
		case len(c.Name) > AttributeNameMax:
			return nil, Errorf(CodeUsage, q.what, "an attribute's name of %d bytes: %d are allowed", len(c.Name), AttributeNameMax)
		case c.Value != nil && len(*c.Value) > AttributeValueMax:
			return nil, Errorf(CodeUsage, q.what, "attribute %s: a value of %d bytes: %d are allowed", c.Name, len(*c.Value), AttributeValueMax)
		}
	}
	if err := keeper.SetAttributes(ctx, r); err != nil {
		return nil, err
	}
	return &AttributesReply{Schema: Schema, Attributes: []Attribute{}}, nil
}

func (s *Server) keeper(q *request) (AttributeKeeper, error) {
	k, ok := s.backend.(AttributeKeeper)
	if !ok {
		return nil, Errorf(CodeRefused, q.what, "this daemon keeps no attributes")
	}
	return k, nil
}

func checkScope(q *request, scope string) error {
	switch scope {
	case ScopeTransient, ScopePermanent, ScopeOption:
		return nil
	}
	return Errorf(CodeUsage, q.what, "attributes are %s, %s or of scope %s, not %q", ScopeTransient, ScopePermanent, ScopeOption, scope)
}
