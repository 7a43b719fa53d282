package ping

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/resources"
	"paceline/resources/attribute"
	"paceline/resources/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

func TestPing(t *testing.T) {
	nstest.Need(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(filepath.Join(dir, "attrd_updater"), []byte("#!/bin/sh\necho \"$@\" >>"+log+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := New(attribute.Config{StateDir: dir, Tools: dir})
	run := func(op string, code resources.ExitCode, params ...string) resources.Result {
		t.Helper()
		req := resources.Request{Resource: "p", Operation: op, Timeout: resources.DefaultTimeout, Params: map[string]string{"attempts": "1", "timeout": "2s"}}
		for i := 0; i < len(params); i += 2 {
			req.Params[params[i]] = params[i+1]
		}
		res := r.Run(t.Context(), req)
		if res.Code != code {
			t.Fatalf("%s %v: got %+v, want %d", op, params, res, code)
		}
		return res
	}
	tells := func(want string) {
		t.Helper()
		b, _ := os.ReadFile(log)
		_ = os.Remove(log)
		if got := strings.TrimSpace(string(b)); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// The namespace has a loopback and no way out: 192.0.2.1 (reserved for documents) is nowhere.
	hosts := "127.0.0.1 ::1 192.0.2.1 tcp:" + l.Addr().String()
	run("monitor", 7, "host_list", hosts)
	run("start", 0, "host_list", hosts, "multiplier", "100")
	tells("--name pingd --update 300 --delay 5s")
	run("monitor", 0, "host_list", hosts, "multiplier", "100")
	tells("")
	l.Close()
	run("monitor", 0, "host_list", hosts, "multiplier", "100")
	tells("--name pingd --update 200 --delay 5s")
	if res := run("monitor", 1, "host_list", "192.0.2.1", "failure_score", "1"); res.Reason != "it reaches hosts for 0, below the failure_score of 1" {
		t.Errorf("got %+v", res)
	}
	tells("--name pingd --update 0 --delay 5s")
	run("stop", 0, "host_list", hosts)
	tells("--name pingd --delete --delay 1s")
	run("monitor", 7, "host_list", hosts)
	run("validate-all", 6, "host_list", " ")
	run("validate-all", 6, "host_list", "tcp:here")
}
