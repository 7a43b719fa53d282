package scheduler

// checkParameters finds what runs with other parameters than it is configured with now.
func (w *world) checkParameters() {}

// actForget cleans up after an instance: history of what is no longer configured, fail counts that have expired.
func (w *world) actForget(r *rsc) {}
