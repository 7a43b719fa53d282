package ocf

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/resources"
)

func scripts(t *testing.T, texts map[string]string) *Runner {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return NewScripts(dir, Config{Scratch: filepath.Join(dir, "scratch")})
}

// The codes of init scripts, in OCF's.
func TestScriptCodes(t *testing.T) {
	r := scripts(t, map[string]string{"exit": "#!/bin/sh\necho \"asked $1\"\nexit $OCF_RESKEY_code\n"})
	for _, c := range []struct {
		op, code string
		want     resources.ExitCode
		reason   string
	}{
		{"monitor", "0", 0, ""}, {"monitor", "1", 7, ""}, {"monitor", "2", 7, ""}, {"monitor", "3", 7, ""}, {"monitor", "4", 1, ""},
		{"monitor", "150", 1, "which is no exit code of an init script"},
		{"start", "0", 0, ""}, {"start", "1", 1, ""}, {"start", "2", 2, ""}, {"start", "4", 4, ""}, {"start", "5", 5, ""}, {"start", "6", 6, ""},
		{"start", "8", 1, "which is no exit code of an init script"},
		{"stop", "0", 0, ""}, {"stop", "7", 0, ""}, {"stop", "1", 1, ""}, {"reload", "0", 0, ""},
		{"promote", "0", 3, "init scripts have no promote"},
	} {
		req := request("exit", c.op, "code", c.code)
		req.Agent = resources.Agent{Class: "lsb", Type: "exit"}
		res := run(t, r, req)
		if res.Code != c.want || !strings.Contains(res.Reason, c.reason) {
			t.Errorf("%s with %s: got %+v, want %d", c.op, c.code, res, c.want)
		}
		if c.op == "monitor" && !strings.Contains(res.Output, "asked status") {
			t.Errorf("a monitor asks %q", res.Output)
		}
	}
	as, err := r.Agents(t.Context())
	if err != nil || len(as) != 1 || as[0].String() != "lsb:exit" {
		t.Errorf("got %v, %v", as, err)
	}
	b, err := r.MetaData(t.Context(), as[0])
	if m, perr := resources.ParseMetaData(b); err != nil || perr != nil || m.Name != "exit" || len(m.Actions) != 3 {
		t.Errorf("got %s, %v, %v", b, err, perr)
	}
	if _, err := r.MetaData(t.Context(), resources.Agent{Class: "lsb", Type: "none"}); err == nil {
		t.Error("a script that is not there has meta-data")
	}
}

// units answers as systemd does where it knows one unit.
type units struct{ known string }

func (u units) Run(_ context.Context, req resources.Request) resources.Result {
	if req.Agent != (resources.Agent{Class: "systemd", Type: u.known}) {
		return resources.Errorf(resources.NotInstalled, "there is no unit %s", req.Agent.Type)
	}
	return resources.Result{Output: "by the unit"}
}

func (u units) MetaData(context.Context, resources.Agent) ([]byte, error) { return []byte("unit"), nil }

// A service is a unit, else a script, else not installed.
func TestServices(t *testing.T) {
	text := "#!/bin/sh\necho by the script\n"
	r := scripts(t, map[string]string{"both": text, "script": text})
	s := Services{Units: units{"both"}, Scripts: r}
	both := "by the unit"
	if s.withoutUnits() {
		both = "by the script"
	}
	for kind, want := range map[string]string{"both": both, "script": "by the script", "neither": ""} {
		req := request(kind, "start")
		req.Agent = resources.Agent{Class: "service", Type: kind}
		res := s.Run(t.Context(), req)
		if res.Output != want || (want == "") != (res.Code == resources.NotInstalled) {
			t.Errorf("%s: got %+v", kind, res)
		}
	}
}
