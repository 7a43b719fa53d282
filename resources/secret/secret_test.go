package secret

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"paceline/resources"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestResolve(t *testing.T) {
	dir, second := t.TempDir(), t.TempDir()
	file := write(t, filepath.Join(dir, "password"), "correct horse\n", 0o600)
	write(t, filepath.Join(dir, "db"), "battery", 0o400)
	write(t, filepath.Join(second, "ipmi"), "staple\r\n", 0o600)
	params := map[string]string{
		"a": "secret:file:" + file, "b": "secret:credential:db", "c": "secret:credential:ipmi", "d": "plain", "e": "no secret:file:/x", "trace_ra": "1",
	}
	before := maps.Clone(params)
	req, err := resolve(resources.Request{Resource: "x", Params: params}, []string{"", dir, second})
	want := map[string]string{"a": "correct horse", "b": "battery", "c": "staple", "d": "plain", "e": "no secret:file:/x"}
	if err != nil || !reflect.DeepEqual(req.Params, want) || !reflect.DeepEqual(req.Secret, []string{"a", "b", "c"}) || req.Resource != "x" {
		t.Errorf("got %+v, %v", req, err)
	}
	if !maps.Equal(params, before) {
		t.Error("the caller's parameters were changed: the secret would go where they go")
	}
	plain := resources.Request{Params: map[string]string{"a": "b", "trace_ra": "1"}}
	if got, err := Resolve(plain); err != nil || !reflect.DeepEqual(got, plain) {
		t.Errorf("without references: %+v, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("open"), "correct horse", 0o640)
	write(t, path("short"), "abc\n", 0o600)
	write(t, path("long"), strings.Repeat("x", lengthMax+1), 0o600)
	write(t, path("nul"), "correct\x00horse", 0o600)
	if err := unix.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for value, why := range map[string]string{
		"secret:file:" + path("none"):  "its secret is not on this node: there is no file " + path("none"),
		"secret:file:" + path("open"):  "its secret is refused: others than its owner may read " + path("open") + " (chmod 600 " + path("open") + ")",
		"secret:file:" + path("short"): "its secret is refused: " + path("short") + " has less than 4 characters",
		"secret:file:" + path("long"):  "its secret is refused: " + path("long") + " is longer than 65536 bytes",
		"secret:file:" + path("nul"):   "its secret is refused: " + path("nul") + " has a NUL byte",
		"secret:file:" + path("pipe"):  "its secret is refused: " + path("pipe") + " is no file",
		"secret:file:" + dir:           "its secret is refused: " + dir + " is no file",
		"secret:file:relative":         `"secret:file:relative" refers to nothing`,
		"secret:credential:none":       "there is no credential none on this node",
		"secret:credential:../x":       `"secret:credential:../x" refers to nothing`,
		"secret:vault:x":               `"secret:vault:x" refers to nothing`,
		"secret:":                      `"secret:" refers to nothing`,
	} {
		_, err := resolve(resources.Request{Params: map[string]string{"password": value}}, []string{dir})
		if err == nil || !strings.HasPrefix(err.Error(), "parameter password: "+why) || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: got %v, want %s", value, err, why)
		}
	}
	if _, err := resolve(resources.Request{Params: map[string]string{"p": "secret:file:" + path("none")}}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if os.Geteuid() == 0 {
		write(t, path("foreign"), "correct horse", 0o600)
		if err := os.Chown(path("foreign"), 12345, 0); err != nil {
			t.Fatal(err)
		}
		_, err := resolve(resources.Request{Params: map[string]string{"p": "secret:file:" + path("foreign")}}, nil)
		if err == nil || !strings.Contains(err.Error(), "belongs to user 12345 and not to root") {
			t.Errorf("got %v", err)
		}
	} else {
		t.Log("not root: that files of other users are refused was not looked at")
	}
}
