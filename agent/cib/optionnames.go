package cib

// optionAliases lists the names of options that have had several, newest first.
var optionAliases = [][]string{
	{"fencing-enabled", "stonith-enabled"},
	{"fencing-action", "stonith-action"},
	{"fencing-timeout", "stonith-timeout"},
	{"fencing-watchdog-timeout", "stonith-watchdog-timeout"},
	{"fencing-max-attempts", "stonith-max-attempts"},
	{"fencing-reaction", "fence-reaction"},
	{"stop-removed-resources", "stop-orphan-resources"},
	{"cancel-removed-actions", "stop-removed-actions", "stop-orphan-actions"},
	{"join-integration-timeout", "crmd-integration-timeout"},
	{"join-finalization-timeout", "crmd-finalization-timeout"},
	{"transition-delay", "crmd-transition-delay"},
	{"no-quorum-policy", "no_quorum_policy"},
	{"symmetric-cluster", "symmetric_cluster"},
	{"enable-startup-probes", "enable_startup_probes"},
	{"cluster-delay", "transition_idle_timeout"},
}

// OptionNames returns all names of a cluster option, the newest first; of an unknown option, its one name.
func OptionNames(name string) []string {
	for _, names := range optionAliases {
		for _, n := range names {
			if n == name {
				return names
			}
		}
	}
	return []string{name}
}

// CanonicalOption returns the newest name of a cluster option.
func CanonicalOption(name string) string { return OptionNames(name)[0] }
