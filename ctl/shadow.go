package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/ctl/draft"
)

// A shadow copy is an editing session kept in a file of the user's own state folder. Files are replaced whole, so that a reader
// sees the old copy or the new one.

// shadow is one of them.
type shadow struct {
	Schema  int       `json:"schema"`
	Changed time.Time `json:"changed"`
	draft.Saved
}

var shadowName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

const shadowSuffix = ".shadow.json"

// shadows is the folder of a user's shadow copies.
type shadows struct{ dir string }

func (s Streams) shadows() (shadows, error) {
	base := s.Getenv("XDG_STATE_HOME")
	if base == "" {
		home := s.Getenv("HOME")
		if home == "" {
			return shadows{}, fmt.Errorf("find the folder of shadow copies: neither XDG_STATE_HOME nor HOME is set")
		}
		base = filepath.Join(home, ".local", "state")
	}
	return shadows{filepath.Join(base, "paceline")}, nil
}

func (d shadows) file(name string) (string, error) {
	if !shadowName.MatchString(name) {
		e := usagef("%q cannot be the name of a shadow copy", name)
		e.hint = "names are up to 64 letters, digits, '_', '.' and '-'"
		return "", e
	}
	return filepath.Join(d.dir, name+shadowSuffix), nil
}

// list returns the names, sorted.
func (d shadows) list() ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list shadow copies: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), shadowSuffix); is && shadowName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d shadows) read(name string) (*shadow, error) {
	file, err := d.file(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, api.Errorf(api.CodeNotFound, "open shadow copy "+name, "there is none of that name").WithHint("`paceline cib list` lists them, `paceline cib new %s` makes one", name)
	}
	if err != nil {
		return nil, fmt.Errorf("open shadow copy %s: %w", name, err)
	}
	defer f.Close()
	out := &shadow{}
	if err := json.NewDecoder(io.LimitReader(f, shadowBytesMax)).Decode(out); err != nil {
		return nil, api.Errorf(api.CodeFailed, "read shadow copy "+name, "%v", err).WithHint("its file is damaged; `paceline cib delete %s` removes it", name)
	}
	return out, nil
}

func (d shadows) write(name string, s *draft.Session, now time.Time) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	names, err := d.list()
	if err != nil {
		return err
	}
	if !slices.Contains(names, name) && len(names) >= shadowsMax {
		return api.Errorf(api.CodeRefused, "make shadow copy "+name, "there are %d already", len(names)).WithHint("`paceline cib delete NAME` removes one")
	}
	copied := shadow{Schema: api.Schema, Changed: now.UTC(), Saved: s.Save()}
	text, err := json.Marshal(copied)
	if err == nil && len(text) > shadowBytesMax { // rather without the steps that undo takes back
		copied.Past = nil
		text, err = json.Marshal(copied)
	}
	if err != nil {
		return fmt.Errorf("write shadow copy %s: %w", name, err)
	}
	if len(text) > shadowBytesMax {
		return fmt.Errorf("write shadow copy %s: it would be larger than %d MiB", name, shadowBytesMax>>20)
	}
	return replaceFile(file, text, 0o600) // a configuration may hold passwords
}

func (d shadows) remove(name string) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	if _, err := d.read(name); err != nil && errors.Is(err, &api.Error{Code: api.CodeNotFound}) {
		return err
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("delete shadow copy %s: %w", name, err)
	}
	if d.used() == name {
		return d.use("")
	}
	return nil
}

// used returns the name that 'cib use' has chosen, or "".
func (d shadows) used() string {
	text, err := os.ReadFile(filepath.Join(d.dir, "shadow-in-use"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// use chooses the copy that commands work on; "" is the cluster itself.
func (d shadows) use(name string) error {
	file := filepath.Join(d.dir, "shadow-in-use")
	if name == "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("go back to the cluster: %w", err)
		}
		return nil
	}
	return replaceFile(file, []byte(name+"\n"), 0o600)
}

// replaceFile writes a file as a whole: it is there afterwards with all of the text, or as it was.
func replaceFile(name string, text []byte, mode fs.FileMode) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
