package lab

import "time"

const (
	// nodesMax bounds a lab: addresses run from .11, the client has .100.
	nodesMax = 64

	// linksMax bounds the networks of a lab: as many as a node of paceline has links.
	linksMax = 4

	// killWait is how long the kernel may take to end every process of a node after cgroup.kill. It takes milliseconds;
	// seconds mean a process stuck in the kernel, which no power switch of ours can end.
	killWait = 10 * time.Second

	// bootWait is how long a node's first process may take to report that the node is up. Without systemd 0.1 s,
	// with it 2 s; ten times that on a busy machine.
	bootWait = 20 * time.Second

	// wardenWait is how long Down waits for the warden to have removed what was left.
	wardenWait = 15 * time.Second

	// requestMax bounds a request on the power switch's and the control socket.
	requestMax = 64 << 10

	// switchIdle ends a connection to the power switch on which nobody says anything.
	switchIdle = 10 * time.Second

	// nameMax bounds names of labs and nodes: a node's name is also its interface's in the bridge's namespace (15).
	nameMax = 15
)
