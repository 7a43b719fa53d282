package ctl

import (
	"fmt"
	"io"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// runConvert translates a configuration between the crm language, XML and JSON. It needs no cluster.
func runConvert(in *invocation) error {
	to := in.c.String("to")
	if to != "xml" && to != "crm" && to != "json" {
		e := usagef("paceline configure convert: there is no form %q", to)
		if to == "" {
			e = usagef("paceline configure convert: --to is missing")
		}
		e.hint = "forms are xml, crm and json"
		return e
	}
	name, file := "standard input", "-"
	if len(in.args) == 1 {
		name, file = in.arg(0), in.arg(0)
	}
	text, err := in.readFile(file)
	if err != nil {
		return err
	}
	conf, notes, err := readConfiguration(name, text)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(in.Err, "warning: "+note)
	}
	switch to {
	case "xml":
		return cib.EncodeConfiguration(in.Out, conf)
	case "json":
		return in.writeJSON(conf)
	}
	_, err = io.WriteString(in.Out, crm.Print(conf))
	return err
}

// readConfiguration reads a configuration by itself, in either form, with what is worth knowing about it.
func readConfiguration(name string, text []byte) (*cib.Configuration, []string, error) {
	switch {
	case isXML(text):
		return parseXML(name, text)
	case isJSON(text):
		return parseJSON(name, text)
	}
	conf, notes, err := crm.Add(&cib.Configuration{}, string(text))
	if err != nil {
		return nil, nil, mistakes(name, err)
	}
	var lines []string
	for _, n := range notes {
		lines = append(lines, name+": "+n.String())
	}
	return conf, lines, nil
}
