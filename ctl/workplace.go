package ctl

import (
	"errors"
	"fmt"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// Commands of the configure level work on one of three things: the editing session of the shell, a shadow copy, or, with
// neither, the cluster, where each change is a commit.

var flagShadow = flag{name: "shadow", kind: flagText, usage: "work on the shadow copy `NAME`, not on the cluster"}

// liveCopy is what the cluster itself is called where a shadow copy could be named.
const liveCopy = "live"

// shadow returns the name of the shadow copy that is worked on, or "".
func (in *invocation) shadow() string {
	if name := in.c.String("shadow"); name != "" {
		return name
	}
	return in.shadowInUse()
}

// shadowInUse returns the name of the shadow copy that the environment or 'cib use' has chosen, or "".
func (s Streams) shadowInUse() string {
	if s.chosen == liveCopy {
		return ""
	}
	if s.chosen != "" {
		return s.chosen
	}
	if name := s.Getenv("PACELINE_SHADOW"); name != "" {
		return name
	}
	d, err := s.shadows()
	if err != nil {
		return ""
	}
	return d.used()
}

// session returns what the command works on as an editing session: that of the shell, that of a shadow copy, or a fresh one of the
// cluster's configuration. keep stores what was changed in it, where that is not the cluster: commit says that it is.
func (in *invocation) session() (s *draft.Session, keep func() error, commit bool, err error) {
	if name := in.shadow(); name != "" {
		d, err := in.shadows()
		if err != nil {
			return nil, nil, false, err
		}
		saved, err := d.read(name)
		if e := (*api.Error)(nil); errors.As(err, &e) && e.Code == api.CodeNotFound {
			return nil, nil, false, e.WithHint("`paceline cib list` lists them, `paceline cib use live` goes back to the cluster")
		}
		if err != nil {
			return nil, nil, false, err
		}
		if in.c.String("shadow") == "" {
			fmt.Fprintf(in.Err, "note: this is the shadow copy %s, not the cluster; `paceline cib use live` goes back\n", name)
		}
		s := draft.Restore(saved.Saved)
		return s, func() error { return d.write(name, s, time.Now()) }, false, nil
	}
	if s, err = in.editing(); err != nil || s != nil {
		return s, func() error { return nil }, false, err
	}
	base, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return nil, nil, false, err
	}
	return draft.New(base.Revision, base.Configuration), nil, true, nil
}

// looking returns what the configuration is, for commands that only look. Without a coordinator it is what this node last knew, with a
// word about it.
func (in *invocation) looking() (*draft.Session, error) {
	s, _, _, err := in.session()
	if !in.leaderless(err) {
		return s, err
	}
	last, lerr := in.api.LastConfiguration(in.ctx)
	if lerr != nil || last.Revision == 0 {
		return nil, err // nothing is kept here
	}
	in.lastKnown(err)
	return draft.New(last.Revision, last.Configuration), nil
}

// leaderless says whether a command failed because there is no coordinator.
func (in *invocation) leaderless(err error) bool {
	e := (*api.Error)(nil)
	return errors.As(err, &e) && e.Code == api.CodeNoCoordinator
}

// lastKnown warns that what follows is old knowledge.
func (in *invocation) lastKnown(err error) {
	e := (*api.Error)(nil)
	if errors.As(err, &e) {
		fmt.Fprintf(in.Err, "warning: this is what this node last knew: %s\n", e.Why)
	}
}

// reconfigure replaces the configuration by what make makes of the current one: in the shell as one step of its session, in a shadow
// copy at once, else as one commit. If somebody else commits in between, it is made anew of what is current then.
func (in *invocation) reconfigure(message string, make func(base *cib.Configuration) (*cib.Configuration, []string, error)) error {
	for try := 1; ; try++ {
		s, keep, commit, err := in.session()
		if err != nil {
			return err
		}
		next, notes, err := make(s.Configuration())
		if err != nil {
			return err
		}
		if !commit && !in.c.Bool("dry-run") {
			for _, n := range append(notes, s.Set(next)...) {
				fmt.Fprintln(in.Err, "note: "+n)
			}
			return keep()
		}
		s.Set(next)
		err = in.commit(s, message, notes)
		var e *api.Error
		if errors.As(err, &e) && e.Code == api.CodeConflict && commit && try < commitTries {
			continue
		}
		return err
	}
}

// commit sends a session's configuration, if nobody else has committed since its base.
func (in *invocation) commit(s *draft.Session, message string, notes []string) error {
	revision, _ := s.Base()
	if err := in.knownAgents(s); err != nil {
		e := (*api.Error)(nil)
		if !in.c.Bool("dry-run") || !errors.As(err, &e) {
			return err
		}
		notes = append(notes, e.Why+"; --"+flagUnknownAgent.name+" will be needed")
	}
	doubts := in.doubts(s)
	return in.confirmed(func(yes bool) error {
		r, err := in.api.Change(in.ctx, api.ChangeRequest{
			Configuration: s.Configuration(), BaseRevision: revision, Message: message, DryRun: in.c.Bool("dry-run"), Yes: yes,
			Wait: api.Duration(in.c.Duration("wait")),
		})
		if err != nil {
			return err
		}
		if !r.DryRun {
			s.Committed(r.ConfigRevision, s.Configuration())
		}
		r.Notes = append(notes, r.Notes...)
		r.Problems = append(r.Problems, doubts...)
		return in.changed(r, "committed")
	})
}
