// Package vip is the native agent ocf:paceline:vip: a virtual IP address, IPv4 or IPv6, over netlink.
//
// Guarantees: start adds the address only after nobody on the segment answered for it (unless told not to ask), and tells the
// segment at once, by gratuitous ARP in both forms or an unsolicited neighbour advertisement, and again 1, 2 and 5 seconds later;
// stop is done when no interface has the address; no other address is lost with it; the removal of the address and the
// loss of the link are seen at once, by netlink.
//
//	start:  find interface -> ask twice (50 ms) -> add -> announce ... announce again in the background
//
// Tested in network namespaces: a pair of virtual links with a second owner of the address behind it.
package vip
