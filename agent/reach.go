package agent

import (
	"context"
	"net/http"

	"paceline/agent/api"
	"paceline/agent/membership"
)

var _ api.PeerReacher = backend{}

// Reach returns the way to the API of another living member.
func (b backend) Reach(_ context.Context, name string) (http.RoundTripper, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	for _, m := range n.currentView().Members {
		if m.Name == name && m.Status == membership.Alive {
			return n.route(name, false).Transport, nil
		}
	}
	return nil, api.Errorf(api.CodeUnreachable, "reach "+name, "%s does not hear it", n.file.Node)
}
