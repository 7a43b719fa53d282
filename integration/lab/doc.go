// Package lab runs a cluster of real nodes on one machine, for tests, measurements and demonstrations. A node is a
// set of namespaces (PID, mount, UTS, network, IPC, cgroup) with its own root, hostname, /etc, /var, /run and network
// interface; a bridge in a network namespace of its own joins the nodes with a client machine.
//
//	client --+                        paceline-lab (or a test): the lab
//	node1 ---+-- bridge (nft cuts)       |- power switch: /run/lab-power.sock in every node, out of band
//	node2 ---+                           `- warden: clears up should the lab die
//	node3 ---+
//
// Guarantees. Power is real: Kill takes the link down and ends every process of the node before it returns, and what was
// in memory (/run, /tmp) is gone, while /etc and /var stay as on a disk. The power switch is never cut by a partition.
// What the lab makes it removes, in Down, or by its warden within a second should its process be killed; nothing has
// a name outside the lab's directory and its cgroup (no named network namespaces, no mounts, no host interfaces), so
// that labs of different names live side by side.
//
// It works as root, and for an ordinary user in a user namespace where the kernel allows that (Enter). A program that
// uses it calls Main first: nodes' first processes are the program itself, started again.
//
// Its own tests boot nodes, cut power and links, and look for leftovers; they skip, with the reason, where namespaces
// are not to be had.
package lab
