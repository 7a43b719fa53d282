package whatif

// StepsMax bounds the transitions of one run. A cluster that is sound needs two or three: the recovery, and the operations
// that its results lead to (a failed start, moved on); one try on each of 32 nodes is the most that was ever seen to settle.
const StepsMax = 40

// SameMax bounds how often a run may order the same: an operation that fails, and may be tried again without end, is tried
// often enough for a person to see it.
const SameMax = 3
