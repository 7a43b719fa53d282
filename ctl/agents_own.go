package ctl

import (
	"os"
	"path/filepath"
	"strings"

	"paceline/agent/api"
	"paceline/resources/conformance"
	"paceline/resources/scaffold"
)

// agentFile finds the executable of an agent: a path, or an installed agent by its name.
func agentFile(root, name string) string {
	if strings.Contains(name, "/") || !strings.Contains(name, ":") {
		return name
	}
	parts := strings.Split(strings.TrimPrefix(name, "ocf:"), ":")
	return filepath.Join(append([]string{root, "resource.d"}, parts...)...)
}

func runAgentTest(in *invocation) error {
	params := map[string]string{}
	for _, w := range in.args[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return usagef("%q is no NAME=VALUE", w)
		}
		params[name] = value
	}
	return in.testAgent(in.arg(0), params)
}

// ocfRoot is where OCF agents are installed.
func (in *invocation) ocfRoot() string {
	if root := in.Getenv("OCF_ROOT"); root != "" {
		return root
	}
	return "/usr/lib/ocf"
}

// testAgent runs an agent in all the ways that a cluster does, and tells what is wrong with it.
func (in *invocation) testAgent(name string, params map[string]string) error {
	root := in.ocfRoot()
	report, err := conformance.Check(in.ctx, conformance.Config{
		Path: agentFile(root, name), Params: params, OCFRoot: root, Timeout: in.c.Duration("timeout"),
	})
	if err != nil {
		return api.Errorf(api.CodeRefused, "test "+name, "%v", err)
	}
	if in.json() {
		if err := in.writeJSON(struct {
			Schema int  `json:"schema"`
			Passed bool `json:"passed"`
			*conformance.Report
		}{api.Schema, report.Passed(), report}); err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			if f.Verdict == conformance.Pass && !in.c.Bool("verbose") {
				continue
			}
			in.printf("%s  %s", f.Verdict, f.Check)
			if f.Detail != "" {
				in.printf(": %s", f.Detail)
			}
			in.printf("\n")
		}
		word := "passed"
		if !report.Passed() {
			word = "failed"
		}
		in.printf("%s: %s (%d right, %d warnings, %d wrong, %d skipped)\n", report.Agent, word, report.Count(conformance.Pass),
			report.Count(conformance.Warn), report.Count(conformance.Fail), report.Count(conformance.Skip))
	}
	if !report.Passed() {
		return &exitStatus{exitFailed}
	}
	return nil
}

func runAgentNew(in *invocation) error {
	name, language := in.arg(0), in.c.String("lang")
	if language == "" {
		language = scaffold.Languages[0]
	}
	dir := "."
	if language == "go" {
		dir = name
	}
	here, err := os.Getwd()
	if err == nil {
		_, err = scaffold.New(filepath.Join(here, dir), name, language)
	}
	if err != nil {
		return api.Errorf(api.CodeRefused, "make agent "+name, "%v", err)
	}
	if language == "go" {
		in.printf("made %s: change main.go, then\n  cd %s && CGO_ENABLED=0 go build -o %s && paceline ra test ./%s\n", dir, name, name, name)
	} else {
		in.printf("made %s: change it, then\n  paceline ra test ./%s\n", name, name)
	}
	return nil
}
