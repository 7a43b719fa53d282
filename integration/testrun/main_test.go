package main

import (
	"strings"
	"testing"
)

// What go test -json says of a pass, a failure and a skip is told with the reason of the skip and the output of the failure.
func TestSummary(t *testing.T) {
	in := `{"Action":"output","Package":"paceline/x","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"paceline/x","Test":"TestA"}
{"Action":"output","Package":"paceline/x","Test":"TestB","Output":"    b_test.go:7: needs root: no namespaces\n"}
{"Action":"output","Package":"paceline/x","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"paceline/x","Test":"TestB"}
{"Action":"output","Package":"paceline/x","Test":"TestC","Output":"    c_test.go:9: want 1, have 2\n"}
{"Action":"fail","Package":"paceline/x","Test":"TestC"}
{"Action":"output","Package":"paceline/x","Output":"FAIL\tpaceline/x\t0.1s\n"}
{"Action":"fail","Package":"paceline/x"}
`
	var out strings.Builder
	r := &run{out: &out, output: map[string][]string{}, skipped: map[string]string{}}
	r.read(strings.NewReader(in))
	r.summary()
	want := `    c_test.go:9: want 1, have 2
FAIL	paceline/x	0.1s

skipped:
  needs root: no namespaces
      x TestB

1 tests passed, 1 failed, 1 skipped
FAIL	paceline/x	0.1s
`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}
