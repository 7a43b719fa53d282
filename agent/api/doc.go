// Package api is the control interface of a paceline daemon: versioned JSON over HTTP on a local unix socket, and over
// the nodes' mutual TLS between nodes; its server, its client, and the words (types) both use. The command line, the
// dashboard and every script reach a cluster through it alone.
//
// Guarantees:
//   - Reads are GET and change nothing; writes are POST. Every reply carries the schema version it speaks (Schema); fields are
//     added, never renamed or given another meaning.
//   - A request is answered by the coordinator. Another node forwards it, in the name of the user who asked. Without a
//     coordinator the answer is an Error of CodeNoCoordinator within RouteWait; only status then answers from what the
//     node last knew, and says that it is stale and why.
//   - Nothing hangs: every request has a deadline, bodies are bounded, and a stream sends a heartbeat.
//   - An error names what was attempted, where, why, and what to do next (Error).
//
// The package holds all handling of requests: validation, preview, guard rails, composition of changes, forwarding. What
// it needs of a running daemon is the Backend, which decides nothing about requests.
//
//	client -> socket -> identity (peer credentials) -> route (here, or forward) -> handler -> Backend
//
// Tests: handlers against an in-memory Backend, the socket and forwarding with real connections on a temporary path.
package api
