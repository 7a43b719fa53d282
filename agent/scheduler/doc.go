// Package scheduler decides what the cluster does next: it reads one state of the CIB and a time, and returns the
// transition that would bring the cluster where its configuration wants it, with the reasons.
//
// Plan is a pure function. It keeps no state, reads no clock, starts no goroutine, and the same input gives the same
// bytes. The room's one flow is
//
//	unpack   (options, nodes, resources, history, constraints)  interpret the CIB as a world of nodes and instances
//	place    (place*, colocate, promote, utilization)           give every instance a node and a role
//	act      (act*, probe, recurring, fence, migrate, notify)   list what would have to be done for that
//	order    (order*, propagate)                                what comes before what, what forces or blocks what
//	emit     (emit, explain, summary)                           keep what is needed, number it, and say why
//
// Decisions agree with those of Pacemaker's scheduler, so that a cluster can be moved over unchanged.
//
// It is tested by goldens of small clusters (testdata), by properties over random clusters, and by the conformance
// cases when PACELINE_CONFORMANCE names their directory.
package scheduler
