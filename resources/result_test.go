package resources

import "testing"

func TestCleanText(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limit    int
		lines    bool
	}{
		{"a\nb\x00\x1b[0m\xffü\t", "a b..[0m.ü", 100, false},
		{" a\nb\r\n", "a\nb.", 100, true},
		{"0123456789", "01234", 5, false},
		{"0123456789", "56789", 5, true},
	} {
		if got := CleanText(c.in, c.limit, c.lines); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}
