package ctl

import (
	"bytes"
	"cmp"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/history"
	"paceline/ctl/draft"
)

func runCIBNew(in *invocation) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	name := in.arg(0)
	file, err := d.file(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return api.Errorf(api.CodeRefused, "make shadow copy "+name, "there is one of that name").
			WithHint("`paceline cib reset %s` starts it again, `paceline cib delete %s` removes it", name, name)
	}
	s := draft.New(0, &cib.Configuration{})
	if !in.c.Bool("empty") {
		base, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return err
		}
		s = draft.New(base.Revision, base.Configuration)
	}
	if err := d.write(name, s, time.Now()); err != nil {
		return err
	}
	if err := d.use(name); err != nil {
		return err
	}
	in.printf("%s is made and in use: configure commands work on it; `paceline cib use live` goes back to the cluster\n", name)
	return nil
}

// runCIBImport makes a shadow copy of a saved state: a CIB in a file, as saved for Pacemaker's scheduler too, or the input of a
// transition. Committed, it takes the place of the whole configuration.
func runCIBImport(in *invocation) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	source, name := in.arg(0), in.arg(1)
	var conf *cib.Configuration
	var notes []string
	if _, idErr := history.ParseID(source); idErr == nil || source == "last" {
		t, err := in.transition(source)
		if err != nil {
			return err
		}
		conf, name = &t.Input.CIB.Configuration, cmp.Or(name, "transition-"+t.Input.ID.String())
	} else {
		text, err := in.readFile(source)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(text, []byte("BZh")) {
			if text, err = io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(text)), configurationMax)); err != nil {
				return fmt.Errorf("read %s: %w", source, err)
			}
		}
		if conf, notes, err = readConfiguration(source, text); err != nil {
			return err
		}
		base := filepath.Base(source)
		name = cmp.Or(name, strings.SplitN(base, ".", 2)[0])
	}
	file, err := d.file(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return api.Errorf(api.CodeRefused, "make shadow copy "+name, "there is one of that name").WithHint("`paceline cib delete %s` removes it", name)
	}
	base, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	s := draft.New(base.Revision, base.Configuration)
	for _, n := range append(notes, s.Load(conf, true)...) {
		fmt.Fprintln(in.Err, "note: "+n)
	}
	if err := d.write(name, s, time.Now()); err != nil {
		return err
	}
	if err := d.use(name); err != nil {
		return err
	}
	in.printf("%s is made and in use: `paceline cib diff` shows what differs from the cluster\n", name)
	return nil
}

func runCIBUse(in *invocation) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	name := in.arg(0)
	if name == "" || name == "live" {
		if err := d.use(""); err != nil {
			return err
		}
		in.printf("configure commands work on the cluster\n")
		return nil
	}
	if _, err := d.read(name); err != nil {
		return err
	}
	if in.desk.uncommitted() {
		return api.Errorf(api.CodeRefused, "use shadow copy "+name, "the session has edits that are not committed").WithHint("`commit` or `refresh` first")
	}
	if err := d.use(name); err != nil {
		return err
	}
	in.printf("configure commands work on the shadow copy %s\n", name)
	return nil
}

// shadowEntry is one shadow copy in a list.
type shadowEntry struct {
	Name     string    `json:"name"`
	InUse    bool      `json:"in_use"`
	Revision uint64    `json:"revision"` // of the configuration that it started from
	Changed  time.Time `json:"changed"`
	Changes  int       `json:"changes"` // objects that differ from that
	Broken   string    `json:"broken,omitempty"`
}

func runCIBList(in *invocation) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	names, err := d.list()
	if err != nil {
		return err
	}
	entries := []shadowEntry{}
	for _, name := range names {
		e := shadowEntry{Name: name, InUse: name == in.shadow()}
		if s, err := d.read(name); err != nil {
			e.Broken = err.Error()
		} else {
			e.Revision, e.Changed, e.Changes = s.Revision, s.Changed, len(draft.Restore(s.Saved).Objects())
		}
		entries = append(entries, e)
	}
	if in.json() {
		return in.writeJSON(map[string]any{"schema": api.Schema, "shadows": entries})
	}
	if len(entries) == 0 {
		in.printf("no shadow copies\n")
		return nil
	}
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tOF REVISION\tCHANGED\tOBJECTS THAT DIFFER\t")
	for _, e := range entries {
		mark := ""
		if e.InUse {
			mark = "in use"
		}
		if e.Broken != "" {
			fmt.Fprintf(w, "%s\t-\t-\t-\t%s\n", e.Name, e.Broken)
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", e.Name, e.Revision, moment(e.Changed), e.Changes, mark)
	}
	return w.Flush()
}

// chosenShadow returns the copy that a cib command is about: the one named, or the one in use.
func (in *invocation) chosenShadow() (string, shadows, *draft.Session, error) {
	d, err := in.shadows()
	if err != nil {
		return "", d, nil, err
	}
	name := in.arg(0)
	if name == "" {
		name = in.shadow()
	}
	if name == "" {
		e := usagef("no shadow copy is named, and none is in use")
		e.hint = "`paceline cib list` lists them"
		return "", d, nil, e
	}
	saved, err := d.read(name)
	if err != nil {
		return "", d, nil, err
	}
	return name, d, draft.Restore(saved.Saved), nil
}

func runCIBDiff(in *invocation) error {
	_, _, s, err := in.chosenShadow()
	if err != nil {
		return err
	}
	list := s.Objects()
	if in.json() {
		if list == nil {
			list = []draft.ObjectChange{}
		}
		return in.writeJSON(map[string]any{"schema": api.Schema, "objects": list})
	}
	for _, c := range list {
		for _, l := range c.Lines() {
			in.printf("%s\n", in.painted(l))
		}
	}
	return nil
}

func runCIBCommit(in *invocation) error {
	name, d, s, err := in.chosenShadow()
	if err != nil {
		return err
	}
	if rev, _ := s.Base(); rev == 0 { // made empty: it is the desired state as a whole
		latest, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return err
		}
		next, _ := draft.Load(latest.Configuration, s.Configuration(), true)
		s = draft.New(latest.Revision, latest.Configuration)
		s.Set(next)
	}
	if err := in.commitSession(s, "shadow copy "+name); err != nil || in.c.Bool("dry-run") {
		return err
	}
	if err := d.write(name, s, time.Now()); err != nil {
		return err
	}
	if d.used() == name {
		if err := d.use(""); err != nil {
			return err
		}
		fmt.Fprintln(in.Err, "note: configure commands work on the cluster again")
	}
	return nil
}

func runCIBReset(in *invocation) error {
	name, _, _, err := in.chosenShadow()
	if err != nil {
		return err
	}
	return resetShadow(in, name)
}

// resetShadow starts a copy again from the cluster's configuration.
func resetShadow(in *invocation, name string) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	if _, err := d.read(name); errors.Is(err, &api.Error{Code: api.CodeNotFound}) {
		return err
	}
	base, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	if err := d.write(name, draft.New(base.Revision, base.Configuration), time.Now()); err != nil {
		return err
	}
	in.printf("%s is a copy of revision %d\n", name, base.Revision)
	return nil
}

func runCIBDelete(in *invocation) error {
	d, err := in.shadows()
	if err != nil {
		return err
	}
	if err := d.remove(in.arg(0)); err != nil {
		return err
	}
	in.printf("%s is deleted\n", in.arg(0))
	return nil
}
