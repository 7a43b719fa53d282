// Package cib is the Cluster Information Base: the cluster's configuration and its status as typed values.
//
// It guarantees three things. A *CIB is immutable once it has been handed out: every change makes a new value that
// shares what did not change, so snapshots may be read from any goroutine without a lock. Applying a Change is
// deterministic: the same CIB and the same Change give the same CIB on every node, whatever the clock, the map order
// or the architecture (the replicated store depends on it). And reading a document loses nothing silently: what the
// XML codec does not understand it reports as a Warning that names the place.
//
// Attribute values stay the text that people wrote ("INFINITY", "30s", "yes"); ParseScore, ParseBool and ParseMilliseconds
// interpret them where they are used, so that a bad value can be reported and its default used, as Pacemaker does, and a
// document that is read and written comes back the same, comments aside. Validate judges them, and what the objects refer to;
// Diff tells what differs.
//
// The model follows the published CIB schemas of Pacemaker (2.x to 3.x) and accepts both generations of option names
// (stonith-enabled and fencing-enabled).
//
// The package is a core: no goroutine, clock, timer, file or socket. It is tested by a document with every element, by folders of
// good and bad documents with the exact findings, by properties (Apply never changes its input and gives the same twice; XML and
// JSON bring every value back; Diff is empty exactly for equal configurations), and by fuzzing the reader.
package cib
