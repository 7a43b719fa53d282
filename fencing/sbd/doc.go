// Package sbd fences by poison pills on one to three shared block devices, without any network: who is to die finds a message
// for itself there and resets itself, or cannot read the devices, and then its watchdog does.
//
//	sender: message --> device(s) ... message wait ... still there --> the target is dead
//	node:   device(s) --> Watch: taken? --> watchdog fed no more, last word on the devices, reset
//	          \--> enough devices read? --> proof for the watchdog (or a coordinator has a session with the node)
//
// Guarantees:
//
//   - a pill is delivered only if it lay unchanged on a majority of the devices for the message wait, or its target said on a device
//     that it ends and time enough has passed; both times derive from the watchdog's time-out and the node lease (Times);
//   - a pill reaches only a node that reads the devices in the very run of its machine for which the pill was written, and is void in any other;
//   - a reading counts only if this node's own slot and every message in it pass their checksums, and no message is older than one seen before:
//     a device that was exchanged, that gives back old data or flips bits is a lost device, not an empty one;
//   - of two nodes that send each other a pill, exactly one lives (Watch);
//   - a message whose order has run out is taken back.
//
// # Format
//
// Version 1. A device is 1058 blocks of 4096 bytes (4.1 MiB); numbers are big-endian. Each block holds one record in its first 512
// bytes, which is one sector of any device, so it is written wholly or not at all:
//
//	offset  bytes  field
//	     0      4  "PLSB"
//	     4      1  kind: 1 header, 2 owner, 3 message
//	     5      1  version of the format
//	     8     16  UUID of the device
//	    24      4  number of this block
//	    28      8  sequence number
//	    36    444  fields of the kind
//	   480     32  SHA-256 of the 480 bytes before
//
// Texts are a byte with their length, and room for the longest. A block of zeros is a record that was never written.
//
//	block 0 and 1         header: UUID of the set (16), index and count of the device in it (1, 1), watchdog time-out and message wait (4, 4: ms), Unix time of making (8)
//	block 2 + s           owner of slot s: state (1: 0 free, 1 armed, 2 dying, 3 closed), node (64), boot (41), by slot of a writer the number answered (32 x 8)
//	block 34 + 32 t + w   message to slot t from slot w: kind (1: 0 none, 1 test, 2 reset, 3 off), ID (8), from (64), to (64), boot of the target (41)
//
// Every block has one writer: the header's is who made the device, an owner's and a message's is the node of that slot. Slot 0 has no owner:
// people write from it. A message is another one when its number is higher; of one ID on all devices.
//
// Watch, Delivery, Times and the records are cores; Station, Medium and Create are shells. The package imports nothing of paceline.
// The format is paceline's own: devices of other programs are refused, and fence_sbd of the fence-agents talks to those.
package sbd
