package ocf

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"paceline/resources"
)

// searchPath is the PATH of agents: the usual places, whatever the daemon was started with.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// featureSet is the crm_feature_set that agents are told. They compare it to learn which names and variables the manager knows;
// this is the one in which the promoted and unpromoted roles got their names.
const featureSet = "3.15.0"

// environment returns the agent's environment, sorted, without the operation's mark.
func (r *Runner) environment(req resources.Request) []string {
	env := map[string]string{
		"PATH":                 searchPath,
		"HOME":                 "/root",
		"LC_ALL":               "C",
		"OCF_ROOT":             r.root,
		"OCF_RA_VERSION_MAJOR": "1",
		"OCF_RA_VERSION_MINOR": "1",
		"OCF_RESOURCE_TYPE":    req.Agent.Type,
		"HA_RSCTMP":            r.scratch,
		"HA_LOGFACILITY":       "none", // agents log to standard error, which we keep, and not past us to syslog

		"OCF_RESOURCE_INSTANCE":      req.Resource,
		"OCF_RESOURCE_PROVIDER":      req.Agent.Provider,
		"OCF_RESKEY_crm_feature_set": featureSet,
	}
	if r.tools != "" {
		env["PATH"] = r.tools + ":" + searchPath
		env["HA_SBIN_DIR"] = r.tools // where the shell functions of agents look for them, whatever the PATH
	}
	if r.socket != "" {
		env["PACELINE_SOCKET"] = r.socket
	}
	for _, name := range []string{"TZ", "HOME", "OCF_TRACE_RA", "OCF_TRACE_FILE"} {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	meta := map[string]string{
		"name":     req.Operation,
		"interval": strconv.FormatInt(req.Interval.Milliseconds(), 10),
	}
	if req.Timeout > 0 {
		meta["timeout"] = strconv.FormatInt(req.Timeout.Milliseconds(), 10)
	}
	if req.Node != "" {
		meta["on_node"] = req.Node
	}
	for k, v := range req.Meta {
		meta[k] = v
	}
	for k, v := range meta {
		if fits(k, v) {
			env["OCF_RESKEY_CRM_meta_"+strings.ReplaceAll(k, "-", "_")] = v
		}
	}
	for k, v := range req.Params {
		if !fits(k, v) {
			continue
		}
		env["OCF_RESKEY_"+k] = v
		if k == "OCF_CHECK_LEVEL" { // the one that agents read without a prefix
			env[k] = v
		}
	}
	for k, v := range r.extra {
		env[k] = v
	}
	out := make([]string, 0, len(env)+1)
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// fits says whether a pair can be passed in an environment: a NUL or a '=' in the name would make another variable of it.
func fits(k, v string) bool {
	return k != "" && !strings.ContainsAny(k, "=\x00") && !strings.Contains(v, "\x00")
}

// mask hides the values of secret parameters in a text that goes to logs and status.
func mask(text string, params map[string]string) string {
	for k, v := range params {
		l := strings.ToLower(k)
		if len(v) >= 3 && (strings.Contains(l, "pass") || strings.Contains(l, "secret") || strings.Contains(l, "token")) {
			text = strings.ReplaceAll(text, v, "***")
		}
	}
	return text
}
