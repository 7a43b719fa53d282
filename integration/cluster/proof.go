package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"paceline/integration/lab"
)

// Proof is Audit of a whole story, of which is known whom it had to fence: it also returns an error for every node that was fenced
// and is not among those.
func (c *Cluster) Proof(fenced ...string) error {
	_, err := c.Audit()
	errs := []error{err}
	for _, e := range c.Switch().Events() {
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
