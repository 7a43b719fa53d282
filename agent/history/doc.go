// Package history keeps what the coordinator on this node did and why: a timeline of causes and effects, and for every
// transition the input that it was planned from, so that it can be planned again and comes out the same, byte for byte.
//
// Guarantees: keeping never holds up who asks for it (a queue of bounded length, a writer of its own; what finds the queue
// full is not kept, and that is noted in the timeline). What is kept is bounded in number and bytes; the oldest goes first.
// A file that is damaged is reported when it is read, and costs nothing else. Files are written under another name and
// moved into place, so that a daemon that dies leaves a whole file or none; they are brought to the disk shortly after,
// off the path of a recovery, so that a power cut costs at most the last SyncPause. Everything is readable by root alone:
// configurations hold passwords.
//
// It is a shell around plain files; it is tested on a folder, with damage, and by a whole daemon whose transitions are
// planned again.
package history
