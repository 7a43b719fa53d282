package fencing

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The host checks of pcmk_host_check.
const (
	StaticList  = "static-list"
	DynamicList = "dynamic-list"
	StatusCheck = "status"
	NoCheck     = "none"
)

// Values of pcmk_host_list and the entries of a pcmk_host_map are separated by any of these.
func listSeparator(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }

// HostList returns the nodes of pcmk_host_list, as given.
func HostList(d Device) []string {
	return strings.FieldsFunc(d.Params["pcmk_host_list"], listSeparator)
}

// HostMap returns the plugs of pcmk_host_map by node: "node1:1;node2:2,3". A backslash makes the next character part
// of a plug.
func HostMap(d Device) map[string]string { return nodeMap(d.Params["pcmk_host_map"]) }

// nodeMap reads "node:value;node=value ..." with backslash escapes.
func nodeMap(text string) map[string]string {
	m := map[string]string{}
	var word strings.Builder
	node, inValue, escaped := "", false, false
	end := func() {
		if inValue && node != "" && word.Len() > 0 {
			m[node] = word.String()
		}
		word.Reset()
		node, inValue = "", false
	}
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ';' || unicode.IsSpace(r):
			end()
		case !inValue && (r == ':' || r == '='):
			node, inValue = word.String(), true
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	end()
	return m
}

// lookup finds a node in a map of nodes; their names are compared without case.
func lookup(m map[string]string, node string) (string, bool) {
	if v, ok := m[node]; ok {
		return v, true
	}
	// Sorted, so that of several spellings always the same is found.
	for _, k := range sortedKeys(m) {
		if strings.EqualFold(k, node) {
			return m[k], true
		}
	}
	return "", false
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Plug returns what the device calls the target: the port of pcmk_host_map, or the node's name.
func Plug(d Device, target string) string {
	if p, ok := lookup(HostMap(d), target); ok {
		return p
	}
	return target
}

// HostCheck returns how to find out whether the device reaches a node (pcmk_host_check). The default is static-list where a list
// or a map is given, else what the agent can do: dynamic-list, status or none. While that is not known it is dynamic-list,
// and the driver chooses.
func HostCheck(d Device) string {
	switch c := d.Params["pcmk_host_check"]; c {
	case StaticList, DynamicList, StatusCheck, NoCheck:
		return c
	}
	switch {
	case d.Params["pcmk_host_list"] != "" || d.Params["pcmk_host_map"] != "":
		return StaticList
	case len(d.Actions) == 0 || slices.Contains(d.Actions, List):
		return DynamicList
	case slices.Contains(d.Actions, Status):
		return StatusCheck
	}
	return NoCheck
}

// lists says whether the device's static list names the target.
func lists(d Device, target string) bool {
	if _, ok := lookup(HostMap(d), target); ok {
		return true
	}
	return slices.ContainsFunc(HostList(d), func(n string) bool { return strings.EqualFold(n, target) })
}

// Command returns what the agent calls an action (pcmk_off_action, pcmk_reboot_action, ...).
func Command(d Device, action string) string {
	if c := d.Params["pcmk_"+action+"_action"]; c != "" {
		return c
	}
	return action
}

// can says whether the device's agent has an action, as far as that is known.
func can(d Device, action string) bool {
	return len(d.Actions) == 0 || slices.Contains(d.Actions, Command(d, action))
}

// actionTimeout returns pcmk_ACTION_timeout, if it is set.
func actionTimeout(d Device, action string) (time.Duration, bool) {
	t, ok := ParseTime(d.Params["pcmk_"+action+"_timeout"])
	return t, ok && t > 0
}

// tries returns how often an action may be tried (1 + pcmk_ACTION_retries).
func tries(d Device, action string) int {
	if action == List {
		return queryTries
	}
	n, err := strconv.Atoi(strings.TrimSpace(d.Params["pcmk_"+action+"_retries"]))
	if err != nil || n < 0 {
		n = retriesDefault
	}
	return 1 + min(n, retriesMax)
}

// DelayBase returns how long the device is held back before the first action on the target at least: pcmk_delay_base.
func DelayBase(d Device, target string) time.Duration { return delay(d, target, nil) }

// delay draws how long the device is held back before the first action on the target: pcmk_delay_base, which may be a map by
// node, and a random part such that the whole is at most pcmk_delay_max.
func delay(d Device, target string, rng *rand.Rand) time.Duration {
	text := d.Params["pcmk_delay_base"]
	if v, ok := lookup(nodeMap(text), target); ok {
		text = v
	}
	base, _ := ParseTime(text)
	most, ok := ParseTime(d.Params["pcmk_delay_max"])
	if ok && most > base && rng != nil {
		return base + time.Duration(rng.Int64N(int64(most-base)+1))
	}
	return base
}

// ParseTime reads an amount of time as Pacemaker writes it: a number and a unit (ms, us, s, m, min, h and their longer
// forms), seconds without one. It is false for what is none, or negative.
func ParseTime(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(text[:i], 10, 64)
	if err != nil {
		return 0, false
	}
	unit, ok := map[string]time.Duration{
		"": time.Second, "s": time.Second, "sec": time.Second,
		"ms": time.Millisecond, "msec": time.Millisecond, "us": time.Microsecond, "usec": time.Microsecond,
		"m": time.Minute, "min": time.Minute, "h": time.Hour, "hr": time.Hour,
	}[strings.ToLower(strings.TrimSpace(text[i:]))]
	if !ok || n > int64(24*365*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
