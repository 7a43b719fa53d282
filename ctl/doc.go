// Package ctl is the command line of paceline. One table of commands (table.go, a file per level) says everything about each: path, arguments,
// flags, help, examples, completion and what it does; the application, its help and the shells' completions are made from
// it.
//
// Guarantees:
//   - It reaches a cluster only through the API client: what it lacks is missing from the API.
//   - Flags may stand before, between and after arguments. Commands may be shortened to a prefix that is unique.
//   - Without a terminal it never asks. With one it asks only before the last copy of something goes down.
//   - Every command that shows something has --json, the API's own reply. Text is for people and may change; JSON may only
//     grow.
//   - Errors go to standard error as "error: what: why" and "hint: what to do". The exit status is 0 done, 1 failed, 2 wrong
//     usage, 3 refused by the state of the cluster, 4 unreachable or timed out.
//
// Tests: scripts of whole sessions against a real server on a fake daemon (testdata/script), goldens of what people read
// (testdata/status).
package ctl
