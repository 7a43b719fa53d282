package crm

import (
	"encoding/json"
	"fmt"

	"paceline/agent/cib"
)

// Note is something about a text that is no mistake, and that a person should know.
type Note struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

func (n Note) String() string { return fmt.Sprintf("line %d: %s", n.Line, n.Text) }

// Parse reads a text as a whole configuration. An error is of type Errors.
func Parse(text string) (*cib.Configuration, error) {
	c, _, err := read(&cib.Configuration{}, text, false)
	return c, err
}

// Update reads a text onto a configuration: objects of an ID that is there are replaced in their place, others are added, and
// sets of cluster-wide values and attributes of nodes are merged. An object that the text has without a comment keeps the one that it
// had. The base stays as it is. An error is of type Errors, and then nothing is returned.
func Update(base *cib.Configuration, text string) (*cib.Configuration, []Note, error) {
	return read(base, text, true)
}

// Add is Update that refuses an ID that is there already, as a line of an editing session does. A line about a known node adds to
// the node also here.
func Add(base *cib.Configuration, text string) (*cib.Configuration, []Note, error) {
	return read(base, text, false)
}

func read(base *cib.Configuration, text string, update bool) (*cib.Configuration, []Note, error) {
	if len(text) > textMax {
		return nil, nil, Errors{place{1, 1}.errorf("the text is longer than %d bytes", textMax)}
	}
	lines, comment, errs := split(text)
	targets := map[target]place{}
	var statements []*statement
	for _, l := range lines {
		p := &parser{line: l, targets: targets}
		s, err := p.statement()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		statements = append(statements, s)
	}
	if err := errs.sorted(); err != nil {
		return nil, nil, err
	}
	d, err := newDocument(base, update)
	if err != nil {
		return nil, nil, Errors{place{1, 1}.errorf("%s", err)}
	}
	d.targets = targets
	errs = d.run(statements)
	if err := errs.sorted(); err != nil {
		return nil, nil, err
	}
	if comment != "" {
		d.c.Comment = comment
	}
	return d.c, d.notes, nil
}

// copyOf returns a configuration that shares nothing with the given one.
func copyOf(c *cib.Configuration) (*cib.Configuration, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("copy the configuration: %w", err)
	}
	out := &cib.Configuration{}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("copy the configuration: %w", err)
	}
	return out, nil
}
