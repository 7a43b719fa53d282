package cib

import (
	"fmt"
	"strconv"
	"strings"
)

// Severity grades a Problem.
type Severity string

// An error makes a configuration unfit to be committed; a warning is worth a person's look.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Problem is one finding of Validate.
type Problem struct {
	Object    string   `json:"object"`              // sort and ID: primitive "web"
	Attribute string   `json:"attribute,omitempty"` // where within the object: op monitor interval=10s: timeout
	Message   string   `json:"message"`             // what is wrong, and what is allowed
	Hint      string   `json:"hint,omitempty"`      // what to do about it
	Severity  Severity `json:"severity"`
}

// String returns the problem as one line: object: attribute: message; hint.
func (p Problem) String() string {
	text := string(p.Severity) + ": " + p.Object
	if p.Attribute != "" {
		text += ": " + p.Attribute
	}
	text += ": " + p.Message
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// Errors returns the problems that are errors.
func Errors(problems []Problem) []Problem {
	var list []Problem
	for _, p := range problems {
		if p.Severity == SeverityError {
			list = append(list, p)
		}
	}
	return list
}

// Validate judges the configuration: structure, IDs, references, kinds and ranges of values. The problems come in document
// order, at most problemsMax. Agents' own parameters are not judged, for that needs the agents.
func Validate(c *CIB) []Problem { return ValidateConfiguration(&c.Configuration) }

// ValidateConfiguration is Validate for a configuration alone.
func ValidateConfiguration(c *Configuration) []Problem {
	if err := c.whole(); err != nil {
		return []Problem{{Object: "configuration", Message: err.Error(), Severity: SeverityError}}
	}
	j := &judge{c: c, index: NewIndex(c)}
	j.ids()
	j.options()
	j.nodes()
	for _, t := range c.Templates {
		j.resource(t, nil)
	}
	for _, r := range c.Resources {
		j.resource(r, nil)
	}
	for _, k := range c.Constraints {
		j.constraint(k)
	}
	j.topology()
	j.tags()
	j.acls()
	j.alerts()
	j.fencing()
	return j.problems
}

// judge collects problems of the object at hand.
type judge struct {
	c        *Configuration
	index    *Index
	object   string
	problems []Problem
}

func (j *judge) on(sort, id string) {
	j.object = sort + " " + strconv.Quote(id)
}

func (j *judge) add(severity Severity, attribute, hint, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if text, near, found := strings.Cut(message, "; did you mean "); found {
		message, hint = text, "did you mean "+near
	}
	switch {
	case len(j.problems) < problemsMax:
		j.problems = append(j.problems, Problem{j.object, attribute, message, hint, severity})
	case len(j.problems) == problemsMax:
		j.problems = append(j.problems, Problem{Object: "configuration", Message: "there are more problems, not listed", Severity: severity})
	}
}

// full tells that no more problems are taken, so that nothing need be done to word another.
func (j *judge) full() bool { return len(j.problems) > problemsMax }

func (j *judge) error(attribute, format string, args ...any) {
	j.add(SeverityError, attribute, "", format, args...)
}

func (j *judge) warn(attribute, format string, args ...any) {
	j.add(SeverityWarning, attribute, "", format, args...)
}

// value reports what is wrong with an attribute's value, unless it is empty.
func (j *judge) value(attribute, value string, k Known) {
	if value == "" {
		return
	}
	if err := k.Check(value); err != nil {
		j.error(attribute, "%s", err)
	}
}

var (
	anyBool  = Known{Type: TypeBool}
	anyScore = Known{Type: TypeScore}
	anyRole  = Known{Type: TypeEnum, Allowed: roles}
)

func enum(allowed ...string) Known { return Known{Type: TypeEnum, Allowed: allowed} }

func (j *judge) ids() {
	seen := map[string]namedID{}
	for _, named := range j.c.ids() {
		j.object = named.at
		if j.object == "" {
			j.on(named.sort, named.id)
		}
		// Access targets are named after users and groups of the system, and need only be different from each other.
		if !ValidID(named.id) && named.sort != "node" && named.sort != "acl_target" && named.sort != "acl_group" {
			j.add(SeverityError, "id", fmt.Sprintf("use for example %q", FitID(named.id)),
				"%q cannot be an ID: it starts with a letter or '_', and holds letters, digits, '.', '-' and '_'", named.id)
		}
		key := named.id
		if named.sort == "acl_target" || named.sort == "acl_group" || named.sort == "node" {
			key = named.sort + " " + key
		}
		if other, taken := seen[key]; taken {
			whose := ""
			if other.at != "" {
				whose = " of " + other.at
			}
			j.error("id", "%s %q repeats the ID of a %s%s", named.sort, named.id, other.sort, whose)
			continue
		}
		seen[key] = named
	}
}

func (j *judge) options() {
	for i := range j.c.Options {
		s := &j.c.Options[i]
		j.on("cluster option set", s.ID)
		// Agents keep values of their own in sets of their own.
		j.set("", s, clusterOptions, s.ID == BootstrapSet || len(j.c.Options) == 1)
	}
	for i := range j.c.RscDefaults {
		s := &j.c.RscDefaults[i]
		j.on("rsc_defaults", s.ID)
		j.set("", s, metaAttributes, false)
	}
	for i := range j.c.OpDefaults {
		s := &j.c.OpDefaults[i]
		j.on("op_defaults", s.ID)
		j.set("", s, operationAttributes, false)
	}
}

// set judges a set of pairs against a table of known names. Names that are not known are always told where the cluster alone
// reads them, and elsewhere only if they look like a slip.
func (j *judge) set(where string, s *NVSet, table []Known, closed bool) {
	if where == "" && s.ID == "" && s.IDRef == "" {
		j.error("id", "the set has no ID")
	}
	j.setFrame(where, s)
	for i := range s.Pairs {
		p := &s.Pairs[i]
		if p.IDRef != "" || p.Name == "" {
			continue
		}
		known, found := Find(table, p.Name)
		switch {
		case found && p.NoValue:
			j.error(where+p.Name, "it has no value")
		case found:
			j.value(where+p.Name, p.Value, known)
		default:
			near := Near(p.Name, Names(table))
			hint := ""
			if near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			if closed || near != "" {
				j.add(SeverityWarning, where+p.Name, hint, "paceline knows no such name")
			}
		}
	}
}

// setFrame judges what holds for sets of every kind.
func (j *judge) setFrame(where string, s *NVSet) {
	j.value(where+"score", s.Score, anyScore)
	if s.IDRef != "" {
		target := j.index.Sets[s.IDRef]
		switch {
		case target == nil:
			j.error(where+"id-ref", "there is no set %q%s", s.IDRef, didYouMean(s.IDRef, keys(j.index.Sets)))
		case target.IDRef != "":
			j.error(where+"id-ref", "set %q is itself a reference", s.IDRef)
		}
	}
	if s.Rule != nil {
		j.rule(where+"rule", s.Rule, 0)
	}
	seen := map[string]bool{}
	for i := range s.Pairs {
		p := &s.Pairs[i]
		switch {
		case p.IDRef != "":
			target := j.index.Pairs[p.IDRef]
			switch {
			case target == nil:
				j.error(where+"id-ref", "there is no pair %q%s", p.IDRef, didYouMean(p.IDRef, keys(j.index.Pairs)))
			case target.IDRef != "":
				j.error(where+"id-ref", "pair %q is itself a reference", p.IDRef)
			}
		case p.Name == "":
			j.error(where+"nvpair", "pair %q has no name", p.ID)
		case seen[p.Name]:
			j.add(SeverityWarning, where+p.Name, "leave one of them", "it is given twice in one set, and the first counts")
		}
		seen[p.Name] = p.Name != ""
	}
}

// freeSet judges a set whose names others define.
func (j *judge) freeSets(where string, sets []NVSet) {
	for i := range sets {
		j.setFrame(where, &sets[i])
	}
}

func (j *judge) utilization(sets []NVSet) {
	for i := range sets {
		j.setFrame("utilization ", &sets[i])
		for _, p := range sets[i].Pairs {
			if n, err := strconv.Atoi(p.Value); p.IDRef == "" && (err != nil || n < 0) {
				j.error("utilization "+p.Name, "%q is not an amount: an integer of 0 or more is", p.Value)
			}
		}
	}
}

func (j *judge) nodes() {
	names := map[string]string{}
	for _, n := range j.c.Nodes {
		j.on("node", n.Uname)
		if n.Uname == "" {
			j.on("node", n.ID)
			j.error("uname", "the node has no name")
		} else if other, taken := names[n.Uname]; taken {
			j.error("uname", "the nodes of ID %q and %q have the same name", other, n.ID)
		}
		if n.ID == "" {
			j.error("id", "the node has no ID")
		}
		names[n.Uname] = n.ID
		j.value("type", n.Type, enum(NodeMember, NodePing, NodeRemote))
		j.value("score", n.Score, anyScore)
		j.freeSets("attributes ", n.Attributes)
		j.utilization(n.Utilization)
	}
}

// fencing looks at what only the whole tells.
func (j *judge) fencing() {
	j.object = "configuration"
	enabled, found := j.c.Option("fencing-enabled")
	on, err := ParseBool(enabled)
	if found && (err != nil || !on) {
		return
	}
	if len(j.c.Resources) == 0 {
		return
	}
	for _, r := range j.c.Primitives() {
		agent := r.Agent
		if t := j.index.Templates[r.Template]; t != nil {
			agent = t.Agent
		}
		if agent.Class == "stonith" {
			return
		}
	}
	j.add(SeverityWarning, "fencing-enabled", "configure one (primitive ... stonith:AGENT), or set fencing-enabled=false and accept the risk",
		"fencing is on and there is no fencing device: nothing of a failed node would be recovered")
}
