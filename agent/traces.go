package agent

import (
	"context"
	"path/filepath"

	"paceline/agent/api"
	"paceline/resources/ocf"
)

// traceDir is where what operations of traced resources did is kept.
func (o *Options) traceDir() string { return filepath.Join(o.DataDir, "trace") }

var _ api.Tracer = backend{}

// Traces returns what this node keeps of a traced resource. Values of parameters with the names of secrets are masked.
func (b backend) Traces(_ context.Context, resource, file string) ([]api.TraceFile, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	list, err := ocf.Traces(b.d.opt.traceDir(), resource)
	if err != nil {
		return nil, err
	}
	var secrets []string
	if c := n.store.Snapshot().CIB; c != nil {
		secrets = c.Secrets()
	}
	clean := cleaner(secrets)
	var out []api.TraceFile
	for _, t := range list {
		f := api.TraceFile{Node: n.file.Node, Name: t.Name, Size: t.Size, Head: string(clean([]byte(t.Head)))}
		if file != "" && file != t.Name {
			continue
		}
		if file != "" {
			text, err := t.Text()
			if err != nil {
				return nil, err
			}
			f.Text = string(clean(text))
		}
		out = append(out, f)
	}
	if file != "" && len(out) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "read trace", "%s keeps no %s", n.file.Node, file).WithHint("`paceline resource traces %s` lists what there is", resource)
	}
	return out, nil
}
