package draft

import (
	"strings"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// ObjectChange is an object that differs between two configurations, in the crm language. Old is empty for a new one, New for one
// that is gone.
type ObjectChange struct {
	Key string `json:"object"` // as crm.Object has it
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Kind returns added, removed or changed.
func (c ObjectChange) Kind() string {
	switch {
	case c.Old == "":
		return cib.Added
	case c.New == "":
		return cib.Removed
	}
	return cib.Changed
}

// Compare lists the objects whose text differs: those that are gone first, then the others in the order of the new configuration.
func Compare(old, new *cib.Configuration) []ObjectChange {
	was, is := crm.Objects(old), crm.Objects(new)
	before, after := textOf(was), textOf(is)
	var list []ObjectChange
	for _, o := range was {
		if _, there := after[o.Key]; !there {
			list = append(list, ObjectChange{Key: o.Key, Old: o.Text})
		}
	}
	for _, o := range is {
		if before[o.Key] != o.Text {
			list = append(list, ObjectChange{Key: o.Key, Old: before[o.Key], New: o.Text})
		}
	}
	return list
}

func textOf(list []crm.Object) map[string]string {
	m := map[string]string{}
	for _, o := range list {
		m[o.Key] = o.Text
	}
	return m
}

// Lines writes the change line by line: each begins with "-", "+" or a blank.
func (c ObjectChange) Lines() []string {
	var out []string
	was, is := lines(c.Old), lines(c.New)
	common := longest(was, is)
	for len(was)+len(is) > 0 {
		switch {
		case len(common) > 0 && len(was) > 0 && was[0] == common[0] && len(is) > 0 && is[0] == common[0]:
			out = append(out, " "+was[0])
			was, is, common = was[1:], is[1:], common[1:]
		case len(was) > 0 && (len(common) == 0 || was[0] != common[0]):
			out = append(out, "-"+was[0])
			was = was[1:]
		default:
			out = append(out, "+"+is[0])
			is = is[1:]
		}
	}
	return out
}

// lines parts the text of an object; the mark that joins lines is no part of them, so that a new last line changes no other.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	list := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range list {
		list[i] = strings.TrimSuffix(l, " \\")
	}
	return list
}

// longest returns the longest common subsequence.
func longest(a, b []string) []string {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	var out []string
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, a[i])
			i, j = i+1, j+1
		case table[i+1][j] >= table[i][j+1]:
			i++
		default:
			j++
		}
	}
	return out
}
