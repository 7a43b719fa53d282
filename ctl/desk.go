package ctl

import "paceline/ctl/draft"

// desk is what a run of the shell keeps from one command to the next. A command that is run by itself has none.
type desk struct {
	level   string         // where the person is; "" is the root
	session *draft.Session // what is being edited in the configure level; nil before the first edit
}

// editing returns the session that a command of the configure level works on, or nil if the command stands alone and commits
// by itself. The session is opened by the first command that asks.
func (in *invocation) editing() (*draft.Session, error) {
	if in.desk == nil || in.desk.level != "configure" {
		return nil, nil
	}
	if in.desk.session == nil {
		base, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return nil, err
		}
		in.desk.session = draft.New(base.Revision, base.Configuration)
	}
	return in.desk.session, nil
}

// uncommitted says whether the desk holds edits that the cluster has not heard of.
func (d *desk) uncommitted() bool { return d != nil && d.session != nil && d.session.Changed() }
