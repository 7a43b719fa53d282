package scheduler

import (
	"paceline/agent/cib"
	"paceline/agent/transition"
)

func (w *world) placeBundle(r *rsc)                            {}
func (w *world) actBundle(r *rsc)                              {}
func (w *world) probeBundle(r *rsc, n *node) bool              { return false }
func (w *world) unpackBundle(r *rsc)                           {}
func (w *world) bundleNodes(c *cib.Resource)                   {}
func (w *world) applyBundlePrimary(r, pri *rsc, c *colocation) {}
func (w *world) afterPropagation()                             {}
func (w *world) bundleParams(t *transition.Action, a *action)  {}

type bundleSpec struct{}

func (w *world) notePromotion(k *rsc) {}
