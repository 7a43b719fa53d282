package apitest

import (
	"context"
	"net/http"

	"paceline/agent/api"
	"paceline/agent/audit"
)

// Report answers the API.
func (c *Cluster) Report(context.Context, api.ReportSpan) ([]api.ReportFile, error) {
	return []api.ReportFile{{Name: "node.txt", Data: []byte("node: " + c.State.Node + "\n")}}, nil
}

// Traces answers the API: of web one operation is kept, of others nothing.
func (c *Cluster) Traces(_ context.Context, resource, file string) ([]api.TraceFile, error) {
	f := api.TraceFile{Node: c.State.Node, Name: resource + "/20310304T180000.000-monitor-10000.log", Size: 80, Head: "# monitor of " + resource + ": 7 (not running)"}
	if resource != "web" || file != "" && file != f.Name {
		return nil, nil
	}
	if file != "" {
		f.Text = f.Head + "\n+ pidof web\n"
	}
	return []api.TraceFile{f}, nil
}

// AuditPart returns the part that a test set.
func (c *Cluster) AuditPart(context.Context) (*audit.Part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.Truth
	return &p, nil
}

// Reach answers the API: there are no others to be reached.
func (c *Cluster) Reach(_ context.Context, node string) (http.RoundTripper, error) {
	return nil, api.Errorf(api.CodeUnreachable, "reach "+node, "it is not heard")
}
