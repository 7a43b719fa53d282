package crm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// shortcut is a short form of an XPath of an access rule.
type shortcut struct {
	form  string // for people
	plain string // path without names; empty if a name is needed
	one   string // path with one name
	two   string // path with two names
}

// shortcuts are the short forms, by their first word.
var shortcuts = map[string]shortcut{
	"meta":        {form: "meta:RESOURCE[:NAME]", one: "//primitive[@id='%s']/meta_attributes", two: "//primitive[@id='%s']/meta_attributes/nvpair[@name='%s']"},
	"params":      {form: "params:RESOURCE[:NAME]", one: "//primitive[@id='%s']/instance_attributes", two: "//primitive[@id='%s']/instance_attributes/nvpair[@name='%s']"},
	"utilization": {form: "utilization:RESOURCE", one: "//primitive[@id='%s']/utilization"},
	"location":    {form: "location:RESOURCE", one: "//rsc_location[@id='cli-prefer-%s' and @rsc='%[1]s']"},
	"property":    {form: "property[:NAME]", plain: "//crm_config/cluster_property_set", one: "//crm_config/cluster_property_set/nvpair[@name='%s']"},
	"node":        {form: "node[:NAME]", plain: "//nodes/node", one: "//nodes/node[@uname='%s']"},
	"nodeattr":    {form: "nodeattr[:NAME]", plain: "//nodes/node/instance_attributes", one: "//nodes/node/instance_attributes/nvpair[@name='%s']"},
	"nodeutil":    {form: "nodeutil[:NODE]", plain: "//nodes/node/utilization", one: "//nodes/node/utilization[@uname='%s']"},
	"status":      {form: "status", plain: "/cib/status"},
	"cib":         {form: "cib", plain: "/cib"},
}

func shortcutNames() []string {
	names := []string{"xpath", "ref", "type", "tag"}
	for name := range shortcuts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// expand returns the path, or "" where too few or too many names are given.
func (s shortcut) expand(first, second string) string {
	switch {
	case strings.ContainsAny(first+second, "'"):
		return ""
	case second != "" && s.two != "":
		return fmt.Sprintf(s.two, first, second)
	case second != "":
		return ""
	case first != "" && s.one != "":
		return fmt.Sprintf(s.one, first)
	case first != "":
		return ""
	}
	return s.plain
}

var quotedName = regexp.MustCompile(`'([^']*)'`)

// fold returns the short form of a path, or "".
func fold(path string) string {
	names := quotedName.FindAllStringSubmatch(path, 3)
	name := func(i int) string {
		if i < len(names) {
			return names[i][1]
		}
		return ""
	}
	for _, word := range shortcutNames() {
		s, known := shortcuts[word]
		switch {
		case !known:
		case s.plain != "" && path == s.plain:
			return word
		case s.two != "" && name(1) != "" && path == s.expand(name(0), name(1)):
			return word + ":" + name(0) + ":" + name(1)
		case name(0) != "" && path == s.expand(name(0), ""):
			return word + ":" + name(0)
		case word == "location" && name(1) != "" && path == s.expand(name(1), ""):
			return word + ":" + name(1)
		}
	}
	return ""
}
