// Package audit holds what a cluster promises as code: each rule is a function over facts, that is, over what truly
// happened - what ran where, who had power, what a switch did, what was committed - and not over what anybody believed.
//
// Guarantees: an Auditor is a function of the facts it has seen; it has no clock and does no I/O. A rule judges each fact
// when it is seen, so the first finding is at the first moment at which the rule did not hold. Facts of a simulation, of
// the truth journals of a lab and of a live cluster are of one kind; where a source can not tell some of them, the rules
// that need those check nothing, and their count says so.
package audit
