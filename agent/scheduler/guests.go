package scheduler

import "paceline/agent/cib"

// guestConnection makes the implicit resource that connects to a guest node. It runs wherever its container does.
func (w *world) guestConnection(container *rsc, n *node) *rsc {
	m := container.meta
	conf := &cib.Resource{
		ID: n.name, Kind: cib.KindPrimitive,
		Agent: cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "remote"},
	}
	set := cib.NVSet{ID: n.name + "-params"}
	// Without an address of its own a guest is reached by its name.
	for _, p := range [][2]string{{"addr", m["remote-addr"]}, {"port", m["remote-port"]}} {
		if p[1] != "" {
			set.Pairs = append(set.Pairs, cib.NVPair{Name: p[0], Value: p[1]})
		}
	}
	conf.Params = []cib.NVSet{set}
	meta := cib.NVSet{ID: n.name + "-meta", Pairs: []cib.NVPair{
		{Name: "internal-resource", Value: "true"}, {Name: "container", Value: container.id},
	}}
	if v, ok := m["remote-allow-migrate"]; ok {
		meta.Pairs = append(meta.Pairs, cib.NVPair{Name: "allow-migrate", Value: v})
	}
	if v, ok := m["is-managed"]; ok {
		meta.Pairs = append(meta.Pairs, cib.NVPair{Name: "is-managed", Value: v})
	}
	conf.Meta = []cib.NVSet{meta}
	timeout := m["remote-connect-timeout"]
	if timeout == "" {
		timeout = "60s"
	}
	conf.Operations.Ops = []*cib.Op{
		{Name: "monitor", Interval: "30s", Timeout: "30s"},
		{Name: "start", Interval: "0", Timeout: timeout},
	}
	if _, ok := m["remote-connect-timeout"]; !ok {
		conf.Operations.Ops[1].Timeout = "60s"
	}
	r := w.build(conf, nil, "")
	if r == nil {
		return nil
	}
	n.conn = r
	r.guest = n
	r.container = container
	container.fills = append(container.fills, r)
	w.top = append(w.top, r)
	return r
}
