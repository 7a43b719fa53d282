package report

import "testing"

func TestMerge(t *testing.T) {
	for _, c := range []struct{ name, old, fresh, want string }{
		{"into nothing", "", "# Title\n\n## A\n\none\n", "# Title\n\n## A\n\none\n"},
		{"in its place", "# Title\n\n## A\n\none\n\n## B\n\ntwo\n", "## A\n\nnew\n", "# Title\n\n## A\n\nnew\n\n## B\n\ntwo\n"},
		{"at the end", "# Title\n\n## A\n\none\n", "## C\nthree", "# Title\n\n## A\n\none\n\n## C\nthree\n"},
		{"title alone", "## A\none\n", "# Title\n", "# Title\n\n## A\none\n"},
		{"title anew", "# Old\n\n## A\none\n", "# Title\n\n## B\ntwo\n", "# Title\n\n## A\none\n\n## B\ntwo\n"},
	} {
		if got := Merge(c.old, c.fresh); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
