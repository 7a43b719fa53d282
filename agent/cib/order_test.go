package cib

import (
	"strings"
	"testing"
)

// TestOrderSets: the bootstrap options count first, then higher scores, then what the document says last.
func TestOrderSets(t *testing.T) {
	sets := []NVSet{{ID: "early"}, {ID: "high", Score: "10"}, {ID: BootstrapSet}, {ID: "wrong", Score: "many"}, {ID: "late"},
		{ID: "low", Score: "-1"}}
	var ids []string
	for _, s := range OrderSets(sets) {
		ids = append(ids, s.ID)
	}
	want := BootstrapSet + " high late wrong early low"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
