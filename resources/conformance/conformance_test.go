package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// good is an agent without faults; each case of the test replaces a piece of it.
const good = `#!/bin/sh
meta() { cat <<END
<?xml version="1.0"?>
<resource-agent name="agent" version="1"><version>1.1</version>
<longdesc lang="en">long</longdesc><shortdesc lang="en">short</shortdesc>
<parameters>
<parameter name="state" required="1"><longdesc lang="en">l</longdesc><shortdesc lang="en">s</shortdesc><content type="string"/></parameter>
<parameter name="count" required="0"><longdesc lang="en">l</longdesc><shortdesc lang="en">s</shortdesc><content type="integer" default="1"/></parameter>
</parameters>
<actions>
<action name="start" timeout="10s"/><action name="stop" timeout="10s"/><action name="monitor" timeout="10s" interval="10s"/>
<action name="promote" timeout="10s"/><action name="demote" timeout="10s"/>
<action name="validate-all" timeout="10s"/><action name="meta-data" timeout="10s"/>
</actions></resource-agent>
END
}
validate() {
	[ -n "$OCF_RESKEY_state" ] || { echo "ocf-exit-reason:no state" >&2; exit 6; }
	case "$OCF_RESKEY_count" in *[!0-9]*) echo "ocf-exit-reason:no number" >&2; exit 6;; esac
}
monitor() {
	[ -e "$OCF_RESKEY_state" ] || exit 7
	[ "$(cat $OCF_RESKEY_state)" != promoted ] || exit 8
}
case "$1" in
meta-data) meta;;
validate-all) validate;;
monitor) monitor;;
start) validate; [ -e "$OCF_RESKEY_state" ] || echo up >"$OCF_RESKEY_state";;
promote) echo promoted >"$OCF_RESKEY_state";;
demote) echo up >"$OCF_RESKEY_state";;
stop) rm -f "$OCF_RESKEY_state";;
*) exit 3;;
esac
`

func check(t *testing.T, text string) (*Report, error) {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) { // meta-data are asked for as nobody
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "agent")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Check(t.Context(), Config{Path: path, Params: map[string]string{"state": filepath.Join(dir, "state")}})
}

// wrongs lists what is not a pass.
func wrongs(r *Report) string {
	var out []string
	for _, f := range r.Findings {
		if f.Verdict == Fail || f.Verdict == Warn {
			out = append(out, string(f.Verdict)+" "+f.Check+": "+f.Detail)
		}
	}
	return strings.Join(out, "\n")
}

func TestEveryMistakeIsFound(t *testing.T) {
	r, err := check(t, good)
	if err != nil || wrongs(r) != "" || !r.Passed() {
		t.Fatalf("the good agent: %v\n%s", err, wrongs(r))
	}
	for _, c := range []struct{ old, new, found string }{
		{"exit 7", "exit 1", "fail monitor of what is stopped says so (7): it ended with 1 (error), not with 7"},
		{`|| echo up >"$OCF_RESKEY_state";;`, `&& exit 1; echo up >"$OCF_RESKEY_state";;`, "fail start of what runs succeeds: it ended with 1 (error), not with 0"},
		{`rm -f "$`, `rm "$`, "fail stop of what is stopped succeeds: it ended with 1 (error): rm: cannot remove"},
		{"*) exit 3;;", "*) exit 0;;", "fail an unknown operation is refused (3): it ended with 0 (ok), not with 3"},
		{"*) exit 3;;", "*) exit 0;;", "warn no operation at all is refused: without an operation it ended with 0 (ok)"},
		{`[ -n "$OCF_RESKEY_state" ] ||`, "true ||", "fail validate-all misses state: it ended with 0 (ok)"},
		{"*[!0-9]*)", "none)", "warn validate-all refuses count=12abc: it ended with 0 (ok)"},
		{`<action name="validate-all" timeout="10s"/>`, "", "fail the actions that every agent needs are listed: missing: validate-all"},
		{`<action name="demote" timeout="10s"/>`, "", "fail actions that belong together are both there: promote and demote go together"},
		{`"stop" timeout="10s"`, `"stop"`, "fail every action has a time-out: missing: stop"},
		{`name="agent"`, `name="other"`, "fail meta-data has the agent's name: it calls itself other, and the file is agent"},
		{"cat <<END", "echo hello; cat <<END", `fail meta-data is well-formed XML and nothing else: there is text outside of it: "hello"`},
		{"</actions>", "", "fail meta-data is well-formed XML and nothing else: XML syntax error"},
		{`<longdesc lang="en">long</longdesc>`, "", "warn everything is described: missing: the agent itself"},
		{`default="1"`, `default="one"`, `warn defaults fit their types: the default of parameter count: "one" is not a whole number`},
		{"meta-data) meta;;", "meta-data) exit 1;;", "fail meta-data is printed: it ended with 1 (error), not with 0"},
		{"meta-data) meta;;", "meta-data) echo;;", "fail meta-data can be read: "},
		{"exit 8", "exit 0", "fail monitor of what is promoted says so (8): it ended with 0 (ok), not with 8"},
		{`|| echo up >"$OCF_RESKEY_state";;`, `|| { echo up >"$OCF_RESKEY_state"; sleep 1000 & };;`, "fail no processes are left behind: left behind: sleep 1000"},
		{`|| echo up >"$OCF_RESKEY_state";;`, `|| { echo up >"$OCF_RESKEY_state"; sleep 5 & };;`, "warn operations close their output: what they started holds the output of start: redirect it"},
		{"start) validate;", "start) exit 1;", "fail start: it ended with 1 (error), not with 0"},
		{"start) validate;", "start) exit 1;", "warn failures have a reason: start ended with 1 without an ocf-exit-reason"},
		{"start) validate;", "start) kill -9 $$;", "fail start: it was ended by a signal"},
		{"stop) rm", "stop) yes | head -c 100000; rm", "warn operations print little: stop printed 97 KiB"},
		{"exit 7", "exit 0", ""},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q changes nothing", c.old)
		}
		r, err := check(t, text)
		if c.found == "" {
			if err == nil || !strings.HasPrefix(err.Error(), "a resource with these parameters is active") {
				t.Errorf("%s: got %v", c.new, err)
			}
			continue
		}
		if err != nil || !strings.Contains(wrongs(r), c.found) || r.Passed() != !strings.Contains(wrongs(r), "fail ") {
			t.Errorf("%s: %v: want %s, found:\n%s", c.new, err, c.found, wrongs(r))
		}
	}
}

func TestWhatIsNoAgent(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/plain", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir + "/none":  "there is no agent " + dir + "/none",
		dir:            dir + " is no file",
		dir + "/plain": dir + "/plain is not executable (chmod 755 " + dir + "/plain)",
	} {
		if _, err := Check(t.Context(), Config{Path: path}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
