// Package coordinator is the loop on the elected node: what happens in the cluster comes in as events, what is to be done
// goes out as effects.
//
//	gossip views, operations' results, operators' commits, fencing results, timers
//	        -> Core.Step(now, event) -> commits, orders, fence orders, sessions, voters
//
// Core is a step machine: no goroutine, clock, timer, file or socket; Runner is the thin shell that carries its effects
// out. That one choice makes the daemon and a simulated cluster the same code.
//
// Guarantees (the numbers are the safety rules of docs/architecture.md):
//
//   - (1, 3) what is known of the cluster is changed by commits only, and an order that may start something leaves only
//     after the intent is committed as a pending operation: a later coordinator knows of it;
//   - (2) a node that is lost is committed as unclean before anything is planned, and what comes after a fencing in the
//     graph leaves only when the fencing's success is committed;
//   - (8, 11) every result is recorded exactly once: late and repeated ones are recognised by incarnation and call number;
//   - (9) a node that is heard again in the boot that was confirmed fenced is an error shown to people, and unclean again;
//   - nothing waits for ever: sessions, joining nodes, operations and fencings all have deadlines.
//
// Tests drive Core with scripted events, and whole clusters of real daemons in the lab.
package coordinator
