package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// cliFloor is the number of recorded conversions between the crm language and XML that come out as recorded. It only rises.
const cliFloor = 636

// TestConformance has the judge of the crm language, which lies beside the scheduler's cases, run every recorded conversion
// through the program.
func TestConformance(t *testing.T) {
	cases := os.Getenv("PACELINE_CONFORMANCE")
	if cases == "" {
		t.Skip("needs the conformance cases: set PACELINE_CONFORMANCE to their directory")
	}
	judge := filepath.Join(filepath.Dir(filepath.Clean(cases)), "judge-cli")
	if _, err := os.Stat(judge); err != nil {
		t.Skipf("the judge of the crm language is not beside the cases: %v", err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("the judge is a Python program: %v", err)
	}
	program := filepath.Join(t.TempDir(), "paceline")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./paceline").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), python, judge, "--quiet", "--min", "0", "--show", "10", "--jobs", "2", program).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", judge, err, out)
	}
	m := regexp.MustCompile(`(?m)^TOTAL (\d+) / (\d+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s says nothing of a total:\n%s", judge, out)
	}
	passed, _ := strconv.Atoi(string(m[1])) // digits, by the expression
	t.Logf("%s of %s conversions agree", m[1], m[2])
	if passed < cliFloor {
		t.Errorf("only %d conversions agree, not %d:\n%s", passed, cliFloor, out)
	}
}
