package ctl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/crm"
	"paceline/ctl/draft"
)

// runEdit opens the configuration, or chosen objects, in an editor, and takes what comes back as one step. A text is never lost: one
// with mistakes, or that the cluster refuses, can be opened again, and one that is given up is left in a file whose name is told.
func runEdit(in *invocation) error {
	s, keep, commit, err := in.session()
	if err != nil {
		return err
	}
	t, err := newEditing(s, in.args)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "paceline-*"+t.suffix)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	_, err = file.WriteString(t.before)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	name := file.Name()
	revision, base := s.Base()
	for try := 1; ; try++ {
		if err := in.openEditor(name); err != nil {
			os.Remove(name)
			return err
		}
		text, err := in.readFile(name)
		if err != nil {
			return err
		}
		if string(text) == t.before {
			os.Remove(name)
			fmt.Fprintln(in.Err, "note: nothing was changed")
			return nil
		}
		next, notes, err := t.read(string(text))
		if err == nil {
			for _, n := range append(notes, s.Set(next)...) {
				fmt.Fprintln(in.Err, "note: "+n)
			}
			if commit {
				err = in.commitSession(s, "")
			} else {
				err = keep()
			}
			if err == nil || commit && !s.Changed() { // it is committed, whatever became of a wait
				os.Remove(name)
				return err
			}
			if !commit {
				return in.leave(name, err)
			}
			s = draft.New(revision, base) // what a commit that was refused has merged, the next one merges again
		}
		if !in.Terminal || try == editTries || !in.again(err) {
			return in.leave(name, err)
		}
	}
}

// editing is a text to be edited and how it is read.
type editing struct {
	suffix   string
	before   string
	xml      bool
	work     *cib.Configuration
	head     string // what stands before the text in the whole configuration,
	tail     string // and behind it
	headLine int    // lines of head
}

func newEditing(s *draft.Session, words []string) (*editing, error) {
	t := &editing{suffix: ".crm", work: s.Configuration()}
	_, base := s.Base()
	if len(words) > 0 && words[0] == "xml" {
		if len(words) > 1 {
			return nil, usagef("paceline configure edit: XML is edited as a whole")
		}
		t.xml, t.suffix = true, ".xml"
		var b bytes.Buffer
		if err := cib.EncodeConfiguration(&b, t.work); err != nil {
			return nil, fmt.Errorf("edit: %w", err)
		}
		t.before = b.String()
		return t, nil
	}
	chosen, err := choose(t.work, base, words)
	if err != nil {
		return nil, err
	}
	if len(chosen.obscure) > 0 {
		return nil, usagef("paceline configure edit: hidden values cannot be edited")
	}
	keys := withMembers(t.work, chosen.keys)
	at := &t.head
	for _, o := range crm.Objects(t.work) {
		if chosen.all || keys[o.Key] {
			t.before += o.Text
			at = &t.tail
			continue
		}
		*at += o.Text
	}
	t.headLine = strings.Count(t.head, "\n")
	return t, nil
}

// read makes a configuration of the text as edited. Mistakes are told by the lines of that text.
func (t *editing) read(text string) (*cib.Configuration, []string, error) {
	if t.xml {
		conf, notes, err := parseXML("the text", []byte(text))
		if err != nil {
			return nil, nil, err
		}
		next, more := draft.Load(t.work, conf, true)
		return next, append(notes, more...), nil
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	conf, err := crm.Parse(t.head + text + t.tail)
	if err != nil {
		var list crm.Errors
		if errors.As(err, &list) {
			last := strings.Count(text, "\n")
			for _, e := range list {
				if e.Line -= t.headLine; e.Line < 1 || e.Line > last {
					e.Line = last
					e.Message += " (in what was not opened)"
				}
			}
		}
		return nil, nil, mistakes("the text", err)
	}
	next, notes := draft.Load(t.work, conf, true)
	return next, notes, nil
}

// openEditor runs the person's editor on a file.
func (in *invocation) openEditor(name string) error {
	editor := in.Getenv("VISUAL")
	if editor == "" {
		editor = in.Getenv("EDITOR")
	}
	if editor == "" {
		if !in.Terminal {
			return api.Errorf(api.CodeRefused, "edit", "there is no terminal, and neither VISUAL nor EDITOR names an editor")
		}
		editor = "vi"
	}
	words := append(strings.Fields(editor), name)
	cmd := exec.CommandContext(in.ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in.In, in.Out, in.Err
	if err := cmd.Run(); err != nil {
		return api.Errorf(api.CodeFailed, "run the editor "+editor, "%v", err).WithHint("nothing was changed; the environment EDITOR names another")
	}
	return nil
}

// again shows what is wrong with a text, or why the cluster refused it, and asks whether to open it again.
func (in *invocation) again(err error) bool {
	report(in.Streams, err)
	fmt.Fprint(in.Err, "Open it again? [Y/n] ")
	line, rerr := bufio.NewReader(in.In).ReadString('\n')
	if rerr != nil && line == "" {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "" || answer == "y" || answer == "yes"
}

// leave keeps the text of an edit that came to nothing in the user's state folder, and tells where.
func (in *invocation) leave(name string, err error) error {
	kept := name
	if d, derr := in.shadows(); derr == nil {
		to := filepath.Join(d.dir, "unsaved-"+strings.TrimPrefix(filepath.Base(name), "paceline-"))
		if text, rerr := os.ReadFile(name); rerr == nil && replaceFile(to, text, 0o600) == nil {
			os.Remove(name)
			kept = to
		}
	}
	fmt.Fprintf(in.Err, "note: your text is kept in %s; `paceline configure load replace FILE` or `load update FILE` takes it up\n", kept)
	return err
}
