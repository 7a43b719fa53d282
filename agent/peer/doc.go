// Package peer carries every stream between the nodes of a cluster: one TLS 1.3 port per node, told apart by ALPN.
//
//	            +-- paceline-raft/1 -- Listener("paceline-raft/1") --> store
//	listener ---+-- paceline-exec/1 -- Listener("paceline-exec/1") --> executor
//	(handshake) +-- http/1.1 --------- Listener("http/1.1") ---------> api
//	            +-- paceline-join/1 -- Listener("paceline-join/1") --> api (join only, caller not yet known)
//	            +-- paceline-access/1 Listener("paceline-access/1") -> api (with a token, caller outside the cluster)
//
// Everything hangs on the cluster key: 32 random bytes in a file of mode 0600. From it come, by HKDF, the key of the
// gossip and an Ed25519 certificate authority, the same on every node. Each node issues itself a certificate that
// lives for days and names it; no certificate is ever handed around, and none is stored.
//
// Guarantees: a connection that a listener or Dial returns has finished a mutual handshake, both certificates were
// verified against the cluster's authority, and its Peer is the identity in the other's certificate. The exceptions
// are paceline-join/1 and paceline-access/1, whose callers show no certificate; a connection of such a protocol reaches only
// that protocol's listener. Whoever is refused is named with its address and the reason, in the log (at most twice a minute each) and
// in Refusals. Handshakes run concurrently, are bounded in number and time, and cannot hold up one another. Close ends
// every connection and waits for every goroutine.
//
// The sockets are values in Config, so that whole clusters run in memory. Tests run under virtual time, and once over
// loopback.
package peer
