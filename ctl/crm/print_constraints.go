package crm

import (
	"strings"

	"paceline/agent/cib"
)

// constraint returns the parts of a constraint, or nil where the language has no words for it.
func (p *printer) constraint(k *cib.Constraint) []string {
	switch {
	case k.Location != nil:
		return p.location(k.Location)
	case k.Colocation != nil:
		return colocationText(k.Colocation)
	case k.Order != nil:
		return orderText(k.Order)
	case k.Ticket != nil:
		return ticketText(k.Ticket)
	}
	return nil
}

func (p *printer) location(l *cib.Location) []string {
	if len(l.Lifetime) > 0 {
		return nil
	}
	text := "location " + l.ID
	switch {
	case l.Pattern != "" && l.Resource == "" && len(l.Sets) == 0:
		text += " " + patternText(l.Pattern)
	case len(l.Sets) > 0 && l.Resource == "":
		sets := setsText(l.Sets, true)
		if sets == "" {
			return nil
		}
		text += " { " + sets + " }"
	case l.Resource != "":
		text += " " + l.Resource
	default:
		return nil
	}
	if l.Role != "" {
		text += " role=" + l.Role
	}
	if l.Discovery != "" {
		text += " resource-discovery=" + l.Discovery
	}
	switch {
	case l.Node != "" && l.Score != "" && len(l.Rules) == 0:
		return []string{text + " " + scoreText(l.Score) + ": " + quoteValue(l.Node)}
	case l.Node == "" && l.Score == "" && len(l.Rules) > 0:
		parts := []string{text}
		for _, r := range l.Rules {
			parts = append(parts, p.rule(r, l.ID+"-rule"))
		}
		return parts
	}
	return nil
}

// patternText writes a pattern between slashes. Words may hold anything but blanks, quotes and backslashes.
func patternText(pattern string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, " ", `\ `, "\t", "\\\t").Replace("/" + pattern + "/")
}

func colocationText(c *cib.Colocation) []string {
	if c.Score == "" || len(c.Lifetime) > 0 || c.ResourceInstance != "" || c.WithInstance != "" {
		return nil
	}
	members := sideText(c.Resource, c.Role) + " " + sideText(c.With, c.WithRole)
	if len(c.Sets) > 0 {
		if members = setsText(c.Sets, false); members == "" || c.Resource != "" || c.With != "" {
			return nil
		}
	} else if c.Resource == "" || c.With == "" {
		return nil
	}
	text := "colocation " + c.ID + " " + scoreText(c.Score) + ": " + members
	return []string{attrWords(text, []cib.Attr{{Name: "node-attribute", Value: c.NodeAttribute}, {Name: "influence", Value: c.Influence}})}
}

func orderText(o *cib.Order) []string {
	if len(o.Lifetime) > 0 || o.FirstInstance != "" || o.ThenInstance != "" || o.RequireAll != "" {
		return nil
	}
	members := sideText(o.First, o.FirstAction) + " " + sideText(o.Then, o.ThenAction)
	if len(o.Sets) > 0 {
		if members = setsText(o.Sets, false); members == "" || o.First != "" || o.Then != "" {
			return nil
		}
	} else if o.First == "" || o.Then == "" {
		return nil
	}
	kind := o.Kind
	if kind == "" && o.Score != "" {
		if kind = "Mandatory"; o.Score == "0" {
			kind = "Optional"
		}
	}
	if kind != "" {
		kind += ": "
	}
	text := "order " + o.ID + " " + kind + members
	return []string{attrWords(text, []cib.Attr{{Name: "symmetrical", Value: o.Symmetrical}})}
}

func ticketText(t *cib.RscTicket) []string {
	members := sideText(t.Resource, t.Role)
	if len(t.Sets) > 0 {
		if members = setsText(t.Sets, t.Resource == ""); members == "" || t.Resource != "" {
			return nil
		}
		if len(t.Sets) == 1 && len(t.Sets[0].Resources) == 1 && setMarks(&t.Sets[0]) == "" {
			members = "( " + members + " sequential=true )" // alone it would not come back as a set
		}
	} else if t.Resource == "" {
		return nil
	}
	text := "rsc_ticket " + t.ID + " " + quoteValue(t.Ticket) + ": " + members
	return []string{attrWords(text, []cib.Attr{{Name: "loss-policy", Value: t.LossPolicy}})}
}

func sideText(id, suffix string) string {
	if suffix != "" {
		return id + ":" + suffix
	}
	return id
}

// setMarks tells what a set needs brackets for: "" (none), "(" or "[".
func setMarks(s *cib.ResourceSet) string {
	sequential, requireAll := isFalse(s.Sequential), isFalse(s.RequireAll)
	switch {
	case sequential && requireAll:
		return "["
	case sequential, requireAll:
		return "("
	}
	return ""
}

func isFalse(text string) bool {
	value, err := cib.ParseBool(text)
	return err == nil && !value
}

// setsText writes sets, or returns "" where there are no words for them. Alone says that two members without brackets are a
// set, not a plain constraint of two resources.
func setsText(sets []cib.ResourceSet, alone bool) string {
	total := 0
	plain := true
	for i := range sets {
		total += len(sets[i].Resources)
		plain = plain && setMarks(&sets[i]) == ""
	}
	var list []string
	for i := range sets {
		s := &sets[i]
		if s.IDRef != "" || s.Score != "" || s.Kind != "" || s.Ordering != "" || len(s.Resources) == 0 || s.Role != "" && s.Action != "" {
			return ""
		}
		var words []string
		for _, id := range s.Resources {
			words = append(words, sideText(id, s.Role+s.Action))
		}
		text := strings.Join(words, " ")
		switch setMarks(s) {
		case "[":
			text = "[ " + text + " ]"
		case "(":
			if !isFalse(s.Sequential) {
				text += " sequential=true"
			}
			if isFalse(s.RequireAll) {
				text += " require-all=false"
			}
			text = "( " + text + " )"
		default:
			merges := i > 0 && setMarks(&sets[i-1]) == "" && sets[i-1].Role == s.Role && sets[i-1].Action == s.Action
			if merges || !alone && plain && total == 2 && i == 0 {
				text = "( " + text + " sequential=true )"
			}
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}
