package ctl

import (
	"runtime"
	"runtime/debug"

	"paceline/agent/api"
)

// Version is the version of the build; main sets it before Run.
var Version = "devel"

func runVersion(in *invocation) error {
	v := struct {
		Schema   int    `json:"schema"`
		Version  string `json:"version"`
		API      int    `json:"api"`
		Revision string `json:"revision,omitempty"`
		Go       string `json:"go"`
	}{Schema: api.Schema, Version: Version, API: api.Schema, Go: runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	if in.json() {
		return in.writeJSON(v)
	}
	in.printf("paceline %s (API %d, %s)\n", v.Version, v.API, v.Go)
	return nil
}
