package draft

import (
	"strings"
	"testing"

	"paceline/agent/cib"
)

func TestSession(t *testing.T) {
	base := parse(t, baseText)
	s := New(7, base)
	if s.Changed() || len(s.Objects()) > 0 {
		t.Fatal("a new session has changes")
	}
	if _, err := s.Add("primitive p0 Dummy"); err == nil || !strings.Contains(err.Error(), `there is a primitive "p0" already`) {
		t.Errorf("a known ID: %v", err)
	}
	if _, err := s.Add("primitive web Dummy\nnonsense"); err == nil || s.Changed() {
		t.Errorf("a text with a mistake: %v, changed: %v", err, s.Changed())
	}
	steps := []string{"primitive web Dummy op monitor interval=10s", "node alpha attributes rack=2", "delete l0", "set web.monitor.interval 20s"}
	for _, line := range steps {
		if _, err := s.Add(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	var kinds []string
	for _, c := range s.Objects() {
		kinds = append(kinds, c.Kind()+" "+c.Key)
	}
	if got, want := strings.Join(kinds, ", "), "removed l0, changed node alpha, added web"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := s.Undo(1); err != nil || s.Steps() != 3 {
		t.Errorf("undo: %v, %d steps left", err, s.Steps())
	}
	if got := s.Configuration().Resource("web").Operations.Ops[0].Interval; got != "10s" {
		t.Errorf("after undo the interval is %s", got)
	}
	if err := s.Undo(4); err == nil || !strings.Contains(err.Error(), "only 3 can be taken back") {
		t.Errorf("undo 4: %v", err)
	}

	saved := Restore(s.Save())
	if len(cib.Diff(saved.Configuration(), s.Configuration())) > 0 || !saved.Changed() {
		t.Error("a saved session came back changed")
	}
	if err := saved.Undo(1); err != nil || saved.Steps() != 2 {
		t.Errorf("undo in a saved session: %v, %d steps left", err, saved.Steps())
	}

	if c := s.Rebase(8, parse(t, strings.Replace(baseText, "rack=1", "rack=3", 1))); len(c) != 1 || c[0].Object != `node "alpha" attribute "rack"` {
		t.Errorf("got conflicts %+v", c)
	}
	if rev, _ := s.Base(); rev != 7 || s.Steps() != 3 {
		t.Error("a rebase that failed changed the session")
	}
	if c := s.Rebase(8, parse(t, baseText+"primitive db Dummy\n")); len(c) > 0 {
		t.Errorf("got conflicts %+v", c)
	}
	if rev, _ := s.Base(); rev != 8 || s.Configuration().Resource("db") == nil || s.Configuration().Resource("web") == nil {
		t.Error("the rebase lost something")
	}
	s.Drop()
	if s.Changed() || s.Configuration().Resource("db") == nil {
		t.Error("dropping the edits dropped other people's, or not enough")
	}
	notes, err := s.Add("delete beta")
	if err != nil || s.Configuration().NodeByName("beta") == nil || len(notes) != 1 || !strings.Contains(notes[0], "paceline cluster leave beta") {
		t.Errorf("deleting a member: %q, %v", notes, err)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"", "tag t a\n", "+tag t a"},
		{"tag t a\n", "", "-tag t a"},
		{"primitive a Dummy \\\n\tparams x=1\n", "primitive a Dummy \\\n\tparams x=2 \\\n\top monitor\n", " primitive a Dummy|-\tparams x=1|+\tparams x=2|+\top monitor"},
		{"primitive a Dummy\n", "primitive a Dummy \\\n\tparams x=2\n", " primitive a Dummy|+\tparams x=2"},
		{"a \\\nb \\\nc\n", "a \\\nc\n", " a|-b| c"},
	} {
		if got := strings.Join(ObjectChange{Old: c.old, New: c.new}.Lines(), "|"); got != c.want {
			t.Errorf("%q to %q: got %s, want %s", c.old, c.new, got, c.want)
		}
	}
}
