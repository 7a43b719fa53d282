package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rules "paceline/agent/audit"
)

// ruleRow is a line of the table of rules in docs/reliability.md.
type ruleRow struct{ name, says, simulated, lab, audited, tests string }

func ruleRows(t *testing.T) []ruleRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "reliability.md"))
	must(t, err)
	_, table, ok := strings.Cut(string(text), "| rule | what must hold |")
	if !ok {
		t.Fatal("docs/reliability.md has no table of rules")
	}
	var out []ruleRow
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) == 1 {
			break
		}
		if len(cells) != 8 || !numbered.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, ruleRow{cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]})
	}
	return out
}

var (
	numbered  = regexp.MustCompile(`^([SL]\d+) `)
	ruleNames = regexp.MustCompile(`"([SL]\d+ [a-z][^"%]*)"`)
	testName  = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// goText returns the text of the Go files in a folder of the module, with all below it.
func goText(t *testing.T, dir, suffix string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(filepath.Join("..", dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	}))
	return b.String()
}

// The table of rules says what the code does: every number has its line, every rule its words, and each that is judged nowhere in
// a live cluster has no mark there.
func TestRulesOfTheDocuments(t *testing.T) {
	rows := map[string]ruleRow{}
	var numbers []string
	for _, r := range ruleRows(t) {
		rows[r.name] = r
		if n := numbered.FindStringSubmatch(r.name)[1]; len(numbers) == 0 || numbers[len(numbers)-1] != n {
			numbers = append(numbers, n)
		}
	}
	var want []string
	for i := range 32 {
		want = append(want, fmt.Sprintf("S%d", i+1))
	}
	for i := range 9 {
		want = append(want, fmt.Sprintf("L%d", i+1))
	}
	if got := strings.Join(numbers, " "); got != strings.Join(want, " ") {
		t.Errorf("the numbers are\n%s\nwant\n%s", got, strings.Join(want, " "))
	}
	simulated := map[string]bool{}
	for _, m := range ruleNames.FindAllStringSubmatch(goText(t, "agent/simulation", ".go"), -1) {
		simulated[m[1]] = true
		if _, ok := rows[m[1]]; !ok {
			t.Errorf("the simulation's %q has no line", m[1])
		}
	}
	for _, r := range rules.Judge(nil).Rules {
		row, ok := rows[r.Name]
		simulated[r.Name] = true
		switch {
		case !ok:
			t.Errorf("%q has no line", r.Name)
		case row.says != r.Says:
			t.Errorf("%s says %q, and the document %q", r.Name, r.Says, row.says)
		case (row.audited == "") != (r.Unseen != ""):
			t.Errorf("%s: the document says %q of a live cluster, the code that %q", r.Name, row.audited, r.Unseen)
		}
	}
	for name, row := range rows {
		if (row.simulated == "x") != simulated[name] {
			t.Errorf("%s: the document says %q of the simulation, and the code has it: %v", name, row.simulated, simulated[name])
		}
		if row.simulated+row.lab+row.audited+row.tests == "" && name != "S24 ticket exclusive" {
			t.Errorf("nobody judges %s", name)
		}
	}
}

// Tests that documents name are there.
func TestTestsOfTheDocuments(t *testing.T) {
	have := map[string]bool{}
	for _, dir := range []string{"agent", "ctl", "fencing", "integration", "resources"} {
		for _, m := range testFunc.FindAllStringSubmatch(goText(t, dir, "_test.go"), -1) {
			have[m[1]] = true
		}
	}
	for _, doc := range []string{"reliability.md", "ledger.md", "fencing.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", doc))
		must(t, err)
		named := testName.FindAllStringSubmatch(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", doc)
		}
		for _, m := range named {
			if !have[m[1]] {
				t.Errorf("%s names %s, which is no test", doc, m[1])
			}
		}
	}
}
