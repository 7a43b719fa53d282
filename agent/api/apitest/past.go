package apitest

import (
	"context"

	"paceline/agent/api"
	"paceline/agent/history"
)

// Past returns the timeline that a test set.
func (c *Cluster) Past(context.Context) ([]history.Event, []string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Timeline, c.TimelineProblems, nil
}

// Note adds to the timeline.
func (c *Cluster) Note(e history.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Timeline = append(c.Timeline, e)
}

// Input returns the saved input that a test set.
func (c *Cluster) Input(_ context.Context, id history.ID) (*history.Input, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in := c.Inputs[id]; in != nil {
		return in, nil
	}
	return nil, api.Errorf(api.CodeNotFound, "", "%s keeps no input of transition %s", c.State.Node, id)
}

// Others returns the routes that a test set.
func (c *Cluster) Others(context.Context) []api.Route {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.OtherNodes
}
