package store

import (
	"fmt"
	"testing"

	"paceline/agent/cib"
)

// Commits with real syncs, over in-memory streams: what the disk and raft cost.
func benchmarkCommit(b *testing.B, voters int, parallel bool) {
	l := newLab(b)
	l.sync = true
	defer l.stop()
	ids := []string{"a", "b", "c"}[:voters]
	leader := l.form(ids...)
	if _, err := leader.try(Command{Change: cib.Change{NodeStatus: &cib.NodeStatus{ID: "1", Uname: "n1"}}}); err != nil {
		b.Fatal(err)
	}
	change := func(i int) cib.Change {
		value := fmt.Sprint(i)
		return cib.Change{SetTransient: &cib.SetTransient{NodeID: "1", Name: "fail-count-web", Value: &value}}
	}
	if parallel {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := leader.try(Command{Change: change(i)}); err != nil {
					b.Error(err)
				}
			}
		})
		return
	}
	for i := 0; b.Loop(); i++ {
		if _, err := leader.try(Command{Change: change(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit1(b *testing.B)         { benchmarkCommit(b, 1, false) }
func BenchmarkCommit3(b *testing.B)         { benchmarkCommit(b, 3, false) }
func BenchmarkCommit3Parallel(b *testing.B) { b.SetParallelism(32); benchmarkCommit(b, 3, true) }
