package ctl

import (
	"io"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// parseCRM reads a configuration in the crm language.
func parseCRM(name string, _ []byte, _ *cib.Configuration) (*cib.Configuration, []string, error) {
	return nil, nil, api.Errorf(api.CodeUsage, "read "+name, "it is not XML")
}

// printCRM writes a configuration in the crm language.
func printCRM(w io.Writer, c *cib.Configuration) error {
	return cib.Encode(w, &cib.CIB{Configuration: *c})
}
