// Package watchdog ends the machine it runs on when its cluster software stops proving progress: it feeds a hardware timer
// that resets the machine once it was not fed for its time-out.
//
//	proofs (each round) --> Guard: may it be fed? --> Timer (/dev/watchdog, or a stand-in)
//	Hold, Condemn ----------^
//
// Guarantees:
//
//   - the timer is fed only after every proof of the round returned, so a proof that hangs ends the feeding;
//   - once the node is condemned, or a hold has run out, it is never fed again by this process, nor is it disarmed;
//   - the timer is disarmed only by Close(true); whatever else ends the process, kill -9 included, leaves it counting;
//   - a node that has to be dead at a moment D is dead by D plus twice the time-out (Times).
//
// What is no proof, on purpose: writes to the disk. Stops run without the journal, and a shared array that stalls would
// otherwise reset every node of the cluster at once, with nothing gained.
//
// The Guard and Times are cores; Feeder and the Timers are shells. The package imports nothing of paceline.
package watchdog
