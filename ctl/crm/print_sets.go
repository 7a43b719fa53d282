package crm

import (
	"strings"

	"paceline/agent/cib"
)

// sets appends a part for each set; made is the ID that a text without one would give.
func (p *printer) sets(parts []string, keyword string, sets []cib.NVSet, made string) []string {
	for i := range sets {
		parts = append(parts, p.set(keyword, &sets[i], made))
	}
	return parts
}

func (p *printer) set(keyword string, s *cib.NVSet, made string) string {
	if s.IDRef != "" {
		return keyword + " $id-ref=" + quoteValue(s.IDRef)
	}
	if p.chosen(s.ID, made) {
		keyword += " $id=" + quoteValue(s.ID)
	}
	if s.Score != "" {
		keyword += " " + scoreText(s.Score) + ":"
	}
	if s.Rule != nil {
		keyword += " " + p.rule(s.Rule, s.ID+"-rule")
	}
	for i := range s.Pairs {
		keyword += " " + p.pair(&s.Pairs[i])
	}
	return keyword
}

func (p *printer) pair(v *cib.NVPair) string {
	switch {
	case v.IDRef != "" && v.Name != "":
		return "@" + v.IDRef + ":" + v.Name
	case v.IDRef != "":
		return "@" + v.IDRef
	}
	text := quoteValue(v.Name)
	if v.ID != "" && p.used[v.ID] {
		text = "$" + v.ID + ":" + text
	}
	if !v.NoValue {
		text += "=" + quoteValue(v.Value)
	}
	return text
}

// chosen tells whether an ID must be written: something refers to it, or a text would not give it by itself.
func (p *printer) chosen(id, made string) bool {
	switch {
	case id == "":
		return false
	case p.used[id]:
		return true
	}
	rest, generated := strings.CutPrefix(id, cib.FitID(made))
	if !generated || rest == "" {
		return !generated
	}
	return !strings.HasPrefix(rest, "-") || strings.Trim(rest[1:], "0123456789") != ""
}

func (p *printer) rule(r *cib.Rule, made string) string {
	if r.IDRef != "" {
		return "rule $id-ref=" + quoteValue(r.IDRef)
	}
	text := "rule"
	if p.chosen(r.ID, made) {
		text += " $id=" + quoteValue(r.ID)
	}
	if r.Role != "" {
		text += " role=" + r.Role
	}
	switch {
	case r.ScoreAttribute != "":
		text += " " + quoteValue(r.ScoreAttribute) + ":"
	case r.Score != "" && scoreText(r.Score) != "inf":
		text += " " + scoreText(r.Score) + ":"
	}
	op := " and "
	if strings.EqualFold(r.BooleanOp, "or") {
		op = " or "
	}
	var list []string
	for _, x := range r.Expressions {
		list = append(list, expressionText(x))
	}
	return text + " " + strings.Join(list, op)
}

func expressionText(x cib.Expression) string {
	switch {
	case x.Attribute != nil:
		return attributeText(x.Attribute)
	case x.Date != nil:
		return dateText(x.Date)
	}
	return "" // has no words: it comes back changed, so the object is written as XML
}

func attributeText(x *cib.AttributeExpr) string {
	name := quoteValue(x.Attribute)
	if x.Operation == "defined" || x.Operation == "not_defined" {
		return x.Operation + " " + name
	}
	op := x.Operation
	if x.Type != "" {
		op = x.Type + ":" + op
	}
	value := quoteValue(x.Value)
	if x.ValueSource != "" && x.ValueSource != "literal" {
		value = x.ValueSource + "{" + x.Value + "}"
	}
	return name + " " + op + " " + value
}

func dateText(x *cib.DateExpr) string {
	text := "date "
	switch x.Operation {
	case "lt":
		return text + "lt " + quoteValue(x.End)
	case "gt":
		return text + "gt " + quoteValue(x.Start)
	case "date_spec":
		text += "spec"
	default:
		text += "in" + attrWords("", []cib.Attr{{Name: "start", Value: x.Start}, {Name: "end", Value: x.End}})
	}
	for _, spec := range []*cib.DateSpec{x.Duration, x.Spec} {
		if spec != nil {
			text += attrWords("", spec.Fields)
		}
	}
	return text
}

// clusterSets writes sets of cluster-wide values, a pair on each line.
func (p *printer) clusterSets(keyword string, sets []cib.NVSet, alone func(cib.NVSet) *cib.Configuration) {
	for i := range sets {
		s := &sets[i]
		var parts []string
		if s.IDRef != "" {
			parts = []string{keyword + " $id-ref=" + quoteValue(s.IDRef)}
		} else if s.ID != "" {
			parts = []string{keyword + " " + s.ID + ":"}
		} else {
			parts = []string{keyword}
		}
		if s.Score != "" {
			parts[0] += " " + scoreText(s.Score) + ":"
		}
		if s.Rule != nil {
			parts = append(parts, p.rule(s.Rule, s.ID+"-rule"))
		}
		for j := range s.Pairs {
			parts = append(parts, p.pair(&s.Pairs[j]))
		}
		p.object(keyword+" "+s.ID, parts, alone(*s))
	}
}
