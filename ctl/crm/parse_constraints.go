package crm

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

var actions = []string{"start", "stop", "promote", "demote"}

func (p *parser) location() (*addition, *Error) {
	id, err := p.id("the ID of a constraint")
	if err != nil {
		return nil, err
	}
	l := &cib.Location{ID: id.text}
	a := &addition{constraint: &cib.Constraint{Location: l}, id: id}
	if err := p.located(a, l); err != nil {
		return nil, err
	}
	for {
		name, value, at := p.option("role", "resource-discovery", "rsc-discovery")
		if name == "" {
			break
		}
		if name == "role" {
			if l.Role, err = roleOf(value, at); err != nil {
				return nil, err
			}
			continue
		}
		choices := []string{"always", "never", "exclusive"}
		if !slices.Contains(choices, value) {
			return nil, at.unknown(value, choices, "%s is expected, not %q", or(choices), value)
		}
		l.Discovery = value
	}
	if p.peek().is("rule") {
		for p.accept("rule") {
			rule, err := p.rule()
			if err != nil {
				return nil, err
			}
			l.Rules = append(l.Rules, rule)
		}
		return a, nil
	}
	w := p.peek()
	score, node, colon := strings.Cut(w.text, ":")
	value, isScore := scoreOf(score)
	if !colon || !isScore {
		return nil, p.expected("SCORE: NODE or a rule")
	}
	p.at++
	if l.Score = value; node == "" {
		if !p.more() {
			return nil, p.expected("the name of a node")
		}
		node = p.next().text
	}
	l.Node = node
	return a, nil
}

// located reads what a location is about.
func (p *parser) located(a *addition, l *cib.Location) *Error {
	w := p.peek()
	switch {
	case !p.more():
		return p.expected("a resource, a pattern /.../ or a set { ... }")
	case strings.HasPrefix(w.text, "/") && !w.quoted:
		pattern := strings.TrimSuffix(w.text[1:], "/")
		if pattern == "" || !strings.HasSuffix(w.text, "/") {
			return w.errorf("a pattern between slashes is expected, not %q", w.text)
		}
		p.at++
		l.Pattern = pattern
		return nil
	case strings.HasPrefix(w.text, "{") && !w.quoted:
		sets, err := p.members(a, "role", true)
		l.Sets = sets
		return err
	}
	rsc := p.next()
	l.Resource = rsc.text
	a.refs = append(a.refs, rsc)
	if id, role, hasRole := strings.Cut(rsc.text, ":"); hasRole {
		var err *Error
		l.Resource = id
		if l.Role, err = roleOf(role, rsc); err != nil {
			return err
		}
		a.refs[0].text = id
	}
	return nil
}

func (p *parser) colocation() (*addition, *Error) {
	id, err := p.id("the ID of a constraint")
	if err != nil {
		return nil, err
	}
	c := &cib.Colocation{ID: id.text}
	a := &addition{constraint: &cib.Constraint{Colocation: c}, id: id}
	w := p.peek()
	text, colon := strings.CutSuffix(w.text, ":")
	score, isScore := scoreOf(text)
	if !colon || !isScore {
		return nil, p.expected("a score and a colon")
	}
	p.at++
	c.Score = score
	if c.Sets, err = p.members(a, "role", false); err != nil {
		return nil, err
	}
	for p.more() {
		name, value, at := p.option("node-attribute", "influence")
		switch name {
		case "node-attribute":
			c.NodeAttribute = value
		case "influence":
			if _, err := boolOf(value, at); err != nil {
				return nil, err
			}
			c.Influence = value
		default:
			return nil, p.expected("a resource, a set or node-attribute=NAME")
		}
	}
	if pair := plainPair(a, &c.Sets); pair != nil {
		c.Resource, c.Role, c.With, c.WithRole = pair[0].id, pair[0].role, pair[1].id, pair[1].role
	} else if len(c.Sets) == 0 || len(a.refs) < 2 {
		return nil, p.expected("a second resource")
	}
	return a, nil
}

var orderKinds = []string{"Mandatory", "Optional", "Serialize"}

func (p *parser) order() (*addition, *Error) {
	id, err := p.id("the ID of a constraint")
	if err != nil {
		return nil, err
	}
	o := &cib.Order{ID: id.text}
	a := &addition{constraint: &cib.Constraint{Order: o}, id: id}
	if text, colon := strings.CutSuffix(p.peek().text, ":"); colon {
		w := p.next()
		if o.Kind = orderKind(text); o.Kind == "" {
			return nil, w.unknown(text, orderKinds, "%s or a score is expected before the colon, not %q", or(orderKinds), text)
		}
	}
	if o.Sets, err = p.members(a, "action", false); err != nil {
		return nil, err
	}
	for p.more() {
		name, value, at := p.option("symmetrical")
		if name == "" {
			return nil, p.expected("a resource, a set or symmetrical=BOOLEAN")
		}
		yes, err := boolOf(value, at)
		if err != nil {
			return nil, err
		}
		if o.Symmetrical = "true"; !yes {
			o.Symmetrical = "false"
		}
	}
	if pair := plainPair(a, &o.Sets); pair != nil {
		o.First, o.FirstAction, o.Then, o.ThenAction = pair[0].id, pair[0].role, pair[1].id, pair[1].role
	} else if len(o.Sets) == 0 || len(a.refs) < 2 {
		return nil, p.expected("a second resource")
	}
	return a, nil
}

// orderKind reads a kind, or a score, which stands for one.
func orderKind(text string) string {
	for _, kind := range orderKinds {
		if strings.EqualFold(kind, text) {
			return kind
		}
	}
	switch score, isScore := scoreOf(text); {
	case !isScore:
		return ""
	case score == "0":
		return "Optional"
	}
	return "Mandatory"
}

func (p *parser) ticket() (*addition, *Error) {
	id, err := p.id("the ID of a constraint")
	if err != nil {
		return nil, err
	}
	t := &cib.RscTicket{ID: id.text}
	a := &addition{constraint: &cib.Constraint{Ticket: t}, id: id}
	ticket, colon := strings.CutSuffix(p.peek().text, ":")
	if !colon || ticket == "" {
		return nil, p.expected("the name of a ticket and a colon")
	}
	p.at++
	t.Ticket = ticket
	if t.Sets, err = p.members(a, "role", false); err != nil {
		return nil, err
	}
	for p.more() {
		name, value, at := p.option("loss-policy")
		choices := []string{"stop", "demote", "fence", "freeze"}
		if name == "" {
			return nil, p.expected("a resource, a set or loss-policy=POLICY")
		}
		if !slices.Contains(choices, value) {
			return nil, at.unknown(value, choices, "%s is expected, not %q", or(choices), value)
		}
		t.LossPolicy = value
	}
	if len(a.refs) == 0 {
		return nil, p.expected("a resource")
	}
	if len(a.refs) == 1 && isPlain(&t.Sets[0]) {
		t.Resource, t.Role, t.Sets = t.Sets[0].Resources[0], t.Sets[0].Role, nil
	}
	return a, nil
}

// end of a plain constraint of two resources.
type side struct{ id, role string }

// plainPair takes two members without brackets or attributes of a set out of the sets, or returns nil.
func plainPair(a *addition, sets *[]cib.ResourceSet) []side {
	if len(a.refs) != 2 {
		return nil
	}
	var pair []side
	for i := range *sets {
		s := &(*sets)[i]
		if !isPlain(s) {
			return nil
		}
		for _, id := range s.Resources {
			pair = append(pair, side{id, s.Role + s.Action})
		}
	}
	*sets = nil
	return pair
}

func isPlain(s *cib.ResourceSet) bool { return s.Sequential == "" && s.RequireAll == "" }

// brackets parts a word that touches brackets: "(a" is two words.
func brackets(w word) []word {
	if w.quoted {
		return []word{w}
	}
	var head, tail []word
	text, column := w.text, w.column
	for text != "" && strings.ContainsRune("([{", rune(text[0])) {
		head = append(head, word{place: place{w.line, column}, text: text[:1]})
		text, column = text[1:], column+1
	}
	for text != "" && strings.ContainsRune(")]}", rune(text[len(text)-1])) {
		tail = append([]word{{place: place{w.line, column + len(text) - 1}, text: text[len(text)-1:]}}, tail...)
		text = text[:len(text)-1]
	}
	if text != "" {
		head = append(head, word{place: place{w.line, column}, text: text})
	}
	return append(head, tail...)
}

// setReader puts members into sets.
type setReader struct {
	a       *addition
	suffix  string // what a member's suffix is: "role" or "action"
	sets    []cib.ResourceSet
	open    word // the bracket that is open, or empty
	fresh   bool // the next member begins a set
	started int  // sets before the open bracket
}

// members reads resources and sets up to the end of the line or to an attribute of the constraint. In a location they stand
// in braces.
func (p *parser) members(a *addition, suffix string, braces bool) ([]cib.ResourceSet, *Error) {
	var list []word
	end := len(p.words)
	for i := p.at; i < len(p.words); i++ {
		name, _, isAttribute := strings.Cut(p.words[i].text, "=")
		if isAttribute && name != "sequential" && name != "require-all" {
			end = i
			break
		}
		parts := brackets(p.words[i])
		list = append(list, parts...)
		if braces && parts[len(parts)-1].text == "}" {
			end = i + 1
			break
		}
	}
	behind := p.end
	if end < len(p.words) {
		behind = p.words[end].place
	}
	p.at = end
	r := &setReader{a: a, suffix: suffix, fresh: true}
	if braces {
		if len(list) < 2 || list[len(list)-1].text != "}" {
			return nil, behind.errorf("the brace { is not closed")
		}
		list = list[1 : len(list)-1]
		if len(list) == 0 {
			return nil, behind.errorf("the braces are empty: resources are expected in them")
		}
	}
	for _, w := range list {
		if err := r.take(w); err != nil {
			return nil, err
		}
	}
	if r.open.text != "" {
		return nil, r.open.errorf("the bracket %s is not closed", r.open.text)
	}
	return r.sets, nil
}

var closing = map[string]string{"(": ")", "[": "]"}

func (r *setReader) take(w word) *Error {
	switch w.text {
	case "(", "[":
		if r.open.text != "" {
			return w.errorf("brackets cannot stand in brackets")
		}
		r.open, r.fresh, r.started = w, true, len(r.sets)
		return nil
	case ")", "]":
		switch {
		case r.open.text == "":
			return w.errorf("the bracket %s closes none", w.text)
		case closing[r.open.text] != w.text:
			return w.errorf("the bracket %s is closed by %s", r.open.text, w.text)
		case len(r.sets) == r.started:
			return w.errorf("the brackets are empty: resources are expected in them")
		}
		r.open, r.fresh = word{}, true
		return nil
	case "{", "}":
		return w.errorf("a brace has no meaning here: ( ) and [ ] make sets")
	}
	if strings.Contains(w.text, "=") {
		return r.attribute(w)
	}
	return r.member(w)
}

// attribute sets an attribute of the set at hand, over what its bracket says.
func (r *setReader) attribute(w word) *Error {
	name, value, _ := strings.Cut(w.text, "=")
	if len(r.sets) == 0 || r.open.text != "" && len(r.sets) == r.started {
		return w.errorf("%q is an attribute of a set and must follow its resources", name)
	}
	yes, err := boolOf(value, w)
	if err != nil {
		return err
	}
	text := "true"
	if !yes {
		text = "false"
	}
	from := len(r.sets) - 1
	if r.open.text != "" {
		from = r.started // a bracket that was parted by roles is still one for the reader
	}
	for i := from; i < len(r.sets); i++ {
		if name == "sequential" {
			r.sets[i].Sequential = text
		} else {
			r.sets[i].RequireAll = text
		}
	}
	return nil
}

func (r *setReader) member(w word) *Error {
	id, suffix, hasSuffix := strings.Cut(w.text, ":")
	next := cib.ResourceSet{}
	if hasSuffix {
		if r.suffix == "role" {
			role, err := roleOf(suffix, w)
			if err != nil {
				return err
			}
			next.Role = role
		} else if next.Action = strings.ToLower(suffix); !slices.Contains(actions, next.Action) {
			return w.unknown(suffix, actions, "an action is expected (%s), not %q", or(actions), suffix)
		}
	}
	if !cib.ValidID(id) {
		return w.errorf("the ID of a resource is expected, not %q", w.text)
	}
	switch r.open.text {
	case "(":
		next.Sequential = "false"
	case "[":
		next.Sequential, next.RequireAll = "false", "false"
	}
	last := len(r.sets) - 1
	if r.fresh || last < 0 || r.sets[last].Role != next.Role || r.sets[last].Action != next.Action {
		r.sets = append(r.sets, next)
		r.fresh = false
		last++
	}
	r.sets[last].Resources = append(r.sets[last].Resources, id)
	ref := w
	ref.text = id
	r.a.refs = append(r.a.refs, ref)
	return nil
}
