package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"paceline/agent/executor"
	"paceline/fencing"
	"paceline/integration/lab"
)

// Proof judges a whole story by the truth journals and the power switch's log. It returns an error that names every
// resource that may have been active on two nodes at a time, every recovery that came before the confirmed death of the
// node that it recovered from, and every node that was fenced though it is not among those that had to be.
//
// Vouched are nodes whose death a person confirmed: no journal tells of that.
func (c *Cluster) Proof(fenced, vouched []string) error {
	_, twice := c.Audit()
	journals, err := c.Journals()
	if err != nil {
		return errors.Join(twice, err)
	}
	events := c.Switch().Events()
	errs := []error{twice}
	for _, s := range Hasty(Spans(journals, events), journals) {
		if !slices.Contains(vouched, s.Lost.Node) {
			errs = append(errs, fmt.Errorf("recovered before its node was confirmed dead: %v, and %v", s.Lost, s.Next))
		}
	}
	for _, e := range events {
		if Fenced(e) && !slices.Contains(fenced, e.Node) {
			errs = append(errs, fmt.Errorf("%s was fenced by %s at %v without need", e.Node, e.By, e.Time))
		}
	}
	return errors.Join(errs...)
}

// Fenced says that the switch was asked to take a node's power.
func Fenced(e lab.PowerEvent) bool {
	return strings.HasPrefix(e.What, "asked:off") || strings.HasPrefix(e.What, "asked:reboot")
}

// Recovery is an activity that ended with its node's power, and the next of the same resource on another node.
type Recovery struct{ Lost, Next Span }

// Hasty lists the recoveries for which nobody had confirmed the death of the node: there was no successful fencing of it since
// it lost its power, and it had not come back from a new boot.
func Hasty(spans []Span, journals map[string][]executor.Entry) []Recovery {
	var out []Recovery
	for i, lost := range spans {
		if lost.Why != "power cut" {
			continue
		}
		for _, next := range spans[i+1:] {
			if next.Resource != lost.Resource {
				break
			}
			if next.From < lost.To {
				continue // an overlap, or earlier
			}
			if next.Node != lost.Node && !confirmed(lost.Node, lost.To, next.From, journals) {
				out = append(out, Recovery{lost, next})
			}
			break
		}
	}
	return out
}

// powerless says whether an action takes a node's power: to ask a device changes nothing.
func powerless(action string) bool { return action == fencing.Off || action == fencing.Reboot }

// confirmed says whether a node's death was known at a moment: fenced by somebody, or back from a new boot.
func confirmed(node string, dead, by int64, journals map[string][]executor.Entry) bool {
	for name, entries := range journals {
		for _, e := range entries {
			if e.MonoMS < dead || e.MonoMS > by {
				continue
			}
			if name == node || e.Kind == executor.KindFenceEnd && e.Fence != nil && e.Fence.Target == node && e.Fence.OK && powerless(e.Fence.Action) {
				return true
			}
		}
	}
	return false
}
