package ctl

import (
	"fmt"
	"strings"
	"time"

	"paceline/agent/api"
)

// runFenceTest rehearses the fencing of a node.
func runFenceTest(in *invocation) error {
	if !in.c.Bool("for-real") {
		return in.fence(api.FenceRequest{Node: in.arg(0), Action: "test"})
	}
	return in.confirmed(func(yes bool) error {
		if !yes && !in.c.Bool("dry-run") {
			return api.Errorf(api.CodeConfirm, "fence "+in.arg(0)+" for real", "its power is cut now; what runs there is recovered elsewhere")
		}
		return in.fence(api.FenceRequest{Node: in.arg(0), Yes: yes})
	})
}

// testedText says how long ago fencing was shown to work, node by node.
func testedText(tests []api.FenceTest, now time.Time) string {
	var out []string
	for _, t := range tests {
		text := t.Node + " " + age(now.Sub(t.When)) + " ago"
		switch {
		case !t.OK:
			text += " FAILED (" + t.Detail + ")"
		case t.Real:
			text += " for real"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// age is a span of time in the largest unit that is not one.
func age(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if n := int(d / u.length); n >= 2 {
			return fmt.Sprintf("%d %s", n, u.name)
		}
	}
	return fmt.Sprintf("%d seconds", int(max(d, 0)/time.Second))
}
