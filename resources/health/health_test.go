package health

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/resources"
	"paceline/resources/attribute"
)

// told is a folder with a tool that notes what it is told.
func told(t *testing.T) (c attribute.Config, lines func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(filepath.Join(dir, "attrd_updater"), []byte("#!/bin/sh\necho \"$@\" >>"+log+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return attribute.Config{StateDir: dir, Tools: dir}, func() string {
		b, _ := os.ReadFile(log)
		_ = os.Remove(log)
		return strings.TrimSpace(string(b))
	}
}

func run(t *testing.T, r resources.Runner, op string, code resources.ExitCode, params ...string) string {
	t.Helper()
	req := resources.Request{Resource: "h:0", Operation: op, Timeout: resources.DefaultTimeout, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		req.Params[params[i]] = params[i+1]
	}
	res := r.Run(t.Context(), req)
	if res.Code != code {
		t.Fatalf("%s %v: got %+v, want %d", op, params, res, code)
	}
	return res.Reason
}

func TestLoad(t *testing.T) {
	c, lines := told(t)
	file := filepath.Join(t.TempDir(), "loadavg")
	set := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := newLoad(c, file, 4)
	set("0.5 3.9 99 1/200 4711")
	run(t, r, "monitor", 7)
	run(t, r, "start", 0)
	if got := lines(); got != "--name #health-load --update green --delay 1s" {
		t.Errorf("told %q", got)
	}
	for _, s := range []struct{ load, want string }{
		{"0 7.9 0", ""}, {"0 8 0", "yellow"}, {"0 7.3 0", ""}, {"0 16 0", "red"}, {"0 15 0", ""}, {"0 14.3 0", "yellow"}, {"0 7.1 0", "green"},
	} {
		set(s.load)
		run(t, r, "monitor", 0)
		got := lines()
		if s.want != "" && got != "--name #health-load --update "+s.want+" --delay 1s" || s.want == "" && got != "" {
			t.Errorf("load %s: told %q, want %q", s.load, got, s.want)
		}
	}
	set("nonsense")
	if why := run(t, r, "monitor", 1); why != file+` says "nonsense"` {
		t.Errorf("got %q", why)
	}
	run(t, r, "stop", 0)
	if got := lines(); got != "--name #health-load --delete --delay 1s" {
		t.Errorf("told %q", got)
	}
	run(t, r, "monitor", 7)
	run(t, r, "validate-all", 6, "yellow", "3", "red", "2")
	run(t, r, "validate-all", 6, "yellow", "much")
	run(t, r, "validate-all", 6, "period", "2")
}

func TestDisk(t *testing.T) {
	c, lines := told(t)
	full := map[string]float64{"/a": 10, "/b": 90}
	r := newDisk(c, func(path string) (float64, error) {
		if v, ok := full[path]; ok {
			return v, nil
		}
		return 0, errors.New("input/output error")
	})
	run(t, r, "start", 0, "paths", "/a /b")
	if got := lines(); got != "--name #health-disk --update yellow --delay 1s" {
		t.Errorf("told %q", got)
	}
	run(t, r, "monitor", 0, "paths", "/a /gone")
	if got := lines(); got != "--name #health-disk --update red --delay 1s" {
		t.Errorf("told %q", got)
	}
	run(t, r, "validate-all", 6, "paths", "relative")
	if v, err := used("/"); err != nil || v < 0 || v > 100 {
		t.Errorf("the root is %v %% full, %v", v, err)
	}
	if _, err := used("/nowhere"); err == nil {
		t.Error("what is not there was looked at")
	}
}

// A stop succeeds although nobody takes the attribute away.
func TestStopWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "attrd_updater"), []byte("#!/bin/sh\nexit 102\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := newDisk(attribute.Config{StateDir: dir, Tools: dir}, used)
	if why := run(t, r, "start", 1); !strings.HasSuffix(why, "attrd_updater: exit status 102") {
		t.Errorf("got %q", why)
	}
	run(t, r, "stop", 0)
	run(t, r, "monitor", 7)
}
