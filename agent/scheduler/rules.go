package scheduler

import (
	"regexp"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// scope is what a rule is held against. What it lacks makes the expressions that ask for it false.
type scope struct {
	node   *node
	agent  *cib.Agent
	op     *opScope
	params map[string]string // values that attribute expressions may refer to
	meta   map[string]string
	role   role
	match  []string // what a resource pattern captured: %0, %1, ...
}

type opScope struct {
	name     string
	interval int64
}

// satisfied tells whether a rule holds.
func (w *world) satisfied(r *cib.Rule, at scope) bool { return w.holds(r, at, 0) }

func (w *world) holds(r *cib.Rule, at scope, depth int) bool {
	if depth > ruleDepthMax {
		w.problem("rule " + r.ID + " is nested too deeply; it is taken as false")
		return false
	}
	if r.IDRef != "" {
		to := w.docs.rules[r.IDRef]
		if to == nil {
			w.problem("no rule has the ID " + r.IDRef)
			return false
		}
		return w.holds(to, at, depth+1)
	}
	if r.Role != "" && at.role != roleUnknown && parseRole(r.Role) != at.role {
		return false
	}
	or := strings.EqualFold(r.BooleanOp, "or")
	for i := range r.Expressions {
		if w.expression(&r.Expressions[i], at, depth) == or {
			return or
		}
	}
	return !or
}

func (w *world) expression(e *cib.Expression, at scope, depth int) bool {
	switch {
	case e.Rule != nil:
		return w.holds(e.Rule, at, depth+1)
	case e.Attribute != nil:
		return w.attributeHolds(e.Attribute, at)
	case e.Date != nil:
		return w.dateHolds(e.Date)
	case e.Resource != nil:
		x := e.Resource
		return at.agent != nil && fits(x.Class, at.agent.Class) && fits(x.Provider, at.agent.Provider) &&
			fits(x.Type, at.agent.Type)
	case e.Operation != nil:
		if at.op == nil || e.Operation.Name != at.op.name {
			return false
		}
		if e.Operation.Interval == "" {
			return true
		}
		ms, err := cib.ParseMilliseconds(e.Operation.Interval)
		return err == nil && ms == at.op.interval
	}
	return false
}

func fits(want, have string) bool { return want == "" || want == have }

// attributeHolds compares a node attribute.
func (w *world) attributeHolds(x *cib.AttributeExpr, at scope) bool {
	if at.node == nil {
		return false
	}
	name := expand(x.Attribute, at.match)
	have, defined := at.node.attrs[name]
	value := x.Value
	switch x.ValueSource {
	case "param":
		v, ok := at.params[value]
		if !ok {
			value = ""
		} else {
			value = v
		}
	case "meta":
		value = at.meta[value]
	}
	switch x.Operation {
	case "defined":
		return defined
	case "not_defined":
		return !defined
	}
	if !defined {
		return x.Operation == "ne"
	}
	order, ok := compareValues(have, value, x.Type, x.Operation != "eq" && x.Operation != "ne")
	if !ok {
		return x.Operation == "ne"
	}
	switch x.Operation {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	}
	w.problem("rule expression " + x.ID + ": operation " + strconv.Quote(x.Operation) + " is unknown; it is taken as false")
	return false
}

// compareValues orders two values by type. Without a type, eq and ne compare text, the others numbers. What is no
// number is compared as text.
func compareValues(a, b, kind string, ordered bool) (order int, ok bool) {
	switch kind {
	case "":
		kind = "string"
		if ordered {
			kind = "integer"
			if strings.Contains(a, ".") || strings.Contains(b, ".") {
				kind = "number"
			}
		}
	}
	switch kind {
	case "integer":
		x, err1 := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
		y, err2 := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
		if err1 == nil && err2 == nil {
			return sign(x < y, x > y), true
		}
	case "number":
		x, err1 := strconv.ParseFloat(strings.TrimSpace(a), 64)
		y, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
		if err1 == nil && err2 == nil {
			return sign(x < y, x > y), true
		}
	case "version":
		return compareVersions(a, b), true
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b)), true
}

func sign(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// compareVersions orders dotted numbers: a missing part is less than any.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) || i < len(y); i++ {
		n, m := -1, -1
		if i < len(x) {
			n, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			m, _ = strconv.Atoi(y[i])
		}
		if n != m {
			return sign(n < m, n > m)
		}
	}
	return 0
}

var captured = regexp.MustCompile(`%[0-9]`)

// expand replaces %0 to %9 by what a resource pattern captured.
func expand(text string, match []string) string {
	if match == nil || !strings.Contains(text, "%") {
		return text
	}
	return captured.ReplaceAllStringFunc(text, func(s string) string {
		if i := int(s[1] - '0'); i < len(match) {
			return match[i]
		}
		return ""
	})
}

// parseRole reads a role, in both generations of names.
func parseRole(text string) role {
	switch strings.ToLower(text) {
	case "stopped":
		return roleStopped
	case "started":
		return roleStarted
	case "unpromoted", "slave":
		return roleUnpromoted
	case "promoted", "master":
		return rolePromoted
	}
	return roleUnknown
}
