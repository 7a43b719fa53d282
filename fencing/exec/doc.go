// Package exec runs the fence-agents family (https://github.com/ClusterLabs/fence-agents): executables called fence_*, found
// in PACELINE_FENCE_PATH, /usr/sbin and /usr/bin, that read options as name=value lines from standard input.
//
// Guarantees: success is reported only when the agent ended with status 0. Run returns within moments of its context's
// end, and of what the agent began nothing is left, whether it succeeded, failed or ran out of time, even if it went into a
// session of its own. Output is read to its end but kept within bounds. Values of secret parameters do not appear in errors.
// Parameters called pcmk_* are for the fencer, and are not passed on.
//
// At most pcmk_action_limit actions on power use a device at a time on this node; a monitor never makes one wait. Meta-data is
// asked for once as long as the agent's file is the same, so that a fencing does not wait for it where the device is watched.
//
// Tests run agents written on the spot, and Debian's fence_dummy where it is installed.
package exec
