package draft

import (
	"fmt"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// Session is one person's editing of a configuration. Configurations that it returns are shared and must not be changed. It is
// not for concurrent use.
type Session struct {
	revision   uint64
	base, work *cib.Configuration
	past       []*cib.Configuration // work before each step, the latest last
}

// New starts a session from the configuration as committed at a revision.
func New(revision uint64, base *cib.Configuration) *Session {
	return &Session{revision: revision, base: base, work: base}
}

// Base returns what the session started from, or was brought up to date with.
func (s *Session) Base() (revision uint64, c *cib.Configuration) { return s.revision, s.base }

// Configuration returns the configuration as edited.
func (s *Session) Configuration() *cib.Configuration { return s.work }

// Changed reports whether there is something to commit.
func (s *Session) Changed() bool { return len(s.Differences()) > 0 }

// Differences lists what a commit would change, in words for people.
func (s *Session) Differences() []cib.Difference { return cib.Diff(s.base, s.work) }

// Objects lists the objects that a commit would change, with their text before and after.
func (s *Session) Objects() []ObjectChange { return Compare(s.base, s.work) }

// Add takes lines of the crm language: new objects, lines about nodes, and the commands delete, rename, modgroup, set and erase.
// An ID that is there already is an error. Errors are of type crm.Errors; then nothing has changed. The notes are for people.
func (s *Session) Add(text string) ([]string, error) { return s.take(text, crm.Add) }

// Update is Add that replaces objects whose ID is there already.
func (s *Session) Update(text string) ([]string, error) { return s.take(text, crm.Update) }

func (s *Session) take(text string, read func(*cib.Configuration, string) (*cib.Configuration, []crm.Note, error)) ([]string, error) {
	next, said, err := read(s.work, text)
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, n := range said {
		notes = append(notes, n.String())
	}
	return append(notes, s.Set(next)...), nil
}

// Set makes the configuration as edited the given one, save that member nodes stay, as one step.
func (s *Session) Set(next *cib.Configuration) (notes []string) {
	next, notes = Members(s.work, next)
	s.step(next)
	return notes
}

// Load brings in a configuration read from a file, as one step: exactly that one with replace, else what it has is added and takes
// the place of objects of the same ID.
func (s *Session) Load(file *cib.Configuration, replace bool) (notes []string) {
	next, notes := Load(s.work, file, replace)
	s.step(next)
	return notes
}

func (s *Session) step(next *cib.Configuration) {
	if len(cib.Diff(s.work, next)) == 0 {
		return
	}
	if s.past = append(s.past, s.work); len(s.past) > undoMax {
		s.past = s.past[len(s.past)-undoMax:]
	}
	s.work = next
}

// Undo takes the last n steps back. Fewer steps than that are an error, and nothing is taken back.
func (s *Session) Undo(n int) error {
	if n < 1 {
		return fmt.Errorf("undo %d: the number of steps is 1 or more", n)
	}
	if n > len(s.past) {
		return fmt.Errorf("undo %d: only %d can be taken back", n, len(s.past))
	}
	s.work = s.past[len(s.past)-n]
	s.past = s.past[:len(s.past)-n]
	return nil
}

// Steps returns how many steps Undo can take back.
func (s *Session) Steps() int { return len(s.past) }

// Drop forgets all edits.
func (s *Session) Drop() { s.work, s.past = s.base, nil }

// Rebase brings the session up to date with a later commit: the edits are merged into it. If both sides have touched the same
// thing the conflicts are returned, and the session stays as it was.
func (s *Session) Rebase(revision uint64, c *cib.Configuration) []Conflict {
	work, conflicts := Merge(s.base, s.work, c)
	if len(conflicts) > 0 {
		return conflicts
	}
	s.committed(revision, c, work)
	return nil
}

// Committed tells the session that its configuration is what the cluster has now.
func (s *Session) Committed(revision uint64, c *cib.Configuration) { s.committed(revision, c, c) }

func (s *Session) committed(revision uint64, base, work *cib.Configuration) {
	s.revision, s.base, s.work = revision, base, work
	s.past = nil // they are of another base: going back to them would undo other people's commits
}

// Saved is a session at rest.
type Saved struct {
	Revision uint64             `json:"revision"`
	Base     *cib.Configuration `json:"base"`
	Work     *cib.Configuration `json:"work"`
	// Past are the last steps, for Undo; whoever keeps the session may leave them out.
	Past []*cib.Configuration `json:"past,omitempty"`
}

// Save returns the session, with at most savedSteps of the steps that undo takes back.
func (s *Session) Save() Saved {
	return Saved{s.revision, s.base, s.work, s.past[max(0, len(s.past)-savedSteps):]}
}

// Restore takes a saved session up again.
func Restore(s Saved) *Session {
	if s.Base == nil {
		s.Base = &cib.Configuration{}
	}
	if s.Work == nil {
		s.Work = s.Base
	}
	return &Session{revision: s.Revision, base: s.Base, work: s.Work, past: s.Past}
}
