package agent

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paceline/agent/peer"
)

// Nothing that was a secret leaves a node in a report: neither today's, nor one that is no longer configured.
func TestReportHoldsNoSecrets(t *testing.T) {
	clean := cleaner([]string{"today's", `with "quotes"`, "abc"})
	token, err := peer.NewToken([]string{"10.0.0.1:7947"}, peer.NewKey(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`level=INFO msg="run" value=today's`:                        `level=INFO msg="run" value=******`,
		`{"params":{"passwd":"old one","ip":"10.0.0.1"}}`:           `{"params":{"passwd":"******","ip":"10.0.0.1"}}`,
		`{"value":"with \"quotes\""}`:                               `{"value":"******"}`,
		`OCF_RESKEY_password=hunter2 OCF_RESKEY_ip=10.0.0.1`:        `OCF_RESKEY_password=****** OCF_RESKEY_ip=10.0.0.1`,
		`join with ` + token.Encode() + ` now`:                      `join with paceline1.****** now`,
		`{"token":"x"} use "` + token.EncodeAccess() + `"`:          `{"token":"******"} use "paceline-access1.******"`,
		`{"community":"private","ip":"10.0.0.9"}`:                   `{"community":"******","ip":"10.0.0.9"}`,
		`abc is too short to tell from a word`:                      `abc is too short to tell from a word`,
		`password_script=/etc/paceline/ipmi and passwd="two words"`: `password_script=/etc/paceline/ipmi and passwd=******`,
	} {
		if got := string(clean([]byte(in))); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", in, got, want)
		}
	}
}

// A saved input keeps its form; secrets in it are masked by their names.
func TestReportMasksInputs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.input.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(`{"cib":{"pairs":[{"id":"x","name":"passwd","value":"old"},{"name":"ip","value":"10.0.0.1"}]},"n":12345678901234567}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := maskedInput(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(data); strings.Contains(got, "old") || !strings.Contains(got, "10.0.0.1") || !strings.Contains(got, "12345678901234567") {
		t.Errorf("got %s", got)
	}
}

// Of a long log the end is kept, from the start of a line.
func TestReportKeepsTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("first line\nsecond line\nthird line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, cut, err := tail(path, 15)
	if err != nil || !cut || string(data) != "third line\n" {
		t.Errorf("got %q, %v, %v", data, cut, err)
	}
	data, cut, err = tail(path, 100)
	if err != nil || cut || !strings.HasPrefix(string(data), "first") {
		t.Errorf("got %q, %v, %v", data, cut, err)
	}
	l := lastOf{b: &bytes.Buffer{}, most: 10}
	for range 100 {
		l.Write([]byte("0123456789"))
	}
	if n := l.b.Len(); n < 10 || n > 30 {
		t.Errorf("%d bytes are kept", n)
	}
}
