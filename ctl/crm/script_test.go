package crm

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/agent/cib"
)

var rewrite = flag.Bool("update", false, "write the expectations anew")

// The scripts under testdata are cases of an input, a line of dashes and what comes of it, parted by lines of '='. What comes
// of it is the text that Print makes, and the XML of its objects; or the errors.
const (
	dashes = "----\n"
	bars   = "====\n"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, block := range strings.Split(string(text), bars) {
				input, want, _ := strings.Cut(block, dashes)
				got := outcome(t, filepath.Base(filepath.Dir(file)), input)
				if got != want && !*rewrite {
					t.Errorf("input:\n%s\ngot:\n%s\nwant:\n%s", input, got, want)
				}
				out = append(out, input+dashes+got)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(out, bars)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// outcome reads the input as the folder says: update holds the base and the change, parted by a line "onto".
func outcome(t *testing.T, folder, input string) string {
	t.Helper()
	c, err := Parse(input)
	if base, change, found := strings.Cut(input, "onto\n"); folder == "update" && found {
		if c, err = Parse(base); err != nil {
			t.Fatalf("the base: %v", err)
		}
		before := Print(c)
		var notes []Note
		next, notes, uerr := Update(c, change)
		if Print(c) != before {
			t.Error("the base changed")
		}
		c, err = next, uerr
		for _, n := range notes {
			t.Logf("note: %s", n)
		}
	}
	if err != nil {
		if folder == "good" {
			t.Errorf("%s: %v", input, err)
		}
		return err.Error() + "\n"
	}
	if folder == "bad" {
		t.Errorf("accepted:\n%s", input)
	}
	printed := Print(c)
	checkReadsBack(t, c, printed)
	if folder != "good" {
		return printed
	}
	objects, err := cib.EncodeObjects(c)
	if err != nil {
		t.Fatal(err)
	}
	return printed + "--\n" + strings.Join(objects, "\n") + "\n"
}

// checkReadsBack holds Print to its word.
func checkReadsBack(t testing.TB, c *cib.Configuration, printed string) {
	t.Helper()
	back, err := Parse(printed)
	if err != nil {
		t.Errorf("its own text cannot be read: %v\n%s", err, printed)
		return
	}
	was, is := imagesOf(c), imagesOf(back)
	for key, image := range was {
		if is[key] != image {
			t.Errorf("%s came back changed\nwas: %sis:  %s\n%s", key, image, is[key], printed)
		}
	}
	if len(is) != len(was) {
		t.Errorf("%d objects came back of %d", len(is), len(was))
	}
	if again := Print(back); again != printed {
		t.Errorf("printed again it is another text\n%s\n%s", printed, again)
	}
}
