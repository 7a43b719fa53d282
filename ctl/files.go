package ctl

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// runSave writes the configuration, or chosen objects, to a file: the last word; "-" is standard output.
func runSave(in *invocation) error {
	words, file := in.args[:len(in.args)-1], in.args[len(in.args)-1]
	s, err := in.looking()
	if err != nil {
		return err
	}
	conf := s.Configuration()
	_, base := s.Base()
	xml := len(words) > 0 && words[0] == "xml"
	if xml {
		words = words[1:]
	}
	chosen, err := choose(conf, base, words)
	if err != nil {
		return err
	}
	var text string
	if xml {
		if conf, err = chosen.part(conf); err != nil {
			return err
		}
		var b bytes.Buffer
		err = cib.EncodeConfiguration(&b, conf)
		text = b.String()
	} else {
		text, err = chosen.text(conf)
	}
	if err != nil {
		return err
	}
	if file == "-" {
		in.printf("%s", text)
		return nil
	}
	return replaceFile(file, []byte(text), 0o600) // it may hold passwords
}

// runFmt rewrites files of the crm language in their tidy form; needs no cluster.
func runFmt(in *invocation) error {
	files := in.args
	if len(files) == 0 {
		files = []string{"-"}
	}
	untidy := false
	for _, file := range files {
		text, err := in.readFile(file)
		if err != nil {
			return err
		}
		conf, err := crm.Parse(string(text))
		if err != nil {
			return mistakes(nameOf(file), err)
		}
		tidy := crm.Print(conf)
		switch {
		case in.c.Bool("check"):
			if tidy != string(text) {
				untidy = true
				in.printf("%s\n", nameOf(file))
			}
		case file == "-":
			in.printf("%s", tidy)
		case tidy != string(text):
			if err := replaceFile(file, []byte(tidy), 0o600); err != nil {
				return err
			}
		}
	}
	if untidy {
		return &exitStatus{exitFailed}
	}
	return nil
}

func nameOf(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// runLint checks files by themselves, without a cluster: what is wrong, and what is doubtful.
func runLint(in *invocation) error {
	files := in.args
	if len(files) == 0 {
		files = []string{"-"}
	}
	type result struct {
		File     string        `json:"file"`
		Problems []api.Problem `json:"problems"`
	}
	results := []result{}
	wrong := false
	for _, file := range files {
		text, err := in.readFile(file)
		if err != nil {
			return err
		}
		r := result{File: nameOf(file), Problems: []api.Problem{}}
		conf, notes, err := readConfiguration(nameOf(file), text)
		if e := (*api.Error)(nil); asAPIError(err, &e) {
			r.Problems = append(r.Problems, e.Problems...)
			if len(e.Problems) == 0 {
				r.Problems = append(r.Problems, api.Problem{Name: "syntax", Severity: api.SeverityError, Object: nameOf(file), What: e.Why})
			}
		} else if err != nil {
			return err
		} else {
			for _, n := range notes {
				r.Problems = append(r.Problems, api.Problem{Name: "note", Severity: api.SeverityWarning, What: n})
			}
			r.Problems = append(r.Problems, check(conf, nil)...)
			if !isXML(text) && crm.Print(conf) != string(text) {
				r.Problems = append(r.Problems, api.Problem{
					Name: "format", Severity: api.SeverityWarning, Object: nameOf(file), What: "it is not in its tidy form",
					Hint: "`paceline configure fmt " + file + "` writes it so",
				})
			}
		}
		wrong = wrong || faulty(r.Problems)
		results = append(results, r)
	}
	if in.json() {
		if err := in.writeJSON(map[string]any{"schema": api.Schema, "files": results}); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			printProblems(in.Out, r.Problems)
		}
	}
	if wrong {
		return &exitStatus{exitFailed}
	}
	return nil
}

// runImport brings a Pacemaker cluster's configuration in, with a report.
func runImport(in *invocation) error {
	file := in.arg(0)
	text, err := in.readFile(file)
	if err != nil {
		return err
	}
	if !isXML(text) {
		return api.Errorf(api.CodeInvalid, "import "+nameOf(file), "it is not XML").
			WithHint("`cibadmin -Q` on the other cluster prints it; a text in the crm language comes in with `paceline configure load`")
	}
	message := in.c.String("message")
	if message == "" {
		message = "import " + nameOf(file)
	}
	told := false
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		conf, notes, err := parseXML(nameOf(file), text)
		if err != nil {
			return nil, nil, err
		}
		next, more, err := applyFile(base, nameOf(file), text, true)
		if err == nil && !told {
			told = true
			out := in.Out
			if in.json() {
				out = in.Err
			}
			importReport(out, conf, len(notes), append(more, in.foreign(conf)...))
		}
		return next, nil, err
	})
}

// foreign lists what of an imported configuration the cluster will not act upon.
func (in *invocation) foreign(conf *cib.Configuration) []string {
	var out []string
	known := cib.ClusterOptions()
	for _, set := range conf.Options {
		for _, p := range set.Pairs {
			if _, ok := cib.Find(known, p.Name); !ok && p.Name != "" {
				out = append(out, "cluster option "+p.Name+" is kept, and means nothing here")
			}
		}
	}
	agents, err := in.api.Agents(in.ctx)
	if err != nil {
		return append(out, "the agents were not compared with those of this node: "+err.Error())
	}
	missing := map[string][]string{}
	var order []string
	for r := range conf.Walk() {
		name := r.Agent.String()
		if name == "" || hasAgent(agents.Agents, name) {
			continue
		}
		if missing[name] == nil {
			order = append(order, name)
		}
		missing[name] = append(missing[name], r.ID)
	}
	for _, name := range order {
		out = append(out, fmt.Sprintf("agent %s (of %s) is not installed on %s", name, strings.Join(missing[name], ", "), agents.Node))
	}
	return out
}

// importReport tells what maps, and what does not.
func importReport(w io.Writer, conf *cib.Configuration, left int, unlike []string) {
	counts := map[string]int{}
	var order []string
	asXML := 0
	for _, o := range crm.Objects(conf) {
		k := keyword(o.Text)
		if strings.HasPrefix(o.Key, "#") {
			continue
		}
		if strings.HasPrefix(uncommented(o.Text), "xml ") {
			asXML++
		}
		if counts[k] == 0 {
			order = append(order, k)
		}
		counts[k]++
	}
	fmt.Fprintln(w, "What comes in:")
	for _, k := range order {
		fmt.Fprintf(w, "  %d %s\n", counts[k], k)
	}
	if asXML > 0 {
		fmt.Fprintf(w, "  (%s kept as XML: the crm language cannot say it)\n", plural(asXML, "object"))
	}
	if len(unlike) == 0 {
		fmt.Fprintln(w, "Everything maps.")
		return
	}
	fmt.Fprintf(w, "What does not map, or not all of it (%d left out):\n", left)
	for _, u := range unlike {
		fmt.Fprintln(w, "  "+u)
	}
}
