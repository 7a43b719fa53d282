package crm

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

// set reads an attribute set up to one of the keywords that end it.
func (p *parser) set(stop []string) (cib.NVSet, *Error) {
	var s cib.NVSet
	if name, value, at := p.option("id-ref"); name != "" {
		s.IDRef = value
		p.refer("set", value, at)
		return s, nil
	}
	p.setID(&s.ID)
	if w := p.peek(); p.more() && strings.HasSuffix(w.text, ":") && !strings.Contains(w.text, "=") {
		score, isScore := scoreOf(strings.TrimSuffix(w.text, ":"))
		if !isScore {
			return s, w.errorf("a score is expected before the colon, not %q", w.text)
		}
		s.Score = score
		p.at++
	}
	p.setID(&s.ID)
	for p.accept("rule") {
		if s.Rule != nil {
			return s, p.words[p.at-1].errorf("a set has one rule at most")
		}
		rule, err := p.rule()
		if err != nil {
			return s, err
		}
		s.Rule = rule
	}
	for p.more() && !p.stops(stop) {
		pair, err := p.pair()
		if err != nil {
			return s, err
		}
		s.Pairs = append(s.Pairs, pair)
	}
	return s, nil
}

func (p *parser) setID(to *string) {
	if strings.HasPrefix(p.peek().text, "$") {
		if name, value, at := p.option("id"); name != "" {
			p.choose(to, value, at)
		}
	}
}

// choose takes an ID that the text gives to a bookkeeping element.
func (p *parser) choose(to *string, id string, at word) {
	*to = id
	p.chosen = append(p.chosen, word{place: at.place, text: id})
}

// stops tells whether the next word is one of the keywords.
func (p *parser) stops(keywords []string) bool {
	return slices.ContainsFunc(keywords, p.peek().is)
}

// refer notes a reference, to be checked when everything is read.
func (p *parser) refer(kind, id string, at word) {
	if _, noted := p.targets[target{kind, id}]; !noted {
		p.targets[target{kind, id}] = at.place
	}
}

// pair reads NAME=VALUE, NAME, $ID:NAME=VALUE or @ID[:NAME].
func (p *parser) pair() (cib.NVPair, *Error) {
	w := p.next()
	name, value, hasValue := strings.Cut(w.text, "=")
	if ref, isRef := strings.CutPrefix(name, "@"); isRef && !hasValue {
		id, as, _ := strings.Cut(ref, ":")
		p.refer("pair", id, w)
		return cib.NVPair{IDRef: id, Name: as}, nil
	}
	pair := cib.NVPair{Name: name, Value: value, NoValue: !hasValue}
	if rest, hasID := strings.CutPrefix(name, "$"); hasID {
		id, name, found := strings.Cut(rest, ":")
		if !found {
			return pair, w.errorf("an attribute NAME=VALUE is expected, not %q", w.text)
		}
		p.choose(&pair.ID, id, w)
		pair.Name = name
	}
	if pair.Name == "" || !hasValue && strings.ContainsAny(pair.Name, ":{}()[]\"'$@") {
		return pair, w.errorf("an attribute NAME=VALUE is expected, not %q", w.text)
	}
	return pair, nil
}

// scoreOf reads a score that is not an attribute.
func scoreOf(text string) (string, bool) {
	sign, digits := "", text
	if strings.HasPrefix(text, "-") {
		sign, digits = "-", text[1:]
	} else if strings.HasPrefix(text, "+") {
		digits = text[1:]
	}
	switch strings.ToLower(digits) {
	case "inf", "infinity":
		return sign + "INFINITY", true
	case "mandatory":
		return "INFINITY", text == digits
	case "advisory":
		return "0", text == digits
	}
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		return sign + digits, true
	}
	return "", false
}

var comparisons = []string{"lt", "gt", "lte", "gte", "eq", "ne"}

// rule reads what follows the keyword.
func (p *parser) rule() (*cib.Rule, *Error) {
	r := &cib.Rule{}
	for {
		name, value, at := p.option("id-ref", "id", "role")
		switch name {
		case "id-ref":
			r.IDRef = value
			p.refer("rule", value, at)
			return r, nil
		case "id":
			p.choose(&r.ID, value, at)
			continue
		case "role":
			role, err := roleOf(value, at)
			if err != nil {
				return nil, err
			}
			r.Role = role
			continue
		}
		break
	}
	if w := p.peek(); p.more() && len(w.text) > 1 && strings.HasSuffix(w.text, ":") && !w.quoted {
		text := strings.TrimSuffix(w.text, ":")
		if score, isScore := scoreOf(text); isScore {
			r.Score = score
		} else {
			r.ScoreAttribute = text
		}
		p.at++
	} else {
		r.Score = "INFINITY"
	}
	for {
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		r.Expressions = append(r.Expressions, x)
		w := p.peek()
		if !p.more() || !w.is("and") && !w.is("or") {
			return r, nil
		}
		op := strings.ToLower(p.next().text)
		if len(r.Expressions) == 1 && op == "or" {
			r.BooleanOp = "or"
		} else if len(r.Expressions) > 1 && (op == "or") != (r.BooleanOp == "or") {
			return nil, w.errorf("a rule joins its expressions by \"and\" or by \"or\", not by both")
		}
	}
}

func (p *parser) expression() (cib.Expression, *Error) {
	w := p.peek()
	switch {
	case !p.more():
		return cib.Expression{}, p.expected("an expression of a rule")
	case w.is("date"):
		p.at++
		date, err := p.date()
		return cib.Expression{Date: date}, err
	case w.is("defined"), w.is("not_defined"):
		p.at++
		if !p.more() {
			return cib.Expression{}, p.expected("the name of an attribute")
		}
		return cib.Expression{Attribute: &cib.AttributeExpr{Attribute: p.next().text, Operation: strings.ToLower(w.text)}}, nil
	}
	x := &cib.AttributeExpr{Attribute: p.next().text}
	op := p.peek()
	if !p.more() {
		return cib.Expression{}, p.expected("a comparison (" + or(comparisons) + ")")
	}
	kind, name, typed := strings.Cut(p.next().text, ":")
	if !typed {
		kind, name = "", kind
	}
	if x.Operation = strings.ToLower(name); !slices.Contains(comparisons, x.Operation) {
		return cib.Expression{}, op.unknown(name, comparisons, "a comparison is expected (%s), not %q", or(comparisons), op.text)
	}
	types := []string{"string", "version", "number", "integer"}
	if x.Type = strings.ToLower(kind); typed && !slices.Contains(types, x.Type) {
		return cib.Expression{}, op.unknown(kind, types, "a type is expected (%s), not %q", or(types), kind)
	}
	if !p.more() {
		return cib.Expression{}, p.expected("the value to compare with")
	}
	x.Value = p.next().text
	for _, source := range []string{"param", "meta"} {
		if rest, ok := strings.CutPrefix(x.Value, source+"{"); ok && strings.HasSuffix(rest, "}") {
			x.Value, x.ValueSource = strings.TrimSuffix(rest, "}"), source
		}
	}
	return cib.Expression{Attribute: x}, nil
}

var dateFields = []string{"seconds", "minutes", "hours", "monthdays", "weekdays", "yearsdays", "yeardays", "months", "weeks", "years", "weekyears", "moon", "days"}

func (p *parser) date() (*cib.DateExpr, *Error) {
	x := &cib.DateExpr{}
	w := p.peek()
	switch {
	case p.accept("lt"), p.accept("gt"):
		x.Operation = strings.ToLower(w.text)
		if !p.more() {
			return nil, p.expected("a time")
		}
		if x.Operation == "lt" {
			x.End = p.next().text
		} else {
			x.Start = p.next().text
		}
	case p.accept("in"), p.accept("in_range"):
		x.Operation = "in_range"
		for {
			name, value, _ := p.option("start", "end")
			if name == "" {
				break
			}
			if name == "start" {
				x.Start = value
			} else {
				x.End = value
			}
		}
		x.Duration = p.dateSpec()
		if x.End == "" && x.Duration == nil {
			return nil, p.expected("end=TIME or a duration (" + or(dateFields) + ")")
		}
		if x.Start == "" && x.Duration != nil {
			return nil, w.errorf("a duration needs a start=TIME")
		}
	case p.accept("spec"), p.accept("date_spec"):
		x.Operation = "date_spec"
		if x.Spec = p.dateSpec(); x.Spec == nil {
			return nil, p.expected("a unit of time and its range (" + or(dateFields) + ")")
		}
	default:
		return nil, p.expected("lt, gt, in or spec")
	}
	return x, nil
}

// dateSpec reads units of time, or returns nil.
func (p *parser) dateSpec() *cib.DateSpec {
	var spec *cib.DateSpec
	for {
		name, value, _ := p.option(dateFields...)
		if name == "" {
			return spec
		}
		if spec == nil {
			spec = &cib.DateSpec{}
		}
		spec.Fields = append(spec.Fields, cib.Attr{Name: name, Value: value})
	}
}

var roles = []string{"Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave"}

// roleOf reads the name of a role in any case.
func roleOf(text string, at word) (string, *Error) {
	for _, role := range roles {
		if strings.EqualFold(role, text) {
			return role, nil
		}
	}
	return "", at.unknown(text, roles, "a role is expected (%s), not %q", or(roles[:4]), text)
}

// boolOf reads a boolean.
func boolOf(text string, at word) (bool, *Error) {
	value, err := cib.ParseBool(text)
	if err != nil {
		return false, at.errorf("%s", err)
	}
	return value, nil
}
