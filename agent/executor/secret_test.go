package executor

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/ocf"
	"paceline/resources/process"
)

// talkative is an agent that knows its password and says it wherever it can.
const talkative = `#!/bin/sh
printf '%s' "$OCF_RESKEY_password" >"$OCF_RESKEY_got"
echo "logging in with $OCF_RESKEY_password"
echo "ocf-exit-reason:the server refused '$OCF_RESKEY_password'" >&2
[ "$1" != start ] || exit 1
`

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// A secret reaches the agent, and nothing else: not results, the journal, logs or files of the executor.
func TestSecretIsSeenByTheAgentAlone(t *testing.T) {
	const password = "correct-horse-battery"
	dir := t.TempDir()
	root, data := filepath.Join(dir, "ocf"), filepath.Join(dir, "data")
	file, got := filepath.Join(dir, "password"), filepath.Join(dir, "got")
	for path, f := range map[string]struct {
		text string
		mode os.FileMode
	}{filepath.Join(root, "resource.d", "test", "Talkative"): {talkative, 0o755}, file: {password + "\n", 0o600}} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	var logs lockedBuffer
	log := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g := &resources.Registry{}
	g.RegisterClass("ocf", ocf.New(ocf.Config{Root: root, RunDir: filepath.Join(dir, "run"), Scratch: filepath.Join(dir, "scratch"), Logger: log}))
	g.Register(process.Agent, process.New(process.Config{RunDir: filepath.Join(dir, "run"), Logger: log}))
	a := newAgents()
	c := config(data, a)
	c.Registry, c.Logger = g, log
	e := start(t, c)
	co := dial(t, e, hello(1))
	var said []string
	order := func(operation string, interval time.Duration, params map[string]string) (rc int, why string) {
		t.Helper()
		x := recurring("db", interval)
		x.Operation, x.Agent.Type, x.Params = operation, "Talkative", params
		if params["command"] != "" {
			x.Agent.Provider, x.Agent.Type = process.Agent.Provider, process.Agent.Type
		}
		r := co.do(x)
		said = append(said, fmt.Sprintf("%+v", r))
		return r.RC, r.ExitReason
	}
	params := map[string]string{"password": "secret:file:" + file, "got": got, "trace_ra": "1"}
	if rc, why := order(resources.Start, 0, params); rc != 1 || why != "the server refused '***'" {
		t.Errorf("start: %d, %s", rc, why)
	}
	if b, _ := os.ReadFile(got); string(b) != password {
		t.Errorf("the agent was given %q", b)
	}
	if rc, _ := order(resources.Monitor, time.Hour, params); rc != 0 {
		t.Errorf("monitor: %d", rc)
	}
	// In the list of processes everybody could read it.
	if rc, why := order(resources.Start, 0, map[string]string{"command": "sleep", "args": "secret:file:" + file}); rc != 6 || !strings.Contains(why, "list of processes") {
		t.Errorf("a secret on a command line: %d, %s", rc, why)
	}
	// A secret that others can read is none.
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if rc, why := order(resources.Start, 0, params); rc != 5 || why != "parameter password: its secret is refused: others than its owner may read "+file+" (chmod 600 "+file+")" {
		t.Errorf("an open file: %d, %s", rc, why)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if rc, why := order(resources.Start, 0, params); rc != 5 || !strings.Contains(why, "its secret is not on this node: there is no file "+file) {
		t.Errorf("no file: %d, %s", rc, why)
	}
	if rc, _ := order(resources.Stop, 0, params); rc != 0 {
		t.Errorf("a stop fails for a secret: %d", rc)
	}
	if b, _ := os.ReadFile(got); string(b) != "secret:file:"+file {
		t.Errorf("the stop was given %q", b)
	}
	co.s.Close()
	<-co.served
	stopExecutor(t, e)

	seen := 0
	look := func(where, text string) {
		seen++
		if strings.Contains(text, password) || strings.Contains(text, password[:8]) {
			t.Errorf("the secret is in %s: %s", where, text)
		}
	}
	look("the results", strings.Join(said, "\n"))
	look("the logs", logs.String())
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == got {
			return err
		}
		b, err := os.ReadFile(path)
		look(path, string(b))
		return err
	})
	if err != nil || seen < 4 {
		t.Errorf("looked at %d places: %v", seen, err)
	}
}
