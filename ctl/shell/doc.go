// Package shell reads command lines from people and from files: a line editor with history and completion on a terminal, plain
// lines elsewhere. What a line means, and what may stand in it, is handed to it.
//
// Guarantees:
//   - Without a terminal nothing is printed that was not asked for: no prompts, no escapes.
//   - The history file is the user's alone (0600) and bounded, and holds no line with a secret.
//   - A line is split as a POSIX shell does it, with its quotes; nothing is expanded, and nothing is ever run by a shell.
//
// Tests: words and history by tables, the editor through a pseudo-terminal (in package ctl).
package shell
