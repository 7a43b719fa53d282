package coordinator

import (
	"maps"
	"regexp"
	"slices"

	"paceline/agent/cib"
)

// isTrue reads a boolean of the CIB; a bad one counts as false.
func isTrue(s string) bool {
	b, err := cib.ParseBool(s)
	return err == nil && b
}

// compilePattern compiles a POSIX extended regular expression, which is what the CIB's patterns are.
func compilePattern(s string) (*regexp.Regexp, error) { return regexp.CompilePOSIX(s) }

// sortedKeys returns the keys of a map in order, so that nothing hangs on the map's own.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
