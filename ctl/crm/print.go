package crm

import "paceline/agent/cib"

// Print writes the configuration.
func Print(c *cib.Configuration) string { return "" }
