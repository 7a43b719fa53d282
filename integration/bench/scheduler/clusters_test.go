package main

import (
	"testing"

	"paceline/agent/scheduler"
)

// A steady cluster has everything running and nothing to do; a cold one has everything to do.
func TestShapes(t *testing.T) {
	for _, kind := range []string{"primitives", "clones"} {
		for _, steady := range []bool{true, false} {
			s := shape{kind, 8, 3, steady}
			c, err := s.build()
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			plan := scheduler.Plan(c, planTime)
			want := map[string]int{"primitives": 8, "clones": 24}[kind]
			if len(plan.Placements) != want || len(plan.Problems) > 0 {
				t.Errorf("%s: %d are placed, not %d; problems: %v", s, len(plan.Placements), want, plan.Problems)
			}
			if steady && (len(plan.Initial) != want || len(plan.Graph.Actions) > 0) {
				t.Errorf("%s: %d run, not %d, and there are %d actions", s, len(plan.Initial), want, len(plan.Graph.Actions))
			}
			if !steady && (len(plan.Initial) > 0 || len(plan.Graph.Actions) < 24+want) {
				t.Errorf("%s: %d run, and there are only %d actions", s, len(plan.Initial), len(plan.Graph.Actions))
			}
		}
	}
}
