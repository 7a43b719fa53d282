package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/crm"
	"paceline/ctl/draft"
)

// applyFile makes the configuration that loading a text leads to. The text is XML, JSON or the crm language, whichever it is. The
// notes say what of it is left out or otherwise worth knowing.
func applyFile(base *cib.Configuration, name string, text []byte, replace bool) (*cib.Configuration, []string, error) {
	switch {
	case isXML(text) || isJSON(text):
		conf, notes, err := readConfiguration(name, text)
		if err != nil {
			return nil, nil, err
		}
		next, more := draft.Load(base, conf, replace)
		return next, append(notes, more...), nil
	case replace:
		conf, err := crm.Parse(string(text))
		if err != nil {
			return nil, nil, mistakes(name, err)
		}
		next, notes := draft.Load(base, conf, true)
		return next, notes, nil
	}
	next, notes, err := crm.Update(base, string(text))
	if err != nil {
		return nil, nil, mistakes(name, err)
	}
	return keepMembers(base, next, notes, name)
}

// keepMembers gives a configuration that was made of base the member nodes of base again, and puts all notes into words.
func keepMembers(base, next *cib.Configuration, notes []crm.Note, name string) (*cib.Configuration, []string, error) {
	var lines []string
	for _, n := range notes {
		lines = append(lines, name+": "+n.String())
	}
	out, more := draft.Members(base, next)
	return out, append(lines, more...), nil
}

func isXML(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n\xef\xbb\xbf"), []byte("<"))
}

func isJSON(text []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) }

// parseJSON reads what --json prints: a configuration, by itself or in a reply.
func parseJSON(name string, text []byte) (*cib.Configuration, []string, error) {
	wrong := func(err error) error {
		return api.Errorf(api.CodeInvalid, "read "+name, "%v", err).WithHint("nothing was changed")
	}
	var reply struct {
		Configuration *json.RawMessage `json:"configuration"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, nil, wrong(err)
	}
	if reply.Configuration != nil {
		text = *reply.Configuration
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	conf := &cib.Configuration{}
	if err := d.Decode(conf); err != nil {
		return nil, nil, wrong(err)
	}
	return conf, nil, nil
}

// parseXML reads a CIB, a <configuration> or some of its objects.
func parseXML(name string, text []byte) (*cib.Configuration, []string, error) {
	var conf *cib.Configuration
	state, warnings, err := cib.Decode(bytes.NewReader(text))
	if err == nil {
		conf = &state.Configuration
	} else {
		var ferr error
		conf, warnings, ferr = cib.DecodeObjects(string(text))
		if ferr != nil {
			return nil, nil, api.Errorf(api.CodeInvalid, "read "+name, "%v", err).WithHint("nothing was changed")
		}
	}
	var notes []string
	for _, w := range warnings {
		notes = append(notes, name+": "+w.String())
	}
	return conf, notes, nil
}

// mistakes reports what is wrong with a text, each mistake with its place.
func mistakes(name string, err error) error {
	var list crm.Errors
	if !errors.As(err, &list) || len(list) == 0 {
		return api.Errorf(api.CodeInvalid, "read "+name, "%v", err)
	}
	e := api.Errorf(api.CodeInvalid, "read "+name, "it has %s", plural(len(list), "mistake")).WithHint("nothing was changed")
	for _, m := range list {
		e.Problems = append(e.Problems, api.Problem{
			Name: "syntax", Severity: api.SeverityError, Object: fmt.Sprintf("%s:%d:%d", name, m.Line, m.Column), What: m.Message, Hint: m.Hint,
		})
	}
	return e
}

// printCRM writes a configuration in the crm language.
func printCRM(w io.Writer, c *cib.Configuration) error {
	_, err := io.WriteString(w, crm.Print(c))
	return err
}

// lineOf makes one line of the crm language of the words of a command line: words that the shell kept together stay so.
func lineOf(words []string) string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		name, value, pair := strings.Cut(w, "=")
		switch {
		case !needsQuotes(w):
		case pair && !needsQuotes(name):
			w = name + "=" + quoted(value)
		default:
			w = quoted(w)
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

func needsQuotes(w string) bool { return w == "" || strings.ContainsAny(w, " \t\n\"'\\#") }

func quoted(w string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(w) + `"`
}

// object is a word of the crm language that begins a line.
type object struct{ word, short, example string }

// objects are the lines that 'paceline configure' takes in one go, as an editing session takes them: a known ID is an error.
var objects = []object{
	{"primitive", "add a resource", "paceline configure primitive web systemd:nginx op monitor interval=10s"},
	{"group", "add a group: members run together, in this order", "paceline configure group front vip web"},
	{"clone", "add a clone: a resource on several nodes", "paceline configure clone dns-clone dns meta clone-max=2"},
	{"ms", "add a promotable clone, by its old name", "paceline configure ms db-clone db"},
	{"bundle", "add a bundle of containers", "paceline configure bundle httpd podman image=httpd:2 replicas=2"},
	{"rsc_template", "add a template for resources", "paceline configure rsc_template vm ocf:heartbeat:VirtualDomain"},
	{"location", "add a preference for or against nodes", "paceline configure location web-home web 100: node1"},
	{"colocation", "add a rule on what runs together", "paceline configure colocation web-with-db inf: web db"},
	{"order", "add a rule on what comes first", "paceline configure order db-first Mandatory: db web"},
	{"rsc_ticket", "tie a resource to a ticket", "paceline configure rsc_ticket web-here ticketA: web loss-policy=stop"},
	{"property", "set cluster options", "paceline configure property maintenance-mode=true"},
	{"rsc_defaults", "set defaults of resources", "paceline configure rsc_defaults resource-stickiness=100"},
	{"op_defaults", "set defaults of operations", "paceline configure op_defaults timeout=60s"},
	{"fencing_topology", "set the levels of fencing", "paceline configure fencing_topology node1: ipmi1 pdu1"},
	{"monitor", "add a monitor to a resource", "paceline configure monitor web 10s:30s"},
	{"tag", "name a list of objects", "paceline configure tag shop vip web"},
	{"alert", "keep the alert of another cluster manager (no program is run for it)", "paceline configure alert mail /usr/local/bin/alert to admin@example.com"},
	{"role", "add a role of access control", "paceline configure role reader read cib"},
	{"acl_target", "give roles to a user", "paceline configure acl_target alice reader"},
	{"acl_group", "give roles to a group of users", "paceline configure acl_group admins reader"},
}

// edits are the lines that change what is there.
var edits = []object{
	{"node", "set attributes of a node", "paceline configure node node1 attributes rack=7"},
	{"delete", "delete objects, and what refers to them", "paceline configure delete web"},
	{"rename", "give an object another ID", "paceline configure rename web shop"},
	{"modgroup", "add to a group, or take out of it", "paceline configure modgroup front add files before web"},
	{"erase", "delete all objects; the nodes stay", "paceline configure erase"},
	{"set", "set one value of an object", "paceline configure set web.monitor.interval 20s"},
}

// otherNames are what other shells call some of them.
var otherNames = map[string][]string{"delete": {"rm"}, "ms": {"master"}, "colocation": {"collocation"}}

// objectCommands makes the rows of objects and edits.
func objectCommands() []command {
	var out []command
	add := func(list []object, change func(*cib.Configuration, string) (*cib.Configuration, []crm.Note, error), belongs bool) {
		for _, o := range list {
			out = append(out, command{
				path: "configure " + o.word, aliases: otherNames[o.word], short: o.short, loose: true, complete: languageCandidates(o.word),
				flags: flagsOf(o.word), examples: []string{o.example},
				long: "One line of the crm language, committed by itself.",
				args: []arg{{name: "WORD", kind: argObject, repeat: true, optional: o.word == "erase"}},
				run:  runObject(o.word, change, belongs),
			})
		}
	}
	add(objects, crm.Add, true)
	add(edits, crm.Update, false)
	return out
}

// flagsOf are the flags of a line. What is deleted runs more often than not, and crmsh calls the word for it --force there.
func flagsOf(word string) []flag {
	if word != "delete" {
		return writes
	}
	out := slices.Clone(writes)
	for i := range out {
		if out[i].name == flagYes.name {
			out[i].others = []string{"force"}
			out[i].usage += "; --force is taken for it"
		}
	}
	return out
}

// runObject takes one line of the language. In a script the comment before the line belongs to its object, if it has one.
func runObject(word string, change func(*cib.Configuration, string) (*cib.Configuration, []crm.Note, error), commented bool) func(*invocation) error {
	return func(in *invocation) error {
		line := lineOf(append([]string{word}, in.args...))
		above := 0
		if commented && len(in.comment) > 0 {
			line, above = strings.Join(in.comment, "\n")+"\n"+line, len(in.comment)
		}
		message := in.c.String("message")
		if message == "" {
			message = "configure " + word + " " + in.arg(0) // not the whole line: a parameter may be a secret
			switch word {
			case "delete", "rename", "modgroup": // which has none
				message = "configure " + word + " " + strings.Join(firstFew(in.args), " ")
			}
		}
		return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
			next, notes, err := change(base, line)
			if err != nil {
				var list crm.Errors
				if errors.As(err, &list) {
					for _, e := range list {
						e.Line -= above
					}
				}
				return nil, nil, mistakes("the command line", err)
			}
			return keepMembers(base, next, notes, "the command line")
		})
	}
}
