// Package ocf runs OCF resource agents as they are: any executable below OCF_ROOT/resource.d/PROVIDER/TYPE that follows the
// resource agent API 1.0 or 1.1.
//
// Guarantees: the agent gets the whole OCF environment and nothing of ours besides (no open files, no standard input); Run
// returns when the agent's own process has ended, whatever it left in the background, and at the end of its budget at
// the latest; when the budget ends, everything the operation began is killed, also what forked away into a session of its own;
// (found by parentage, session, process group and a mark in its environment; and without fail where operations have cgroups of
// their own); memory stays bounded whatever the agent prints; an agent that cannot be run gives a reason in words with OCF's code for it.
//
// What an agent puts into the background on purpose, a server that it started, lives on after the operation.
//
// Tested with agents made for each kind of misbehaviour, and with the real ones of the resource-agents package in
// namespaces of their own.
package ocf
