package ctl

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// convertCommand translates configurations between the crm language, XML and JSON. It needs no cluster.
func convertCommand() *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "translate a configuration between the crm language, XML and JSON",
		ArgsUsage: "[FILE]",
		Description: "Reads a configuration in the crm language, in XML or in JSON, whichever it is, from a file or from standard input, and prints it in\n" +
			"the other form, or in a tidy form of its own. It needs no cluster and changes none. What XML has and the model does not hold\n" +
			"is told on standard error.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Required: true, Usage: "`FORM` to print: xml, crm or json"},
		},
		Action: func(c *cli.Context) error { return convert(c) },
	}
}

func convert(c *cli.Context) error {
	to := c.String("to")
	if to != "xml" && to != "crm" && to != "json" {
		e := usagef("paceline configure convert: there is no form %q", to)
		e.hint = "forms are xml, crm and json"
		return e
	}
	if c.Args().Len() > 1 {
		return usagef("paceline configure convert: %q is one argument too many", c.Args().Get(1))
	}
	in := &invocation{Streams: Streams{In: c.App.Reader}}
	name, file := "standard input", "-"
	if c.Args().Len() == 1 {
		name, file = c.Args().First(), c.Args().First()
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
		fmt.Fprintln(c.App.ErrWriter, "warning: "+note)
	}
	switch to {
	case "xml":
		return cib.EncodeConfiguration(c.App.Writer, conf)
	case "json":
		return (&invocation{Streams: Streams{Out: c.App.Writer}}).writeJSON(conf)
	}
	_, err = io.WriteString(c.App.Writer, crm.Print(conf))
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
