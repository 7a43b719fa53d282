// Package scheduler decides what the cluster does next: it reads one state of the CIB and a time, and returns the
// transition that would bring the cluster where its configuration wants it, with the reasons.
//
// Plan is a pure function. It keeps no state, reads no clock, starts no goroutine, and the same input gives the same
// bytes. The room's one flow is
//
//	unpack  options, nodes, resources, history, replay, outcome, failcount, constraints, sets, rules, dates
//	        interpret the CIB as a world of nodes and instances (model)
//	place   preferences, place, colocate, clone, promote, bundle, utilization
//	        give every instance a node and a role
//	act     act, probe, recurring, params, fence, unfence, migrate, notify, remote, container
//	        list what would have to be done for that, needed or not
//	order   order, orderact, propagate
//	        put it in order, and let what is needed or impossible spread along the orderings until nothing changes
//	emit    emit, explain, placements
//	        keep what is needed and possible, number it, and say why
//
// Decisions agree with those of Pacemaker's scheduler, so that a cluster can be moved over unchanged.
//
// It is tested by stories (testdata: a small cluster, what happens to it, the plan), by properties of the plans of random
// lives (TestPlanProperties, TestAfterAnyPrefix, TestShuffledInput), by damaged documents (TestMutatedDocuments, FuzzPlan),
// by comparison with crm_simulate (TestDifferential), and by Pacemaker's regression cases when PACELINE_CONFORMANCE names
// their directory. docs/differences.md lists what differs, and why.
package scheduler
