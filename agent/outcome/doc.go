// Package outcome says what an executed action makes of the CIB: an operation's result, a confirmed fencing, the
// coordinator's own actions. It is the one place that knows, for the coordinator that records what happened and for whoever
// plays a transition on a model (what-if, previews, tests).
//
// It guarantees that both write the same: the forms of identifiers and attributes are those of Pacemaker's status section,
// so that its tools and our scheduler read them alike. Execute never changes the CIB that it is given.
//
// The package is a core: no goroutine, clock, timer, file or socket. It is tested by the stories and properties of the
// scheduler, which live on it, and by playing transitions whose end is known.
package outcome
