package scheduler

import (
	"paceline/agent/cib"
	"paceline/agent/transition"
)

func (w *world) guestReady(n *node) bool                                { return true }
func (w *world) guestComing(n *node) bool                               { return false }
func (w *world) placeBundle(r *rsc)                                     {}
func (w *world) actBundle(r *rsc)                                       {}
func (w *world) probeBundle(r *rsc, n *node) bool                       { return false }
func (w *world) unpackBundle(r *rsc)                                    {}
func (w *world) bundleNodes(c *cib.Resource)                            {}
func (w *world) unpackRemote(n *node, s *cib.NodeState, last bool) bool { return true }
func (w *world) resetRemote(r *rsc, n *node)                            {}
func (w *world) applyBundlePrimary(r, pri *rsc, c *colocation)          {}
func (w *world) actGuestFences()                                        {}
func (w *world) afterPropagation()                                      {}
func (w *world) bundleParams(t *transition.Action, a *action)           {}
func (w *world) routerOf(a *action) string                              { return "" }

type bundleSpec struct{}

func (w *world) notePromotion(k *rsc) {}
