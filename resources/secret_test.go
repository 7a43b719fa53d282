package resources

import "testing"

func TestHide(t *testing.T) {
	req := Request{Secret: []string{"p", "many"}, Params: map[string]string{"p": `corr"ect`, "many": "-----BEGIN\nabcd1234\nxy", "open": "word"}}
	for in, want := range map[string]string{
		"":                           "",
		"nothing of it, word":        "nothing of it, word",
		`is corr"ect, corr"ect`:      "is ***, ***",
		`is "corr\"ect"`:             `is "***"`,
		"a abcd1234 b -----BEGIN xy": "a *** b *** xy",
		`r"ect at the begin`:         "*** at the begin",
		"at the end corr":            "at the end ***",
		"at the end abcd12":          "at the end ***",
		"at the end cor":             "at the end cor",
	} {
		if got := req.Hide(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if r := req.HideIn(Result{Code: 1, Reason: `x corr"ect`, Output: "abcd1234"}); r.Reason != "x ***" || r.Output != "***" || r.Code != 1 {
		t.Errorf("got %+v", r)
	}
}
