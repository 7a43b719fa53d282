package nstest

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// OCFTester runs the checker that comes with the OCF agents of Debian on an agent, and reports what it finds. It skips the test where
// the checker is not installed.
func OCFTester(t testing.TB, agent string, params map[string]string) {
	t.Helper()
	tester, err := exec.LookPath("ocf-tester")
	if err != nil {
		t.Skip("needs ocf-tester of the package resource-agents")
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("needs xmllint of the package libxml2-utils: ocf-tester checks meta-data by it")
	}
	args := []string{"-n", "x"}
	for k, v := range params {
		args = append(args, "-o", k+"="+v)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, tester, append(args, agent)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", agent, err, out)
		return
	}
	t.Logf("%s: %s", agent, out)
}
