package nstest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Cgroup makes a cgroup (version 2) for a test to divide, and skips the test where there can be none. It is to be empty in the end.
func Cgroup(t testing.TB) string {
	t.Helper()
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	base := "/sys/fs/cgroup/unified"
	if !exists(base + "/cgroup.procs") {
		base = "/sys/fs/cgroup"
	}
	base = filepath.Join(base, fmt.Sprintf("paceline-test-%d", os.Getpid()))
	if err := os.Mkdir(base, 0o755); err != nil || !exists(base+"/cgroup.kill") {
		_ = os.Remove(base)
		t.Skipf("needs a cgroup (v2) that can be killed: %v", err)
	}
	t.Cleanup(func() {
		var err error
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // the last process may be about to be reaped
			if err = os.Remove(base); err == nil || time.Now().After(end) {
				break
			}
			below, _ := filepath.Glob(base + "/*/")
			for _, dir := range below {
				_ = os.Remove(dir)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	return base
}
