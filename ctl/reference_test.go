package ctl

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// docs/cli.md is what the table makes.
func TestReferenceIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Reference() {
		t.Error("docs/cli.md is not what the table of commands makes: run `make docs`")
	}
}

// The manual page names every command and every flag, and groff has nothing to say against it.
func TestManual(t *testing.T) {
	page := Manual()
	for _, row := range table {
		if !strings.Contains(page, ".B paceline "+roff(row.path)) {
			t.Errorf("the manual page lacks %s", row.path)
		}
		for _, f := range row.flags {
			if !strings.Contains(page, roff("--"+f.name)) {
				t.Errorf("the manual page lacks --%s of %s", f.name, row.path)
			}
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Logf("groff is not installed: the page's form is not checked: %v", err)
		return
	}
	cmd := exec.CommandContext(t.Context(), groff, "-man", "-Tascii", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
