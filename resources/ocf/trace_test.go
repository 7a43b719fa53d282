package ocf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/nstest"
)

// read returns the traces of a resource, oldest first.
func read(t *testing.T, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v, %v", e.Name(), info.Mode(), err)
		}
		out = append(out, string(b))
	}
	return out
}

// TestTrace: what a traced operation prints is kept, within bounds and without secrets; of others nothing is.
func TestTrace(t *testing.T) {
	r := agents(t, map[string]string{"talk": `#!/bin/sh
echo "trace to $OCF_TRACE_FILE"
echo "+ a step with $OCF_RESKEY_password" >&2
[ "$1" != start ] || head -c 3000000 /dev/zero
exit 1
`})
	r.traces = traces{t.TempDir()}
	dir := filepath.Join(r.traces.dir, "r1")
	run(t, r, request("talk", "monitor"))
	run(t, r, request("talk", "monitor", "trace_ra", "1", "trace_dir", "/var/tmp/mine"))
	if _, err := os.Stat(dir); err == nil {
		t.Error("an operation that is not traced, or that the agent traces elsewhere, has left a file")
	}
	res := run(t, r, request("talk", "monitor", "trace_ra", "1", "password", "hidden"))
	if res.Code != resources.GenericError || strings.Contains(res.Reason, "step") {
		t.Errorf("the trace is taken for a reason: %+v", res)
	}
	got := read(t, dir)
	if len(got) != 1 || !strings.HasPrefix(got[0], "# monitor of r1 (ocf:test:talk), began ") || !strings.Contains(got[0], "trace to /dev/stderr") ||
		!strings.Contains(got[0], "+ a step with ***") {
		t.Errorf("traces: %q", got)
	}
	run(t, r, request("talk", "start", "trace_ra", "yes"))
	if got = read(t, dir); len(got) != 2 || len(got[1]) > traceMax+1024 || !strings.HasSuffix(got[1], "the rest is not kept\n") {
		t.Errorf("%d traces, the last of %d bytes", len(got), len(got[len(got)-1]))
	}
	list, err := Traces(r.traces.dir, "r1")
	if err != nil || len(list) != 2 || !strings.HasPrefix(list[0].Head, "# monitor of r1 (ocf:test:talk), began ") || !strings.HasPrefix(list[1].Head, "# start of r1") {
		t.Errorf("the list is %+v, %v", list, err)
	} else if text, err := list[0].Text(); err != nil || string(text) != got[0] || list[0].Size != int64(len(text)) || !strings.HasPrefix(list[0].Name, "r1/") {
		t.Errorf("%s of %d bytes is %q, %v", list[0].Name, list[0].Size, text, err)
	}
	for _, other := range []string{"r", "r1:0", "../r1"} {
		if list, err := Traces(r.traces.dir, other); err != nil || len(list) > 0 {
			t.Errorf("traces of %s: %+v, %v", other, list, err)
		}
	}
	if list, err := Traces(filepath.Join(r.traces.dir, "none"), "r1"); err != nil || len(list) > 0 {
		t.Errorf("without a folder: %+v, %v", list, err)
	}
	for n := range traceFilesMax + 3 {
		if err := r.traces.keep(request("talk", "stop"), time.Now().Add(time.Duration(n)*time.Millisecond), resources.Result{}, "x", false); err != nil {
			t.Fatal(err)
		}
	}
	if got = read(t, dir); len(got) > traceFilesMax {
		t.Errorf("%d traces are kept", len(got))
	}
}

// TestTraceOfDebianAgents: the shell functions of real agents write their steps to where we keep them.
func TestTraceOfDebianAgents(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "Dummy")
	r.traces = traces{t.TempDir()}
	res := run(t, r, resources.Request{Agent: a, Resource: "r1", Operation: "monitor", Timeout: 20e9,
		Params: map[string]string{"trace_ra": "1", "state": filepath.Join(t.TempDir(), "state")}})
	got := read(t, filepath.Join(r.traces.dir, "r1"))
	if res.Code != resources.NotRunning || len(got) != 1 || bytes.Count([]byte(got[0]), []byte("\n+")) < 5 {
		t.Errorf("%d: %q", res.Code, got)
	}
}
