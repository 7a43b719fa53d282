package cib

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

func keys[T any](m map[string]T) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

func (j *judge) rule(where string, r *Rule, depth int) {
	if depth > depthMax {
		j.error(where, "rules are nested deeper than %d", depthMax)
		return
	}
	if r.ID != "" {
		where = "rule " + r.ID
	}
	if r.IDRef != "" {
		switch target := j.index.Rules[r.IDRef]; {
		case target == nil:
			j.error(where+": id-ref", "there is no rule %q%s", r.IDRef, didYouMean(r.IDRef, keys(j.index.Rules)))
		case target.IDRef != "":
			j.error(where+": id-ref", "rule %q is itself a reference", r.IDRef)
		}
		return
	}
	j.value(where+": boolean-op", r.BooleanOp, enum("and", "or"))
	j.value(where+": role", r.Role, anyRole)
	j.value(where+": score", r.Score, anyScore)
	if r.Score != "" && r.ScoreAttribute != "" {
		j.error(where, "it has both score and score-attribute")
	}
	if len(r.Expressions) == 0 {
		j.error(where, "the rule is empty: it needs an expression")
	}
	for _, x := range r.Expressions {
		switch {
		case x.Rule != nil:
			j.rule(where, x.Rule, depth+1)
		case x.Attribute != nil:
			j.attributeExpr(where, x.Attribute)
		case x.Date != nil:
			j.dateExpr(where, x.Date)
		case x.Resource != nil:
		case x.Operation != nil:
			if x.Operation.Name == "" {
				j.error(where+": op_expression", "it has no name of an operation")
			}
			j.value(where+": op_expression interval", x.Operation.Interval, Known{Type: TypeTime})
		default:
			j.error(where, "it has an empty expression")
		}
	}
}

var comparisons = []string{"lt", "gt", "lte", "gte", "eq", "ne"}

func (j *judge) attributeExpr(where string, x *AttributeExpr) {
	where += ": expression " + x.Attribute
	if x.Attribute == "" {
		j.error(where+"attribute", "the expression names no attribute")
	}
	j.value(where+": operation", x.Operation, enum(append([]string{"defined", "not_defined"}, comparisons...)...))
	if x.Operation == "" {
		j.error(where+": operation", "the expression has no operation")
	}
	j.value(where+": type", x.Type, enum("string", "integer", "number", "version"))
	j.value(where+": value-source", x.ValueSource, enum("literal", "param", "meta"))
	if slices.Contains(comparisons, x.Operation) && x.Value == "" && x.Type != "" && x.Type != "string" {
		j.error(where+": value", "a comparison of type %s needs a value", x.Type)
	}
	if literal := x.ValueSource == "" || x.ValueSource == "literal"; literal && x.Value != "" {
		switch x.Type {
		case "integer":
			if _, err := strconv.ParseInt(x.Value, 10, 64); err != nil {
				j.warn(where+": value", "%q is not an integer: it is compared as text", x.Value)
			}
		case "number":
			if _, err := strconv.ParseFloat(x.Value, 64); err != nil {
				j.warn(where+": value", "%q is not a number: it is compared as text", x.Value)
			}
		}
	}
}

func (j *judge) dateExpr(where string, x *DateExpr) {
	where += ": date_expression"
	j.value(where+": operation", x.Operation, enum("gt", "lt", "in_range", "date_spec"))
	switch x.Operation {
	case "gt":
		if x.Start == "" {
			j.error(where+": start", "operation gt needs a start")
		}
	case "lt":
		if x.End == "" {
			j.error(where+": end", "operation lt needs an end")
		}
	case "", "in_range":
		if x.Start == "" && x.End == "" {
			j.error(where, "operation in_range needs a start or an end")
		}
		if x.Duration != nil && x.Start == "" {
			j.error(where+": duration", "a duration needs a start")
		}
	case "date_spec":
		if x.Spec == nil {
			j.error(where, "operation date_spec needs a date_spec")
		}
	}
	for _, limit := range []Attr{{"start", x.Start}, {"end", x.End}} {
		if text := limit.Value; text != "" && !strings.ContainsAny(text[:1], "0123456789+-") && text != "epoch" {
			j.error(where+": "+limit.Name, "%q is not an ISO 8601 time: 2031-06-01 or 2031-06-01T12:00:00Z is", text)
		}
	}
	if x.Spec != nil {
		j.dateFields(where+": date_spec", x.Spec, true)
	}
	if x.Duration != nil {
		j.dateFields(where+": duration", x.Duration, false)
	}
}

var dateFields = []string{"seconds", "minutes", "hours", "monthdays", "weekdays", "yeardays", "yearsdays", "months", "weeks", "years", "weekyears", "moon", "days"}

func (j *judge) dateFields(where string, s *DateSpec, ranges bool) {
	for _, f := range s.Fields {
		if !slices.Contains(dateFields, f.Name) {
			j.error(where+" "+f.Name, "no unit of time is called so%s", didYouMean(f.Name, dateFields))
			continue
		}
		from, to, isRange := strings.Cut(f.Value, "-")
		if !ranges && isRange {
			j.error(where+" "+f.Name, "%q is not an integer", f.Value)
			continue
		}
		for _, part := range []string{from, to} {
			if part == "" && isRange {
				continue // "8-" and "-8" are open ranges
			}
			if _, err := strconv.Atoi(part); err != nil && (isRange || part == from) {
				j.error(where+" "+f.Name, "%q is not an integer or a range of them", f.Value)
				break
			}
		}
	}
}
