package crm

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

// A text is read into statements, one for each line, before any of them takes effect: so the order of the lines of a load is
// free.

// statement is one object line or command.
type statement struct {
	place
	chosen []word                 // IDs that the line gives to bookkeeping elements
	apply  func(*document) *Error // for commands and for lines that add to an object of another line
	add    *addition              // for object lines
}

// addition is what an object line adds. One of its fields is set.
type addition struct {
	resource   *cib.Resource
	children   []word // members of the resource
	constraint *cib.Constraint
	refs       []word // resources that the constraint names
	node       *cib.Node
	set        *cib.NVSet // of section
	section    string     // property, rsc_defaults or op_defaults
	levels     []cib.FencingLevel
	everywhere [][]string // devices of levels of all known nodes
	tag        *cib.Tag
	role       *cib.ACLRole
	target     *cib.ACLTarget // a user, or a group
	group      bool
	roles      []word
	alert      *cib.Alert
	xml        *cib.Configuration
	id         word // of the object
	comment    string
}

// parser reads one line.
type parser struct {
	line
	at      int
	targets map[target]place // references to sets, pairs, rules and operations, with their place
	chosen  []word           // IDs that the line gives to sets, pairs, rules and operations
}

// target is what an id-ref names.
type target struct {
	kind string // set, pair, rule, operations
	id   string
}

func (p *parser) more() bool { return p.at < len(p.words) }

// peek returns the next word; behind the last one it is empty and stands at the end.
func (p *parser) peek() word {
	if p.more() {
		return p.words[p.at]
	}
	return word{place: p.end}
}

func (p *parser) next() word {
	w := p.peek()
	if p.more() {
		p.at++
	}
	return w
}

// accept takes the next word if it is that keyword.
func (p *parser) accept(keyword string) bool {
	if p.more() && p.peek().is(keyword) {
		p.at++
		return true
	}
	return false
}

// expected is an error about the next word, or about the end of the line.
func (p *parser) expected(what string) *Error {
	if !p.more() {
		return p.end.errorf("%s is expected, and the line ends", what)
	}
	return p.peek().errorf("%s is expected, not %q", what, p.peek().text)
}

// done refuses words that are left over.
func (p *parser) done() *Error {
	if p.more() {
		return p.peek().errorf("the line should end here, not go on with %q", p.peek().text)
	}
	return nil
}

// id takes the next word as an ID.
func (p *parser) id(what string) (word, *Error) {
	if !p.more() {
		return word{}, p.expected(what)
	}
	w := p.next()
	if !cib.ValidID(w.text) {
		return w, w.errorf("%s is expected, and %q cannot be one: it starts with a letter or '_', and holds letters, digits, '.', '-' and '_'", what, w.text)
	}
	return w, nil
}

// description takes description=TEXT if it comes next.
func (p *parser) description(to *string) {
	if name, value, ok := strings.Cut(p.peek().text, "="); ok && strings.EqualFold(name, "description") {
		*to = value
		p.at++
	}
}

// option takes NAME=VALUE, NAME being one of those, with or without a leading '$'. It returns the name, or "".
func (p *parser) option(names ...string) (name, value string, at word) {
	at = p.peek()
	key, value, found := strings.Cut(at.text, "=")
	if !found || !p.more() {
		return "", "", at
	}
	for _, n := range names {
		if strings.EqualFold(strings.TrimPrefix(key, "$"), n) {
			p.at++
			return n, value, at
		}
	}
	return "", "", at
}

type reader func(*parser) (*addition, *Error)

// objects are the kinds of object lines, by keyword.
func objects() map[string]reader {
	return map[string]reader{
		"node": (*parser).node, "primitive": (*parser).primitive, "rsc_template": (*parser).template, "group": (*parser).group,
		"clone": (*parser).clone, "ms": (*parser).master, "master": (*parser).master, "bundle": (*parser).bundle,
		"location": (*parser).location, "colocation": (*parser).colocation, "collocation": (*parser).colocation,
		"order": (*parser).order, "rsc_ticket": (*parser).ticket, "property": (*parser).property,
		"rsc_defaults": (*parser).rscDefaults, "op_defaults": (*parser).opDefaults,
		"fencing_topology": (*parser).fencing, "fencing-topology": (*parser).fencing, "role": (*parser).role,
		"acl_target": (*parser).aclTarget, "acl_group": (*parser).aclGroup, "tag": (*parser).tag, "alert": (*parser).alert,
		"xml": (*parser).xml,
	}
}

// commands are the lines that change what is there, by keyword.
func commands() map[string]func(*parser) (func(*document) *Error, *Error) {
	return map[string]func(*parser) (func(*document) *Error, *Error){
		"delete": (*parser).deletion, "rm": (*parser).deletion, "rename": (*parser).renaming, "modgroup": (*parser).regrouping,
		"set": (*parser).setting, "erase": (*parser).erasing,
	}
}

// statement reads the line.
func (p *parser) statement() (*statement, *Error) {
	first := p.next()
	keyword := strings.ToLower(first.text)
	s := &statement{place: first.place}
	var err *Error
	if keyword == "monitor" {
		s.add = &addition{}
		s.apply, err = p.monitor()
		return s, err
	}
	if read, known := objects()[keyword]; known {
		s.add, err = read(p)
	} else if read, known := commands()[keyword]; known {
		s.apply, err = read(p)
	} else {
		return nil, first.unknown(keyword, keywords(), "%q is no kind of object and no command", first.text)
	}
	if err == nil {
		err = p.done()
	}
	s.chosen = p.chosen
	if s.add != nil {
		s.add.comment = p.comment
	}
	return s, err
}

func keywords() []string {
	list := []string{"monitor"}
	for k := range objects() {
		list = append(list, k)
	}
	for k := range commands() {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
