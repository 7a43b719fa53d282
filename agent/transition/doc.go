// Package transition holds the transition graph - the actions that take the cluster from where it is to where it should
// be, and their order - and the step machine that advances one.
//
// Guarantees: a Graph is plain data, the same bytes for the same plan. A Machine hands out an order only when every
// action it comes after is confirmed (its success committed, not only reported); every order ends, by its result, its
// deadline or the loss of its node; nothing is handed out after an abort; a result is matched by its numbers (term,
// graph, action), so a late one can change nothing.
//
// The package is a core: no goroutine, clock, timer, file or socket. It knows nothing of how a graph was made.
package transition
