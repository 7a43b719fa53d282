// Package drawn makes drawn tests repeatable: a test that imports it draws the same cases on every machine and in every
// run, unless it is told otherwise (-rapid.seed=N, where 0 means others each time; make properties runs all of them so).
// What a fixed draw cannot find is looked for on purpose, and not by whoever tests something else.
package drawn

import (
	"flag"

	_ "pgregory.net/rapid" // whose flag this is
)

// seed is any number but 0.
const seed = "20260101"

func init() {
	if err := flag.Set("rapid.seed", seed); err != nil {
		panic(err)
	}
}
