package ctl

import (
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"paceline/agent/api"
)

// runTraces lists what nodes keep of a traced resource, or prints one of the files.
func runTraces(in *invocation) error {
	id, file := in.arg(0), in.arg(1)
	reply, err := in.traces(id)
	if err != nil {
		return err
	}
	if file == "" {
		return in.listTraces(id, reply)
	}
	i := len(reply.Files) - 1
	if file != "last" {
		i = slices.IndexFunc(reply.Files, func(f api.TraceFile) bool { return f.Name == file })
	}
	if i < 0 {
		e := api.Errorf(api.CodeNotFound, "traces of "+id, "there is no %s", file)
		if len(reply.Missing) > 0 {
			return e.WithHint("some nodes did not answer: %s", strings.Join(reply.Missing, "; "))
		}
		return e.WithHint("`paceline resource traces %s` lists what there is, `paceline resource trace %s` has it kept", id, id)
	}
	one, err := in.api.Traces(in.ctx, reply.Files[i].Node, id, reply.Files[i].Name)
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(one)
	}
	for _, f := range one.Files {
		in.printf("%s", f.Text)
	}
	return nil
}

// traces asks all nodes at the same time.
func (in *invocation) traces(id string) (*api.TracesReply, error) {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return nil, err
	}
	nodes := filter(st.Nodes, func(n api.Node) bool { return n.Role != api.RoleRemote })
	parts, errs := make([]*api.TracesReply, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { parts[i], errs[i] = in.api.Traces(in.ctx, n.Name, id, "") })
	}
	wg.Wait()
	out := &api.TracesReply{Schema: api.Schema, Files: []api.TraceFile{}}
	for i, n := range nodes {
		if errs[i] != nil {
			out.Missing = append(out.Missing, n.Name+": "+errs[i].Error())
			continue
		}
		out.Files = append(out.Files, parts[i].Files...)
	}
	when := func(f api.TraceFile) string { _, name, _ := strings.Cut(f.Name, "/"); return name }
	slices.SortStableFunc(out.Files, func(a, b api.TraceFile) int { return strings.Compare(when(a), when(b)) })
	return out, nil
}

func (in *invocation) listTraces(id string, reply *api.TracesReply) error {
	if in.json() {
		return in.writeJSON(reply)
	}
	for _, m := range reply.Missing {
		in.printf("no answer from %s\n", m)
	}
	if len(reply.Files) == 0 {
		in.printf("nothing is kept of %s; `paceline resource trace %s monitor` has it kept\n", id, id)
		return nil
	}
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	for _, f := range reply.Files {
		if _, err := w.Write([]byte(f.Node + "\t" + f.Name + "\t" + strings.TrimPrefix(f.Head, "# ") + "\n")); err != nil {
			return err
		}
	}
	return w.Flush()
}
