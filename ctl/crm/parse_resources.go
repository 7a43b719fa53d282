package crm

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

// sectionWords begin the parts of a resource.
var sectionWords = []string{"params", "meta", "utilization", "operations", "op", "op_params", "op_meta"}

// DefaultProvider is what a bare type of agent belongs to: the converter knows no agents to look it up among.
const defaultProvider = "heartbeat"

var agentClasses = []string{"ocf", "systemd", "service", "lsb", "stonith", "upstart", "nagios"}

func (p *parser) primitive() (*addition, *Error) {
	r := &cib.Resource{Kind: cib.KindPrimitive}
	id, err := p.id("the ID of a primitive")
	if err != nil {
		return nil, err
	}
	r.ID = id.text
	if template, isTemplate := strings.CutPrefix(p.peek().text, "@"); isTemplate {
		p.at++
		r.Template = template
	} else if err := p.agent(&r.Agent); err != nil {
		return nil, err
	}
	return &addition{resource: r, id: id}, p.parts(r)
}

func (p *parser) template() (*addition, *Error) {
	r := &cib.Resource{Kind: cib.KindTemplate}
	id, err := p.id("the ID of a template")
	if err != nil {
		return nil, err
	}
	r.ID = id.text
	if err := p.agent(&r.Agent); err != nil {
		return nil, err
	}
	return &addition{resource: r, id: id}, p.parts(r)
}

// agent reads TYPE, CLASS:TYPE or ocf:PROVIDER:TYPE.
func (p *parser) agent(to *cib.Agent) *Error {
	const what = "an agent (TYPE, CLASS:TYPE or ocf:PROVIDER:TYPE)"
	if !p.more() {
		return p.expected(what)
	}
	w := p.next()
	parts := strings.Split(w.text, ":")
	if len(parts) > 3 || slices.Contains(parts, "") || strings.Contains(w.text, "=") {
		return w.errorf("%s is expected, not %q", what, w.text)
	}
	switch len(parts) {
	case 1:
		*to = cib.Agent{Class: "ocf", Provider: defaultProvider, Type: parts[0]}
	case 2:
		*to = cib.Agent{Class: parts[0], Type: parts[1]}
		if parts[0] == "ocf" {
			to.Provider = defaultProvider
		}
	case 3:
		*to = cib.Agent{Class: parts[0], Provider: parts[1], Type: parts[2]}
	}
	if !slices.Contains(agentClasses, to.Class) {
		return w.unknown(to.Class, agentClasses, "%q is no class of agents: %s is", to.Class, or(agentClasses))
	}
	return nil
}

// parts reads what a primitive or template has, to the end of the line.
func (p *parser) parts(r *cib.Resource) *Error {
	p.description(&r.Description)
	if p.more() && !p.stops(sectionWords) { // "params" may be left out when it comes first
		if err := p.append(&r.Params); err != nil {
			return err
		}
	}
	for p.more() {
		var err *Error
		switch {
		case p.accept("params"):
			err = p.append(&r.Params)
		case p.accept("meta"):
			err = p.append(&r.Meta)
		case p.accept("utilization"):
			err = p.append(&r.Utilization)
		case p.accept("operations"):
			err = p.operations(&r.Operations)
		case p.accept("op"):
			err = p.op(&r.Operations)
		default:
			err = p.expected("params, meta, utilization, operations or op")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) append(sets *[]cib.NVSet) *Error {
	set, err := p.set(sectionWords)
	*sets = append(*sets, set)
	return err
}

func (p *parser) operations(o *cib.Operations) *Error {
	name, value, at := p.option("id-ref", "id")
	switch name {
	case "id":
		p.choose(&o.ID, value, at)
	case "id-ref":
		o.IDRef = value
		p.refer("operations", value, at)
	default:
		return p.expected("$id=ID or $id-ref=ID")
	}
	return nil
}

// opAttributes are the attributes of an operation; other names become parameters of it.
var opAttributes = []string{
	"interval", "timeout", "role", "on-fail", "enabled", "start-delay", "record-pending", "interval-origin", "requires", "description",
}

func opField(o *cib.Op, name string) *string {
	switch name {
	case "id":
		return &o.ID
	case "interval":
		return &o.Interval
	case "timeout":
		return &o.Timeout
	case "role":
		return &o.Role
	case "on-fail":
		return &o.OnFail
	case "enabled":
		return &o.Enabled
	case "start-delay":
		return &o.StartDelay
	case "record-pending":
		return &o.RecordPending
	case "interval-origin":
		return &o.IntervalOrigin
	case "requires":
		return &o.Requires
	case "description":
		return &o.Description
	}
	return nil
}

func (p *parser) op(operations *cib.Operations) *Error {
	if !p.more() || p.stops(sectionWords) {
		return p.expected("the name of an operation (monitor, start, stop, ...)")
	}
	o := &cib.Op{}
	if name, value, _ := p.option("id"); name != "" {
		o.ID = value
	}
	o.Name = p.next().text
	if strings.Contains(o.Name, "=") {
		return p.words[p.at-1].errorf("the name of an operation is expected, not %q", o.Name)
	}
	var free cib.NVSet
	for p.more() && !p.stops(sectionWords) {
		w := p.peek()
		pair, err := p.pair()
		if err != nil {
			return err
		}
		field := opField(o, strings.TrimPrefix(pair.Name, "$"))
		switch {
		case field == nil || pair.IDRef != "" || pair.NoValue:
			free.Pairs = append(free.Pairs, pair)
		case len(free.Pairs) > 0:
			return w.errorf("%q is an attribute of the operation and must stand before %q, which is a parameter", pair.Name, free.Pairs[0].Name)
		default:
			*field = pair.Value
		}
	}
	if len(free.Pairs) > 0 {
		o.Params = append(o.Params, free)
	}
	for {
		sets := &o.Params
		switch {
		case p.accept("op_params"):
		case p.accept("op_meta"):
			sets = &o.Meta
		default:
			if o.Interval == "" {
				o.Interval = "0"
			}
			operations.Ops = append(operations.Ops, o)
			return nil
		}
		if err := p.append(sets); err != nil {
			return err
		}
	}
}

func (p *parser) group() (*addition, *Error) {
	id, err := p.id("the ID of a group")
	if err != nil {
		return nil, err
	}
	a := &addition{resource: &cib.Resource{ID: id.text, Kind: cib.KindGroup}, id: id}
	for p.more() && !strings.Contains(p.peek().text, "=") && (len(a.children) == 0 || !p.stops([]string{"meta", "params"})) {
		member, err := p.id("the ID of a primitive")
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(a.children, func(w word) bool { return w.text == member.text }) {
			return nil, member.errorf("%q is in the group twice", member.text)
		}
		a.children = append(a.children, member)
	}
	if len(a.children) == 0 {
		return nil, p.expected("the ID of a primitive")
	}
	return a, p.collection(a.resource)
}

// collection reads what groups and clones have, to the end of the line.
func (p *parser) collection(r *cib.Resource) *Error {
	p.description(&r.Description)
	for p.more() {
		var err *Error
		switch {
		case p.accept("meta"):
			err = p.append(&r.Meta)
		case p.accept("params"):
			err = p.append(&r.Params)
		default:
			err = p.expected("meta or params")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) clone() (*addition, *Error) {
	id, err := p.id("the ID of a clone")
	if err != nil {
		return nil, err
	}
	child, err := p.id("the ID of a primitive or group")
	if err != nil {
		return nil, err
	}
	a := &addition{resource: &cib.Resource{ID: id.text, Kind: cib.KindClone}, id: id, children: []word{child}}
	return a, p.collection(a.resource)
}

// master reads the old form of a promotable clone, and keeps that it was one.
func (p *parser) master() (*addition, *Error) {
	a, err := p.clone()
	if a != nil {
		a.resource.Legacy = true
	}
	return a, err
}

var runtimes = []string{"docker", "podman", "rkt"}

func (p *parser) bundle() (*addition, *Error) {
	id, err := p.id("the ID of a bundle")
	if err != nil {
		return nil, err
	}
	r := &cib.Resource{ID: id.text, Kind: cib.KindBundle, Bundle: &cib.Bundle{}}
	a := &addition{resource: r, id: id}
	p.description(&r.Description)
	runtime := p.peek()
	if !p.stops(runtimes) {
		return nil, p.expected("docker or podman")
	}
	r.Bundle.Runtime = strings.ToLower(p.next().text)
	if r.Bundle.Options, err = p.attrs(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(r.Bundle.Options, func(a cib.Attr) bool { return a.Name == "image" && a.Value != "" }) {
		return nil, runtime.errorf("the container has no image: image=NAME is needed")
	}
	for p.more() {
		switch {
		case p.accept("network"):
			err = p.network(r.Bundle)
		case p.accept("storage"):
			err = p.storage(r.Bundle)
		case p.accept("primitive"):
			var child word
			if child, err = p.id("the ID of a primitive"); err == nil {
				a.children = append(a.children, child)
			}
		case p.accept("meta"):
			var set cib.NVSet
			set, err = p.set([]string{"network", "storage", "primitive", "meta"})
			r.Meta = append(r.Meta, set)
		default:
			err = p.expected("network, storage, primitive or meta")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(a.children) > 1 {
		return nil, a.children[1].errorf("a bundle holds one primitive at most")
	}
	return a, nil
}

// attrs reads NAME=VALUE as often as it comes.
func (p *parser) attrs() ([]cib.Attr, *Error) {
	var list []cib.Attr
	for strings.Contains(p.peek().text, "=") {
		w := p.next()
		name, value, _ := strings.Cut(strings.TrimPrefix(w.text, "$"), "=")
		if !cib.ValidID(name) {
			return nil, w.errorf("an attribute NAME=VALUE is expected, not %q", w.text)
		}
		list = append(list, cib.Attr{Name: name, Value: value})
	}
	return list, nil
}

func (p *parser) network(b *cib.Bundle) *Error {
	if b.Network != nil {
		return p.words[p.at-1].errorf("a bundle has one network at most")
	}
	b.Network = &cib.BundleNet{}
	var err *Error
	if b.Network.Options, err = p.attrs(); err != nil {
		return err
	}
	for p.accept("port-mapping") {
		port := cib.PortMap{}
		fields := map[string]*string{"id": &port.ID, "port": &port.Port, "internal-port": &port.InternalPort, "range": &port.Range}
		if err := p.fields(fields); err != nil {
			return err
		}
		b.Network.Ports = append(b.Network.Ports, port)
	}
	return nil
}

func (p *parser) storage(b *cib.Bundle) *Error {
	for p.accept("storage-mapping") {
		m := cib.StorageMap{}
		fields := map[string]*string{
			"id": &m.ID, "source-dir": &m.SourceDir, "source-dir-root": &m.SourceDirRoot, "target-dir": &m.TargetDir, "options": &m.Options,
		}
		if err := p.fields(fields); err != nil {
			return err
		}
		b.Storage = append(b.Storage, m)
	}
	return nil
}

// fields reads attributes of which only those names are known.
func (p *parser) fields(fields map[string]*string) *Error {
	for strings.Contains(p.peek().text, "=") {
		w := p.next()
		name, value, _ := strings.Cut(strings.TrimPrefix(w.text, "$"), "=")
		field, known := fields[name]
		if !known {
			names := make([]string, 0, len(fields))
			for n := range fields {
				names = append(names, n)
			}
			slices.Sort(names)
			return w.unknown(name, names, "%q is no attribute here: %s is", name, or(names))
		}
		*field = value
	}
	return nil
}

// monitor reads RSC[:ROLE] INTERVAL[:TIMEOUT], which adds an operation to a resource.
func (p *parser) monitor() (func(*document) *Error, *Error) {
	if !p.more() {
		return nil, p.expected("the ID of a resource")
	}
	rsc := p.next()
	op := &cib.Op{Name: "monitor"}
	id, role, hasRole := strings.Cut(rsc.text, ":")
	if hasRole {
		var err *Error
		if op.Role, err = roleOf(role, rsc); err != nil {
			return nil, err
		}
	}
	if !p.more() {
		return nil, p.expected("an interval, with :TIMEOUT if wanted")
	}
	times := p.next()
	op.Interval, op.Timeout, _ = strings.Cut(times.text, ":")
	for _, t := range []string{op.Interval, op.Timeout} {
		if _, err := cib.ParseMilliseconds(t); err != nil && t != "" {
			return nil, times.errorf("%s", err)
		}
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	return func(d *document) *Error {
		r := d.resource(id)
		if r == nil || r.Kind != cib.KindPrimitive && r.Kind != cib.KindTemplate {
			return rsc.unknown(id, d.resourceIDs(), "there is no primitive %q", id)
		}
		op.ID = d.freshID(r.ID + "-monitor-" + op.Interval) // by its own name, whatever the operations are called
		r.Operations.Ops = append(r.Operations.Ops, op)
		return nil
	}, nil
}
