// Package model is the takeover protocol, small enough that every order of events can be tried.
//
// It explores two and three nodes with crashes, restarts, pauses, cut links, lost and late messages, late and failing
// fencing, over the rules 4, 5, 9 and 10 of the architecture: who may vote, fence, take over, admit (in two stages) and start. The network is
// asynchronous (any message may be late or lost, so a cut or a pause is just a run in which it is) and the failure
// detector may say anything, so what holds here does not hang on time. In every state that can be reached it is checked that
//
//   - no two nodes lead in one term;
//   - what was committed once stays: no two leaders commit different entries in the same place;
//   - the service is never active on two nodes.
//
// The right to fence is the program's own function (quorum.Judge). Where the model and the program say the same in two ways,
// the model's comments name the place in the program. Each rule can be broken (Broken), and each broken rule is found
// out: the tests demand it.
//
// What is left out: devices that say yes and did nothing (nothing can be safe then; the program reports a node heard again
// in the same incarnation), snapshots, and time itself (leases only stop services earlier than the model does).
package model
