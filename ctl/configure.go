package ctl

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// configurationMax bounds a file to load: what a request may carry.
const configurationMax = api.BodyMax

func runLoad(in *invocation) error {
	method, file := "update", in.arg(0)
	if len(in.args) == 2 {
		method, file = in.arg(0), in.arg(1)
	}
	if method == "push" {
		method = "replace"
	}
	if method != "update" && method != "replace" {
		e := usagef("paceline configure load: there is no method %q", method)
		e.hint = "methods are update and replace"
		return e
	}
	text, err := in.readFile(file)
	if err != nil {
		return err
	}
	message := in.c.String("message")
	if message == "" {
		message = "load " + method + " " + file
	}
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		return applyFile(base, file, text, method == "replace")
	})
}

func runRollback(in *invocation) error {
	rev, err := strconv.ParseUint(in.arg(0), 10, 64)
	if err != nil || rev == 0 {
		e := usagef("paceline configure rollback: %q is not a revision", in.arg(0))
		e.hint = "`paceline configure commit-history` lists them"
		return e
	}
	old, err := in.api.Configuration(in.ctx, rev)
	if err != nil {
		return err
	}
	message := in.c.String("message")
	if message == "" {
		message = fmt.Sprintf("rollback to %d", rev)
	}
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		next, notes := draft.Load(base, old.Configuration, true)
		return next, notes, nil
	})
}

// readFile reads a file, or standard input for "-".
func (in *invocation) readFile(name string) ([]byte, error) {
	r := in.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, configurationMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > configurationMax {
		return nil, fmt.Errorf("read %s: it is larger than %d MiB", name, configurationMax>>20)
	}
	return b, nil
}

func runXML(in *invocation) error {
	b, err := in.api.CIBXML(in.ctx)
	if err != nil {
		return err
	}
	_, err = in.Out.Write(b)
	return err
}

func runShow(in *invocation) error {
	var conf, base *cib.Configuration
	var revision uint64
	if rev := in.c.Int("revision"); rev != 0 {
		r, err := in.api.Configuration(in.ctx, uint64(max(0, rev)))
		if err != nil {
			return err
		}
		conf, base, revision = r.Configuration, r.Configuration, r.Revision
	} else {
		s, err := in.looking()
		if err != nil {
			return err
		}
		conf = s.Configuration()
		revision, base = s.Base()
	}
	words := in.args
	xml := len(words) > 0 && words[0] == "xml"
	if xml {
		words = words[1:]
	}
	chosen, err := choose(conf, base, words)
	if err != nil {
		return err
	}
	if !xml && !in.json() {
		text, err := chosen.text(conf)
		in.printf("%s", text)
		return err
	}
	if conf, err = chosen.part(conf); err != nil {
		return err
	}
	if xml {
		return cib.EncodeConfiguration(in.Out, conf)
	}
	return in.writeJSON(api.ConfigurationReply{Schema: api.Schema, Revision: revision, Configuration: conf})
}

// runGetProperty prints the value that counts: the configured one, else the default.
func runGetProperty(in *invocation) error {
	s, err := in.looking()
	if err != nil {
		return err
	}
	name := in.arg(0)
	value, set := s.Configuration().Option(name)
	if !set {
		known, ok := cib.Find(cib.ClusterOptions(), name)
		if !ok {
			e := api.Errorf(api.CodeNotFound, "get_property "+name, "it is not set, and no option is called so")
			if near := cib.Near(name, cib.Names(cib.ClusterOptions())); near != "" {
				e = e.WithHint("did you mean %q?", near)
			}
			return e
		}
		value = known.Default
	}
	in.printf("%s\n", value)
	return nil
}

func runHistory(in *invocation) error {
	n := in.c.Int("number")
	if n == 0 {
		n = api.HistoryDefault
	}
	r, err := in.api.History(in.ctx, n)
	if in.leaderless(err) {
		if last, lerr := in.api.LastHistory(in.ctx, n); lerr == nil && len(last.Commits) > 0 {
			in.lastKnown(err)
			r, err = last, nil
		}
	}
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	in.folding(func(w io.Writer) { writeCommits(w, r.Commits, 3) })
	return nil
}

// writeCommits lists commits, each with the first of its changes.
func writeCommits(w io.Writer, commits []api.Commit, most int) {
	for _, c := range commits {
		fmt.Fprintf(w, "revision %d, %s, by %s: %s\n", c.Revision, moment(c.Time), c.User, orDash(c.Message))
		for i, change := range c.Changes {
			if i == most {
				fmt.Fprintf(w, "    ... and %d more\n", len(c.Changes)-most)
				break
			}
			fmt.Fprintf(w, "    %s\n", change.Text)
		}
	}
}
