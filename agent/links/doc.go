// Package links lets one node have several addresses, each on a network of its own, and picks among them.
//
//	memberlist --packets--> Gossip -----> every link, copies dropped by the receiver
//	memberlist --streams--> Gossip --+
//	peer (TLS) ------------ Dial ----+--> the best link first, the next a moment later
//	                                  \
//	probes, per link -----> Table ----> Order, States, Change
//
// The first address of a node is its name in gossip and in the voter set, whatever link is in use; the others are announced
// with it. Link i goes from the i-th address of one node to the i-th of another, so nodes name their networks in one order.
//
// Why packets go over all links: a node must not be taken for dead because a link is, and a detection, however quick, is a race
// with the suspicion time-out, which is below a second. Gossip is some small packets a second, so that sending each on every link
// costs little, and needs no decision. Copies are told by their bytes, as each packet is encrypted with its own nonce.
//
// Streams go over one link at a time. A dial tries the best link, and after DialStagger, or an error, the next as well: the
// first that connects counts. What runs over a link that goes down is closed, so that its owner dials again, rather than wait
// for a time-out of TCP.
//
// Which link is best says Table, a core without clock or network: each link to each node is probed, and goes down when it
// has missed some probes while another link to the same node answered. Where all are silent nothing is known of the links:
// the node is dead, or this machine is starved, and no stream is closed for that.
//
// Guarantees: Gossip and Dial never wait for a link that is down when another is up, beyond DialStagger. A probe is
// authenticated with the gossip key and answers carry its number, so that nobody else makes a link look alive.
// Tests run in virtual time over memnet.
package links
