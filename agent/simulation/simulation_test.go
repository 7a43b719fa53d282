package simulation

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestX(t *testing.T) {
	began := time.Now()
	for seed := range uint64(4000) {
		o := Run(seed, Options{})
		if seed%500 == 0 {
			fmt.Println(seed, o.Nodes, o.Virtual, o.Events, o.Commits, o.Elections, o.Takeovers, o.Fencings, o.Activated, o.Faults, time.Since(began))
		}
		if o.Violation != nil {
			fmt.Println(seed, o.Violation)
			tail := o.Trace
			if len(tail) > 120 {
				tail = tail[len(tail)-120:]
			}
			fmt.Println(strings.Join(tail, "\n"))
			break
		}
	}
}
