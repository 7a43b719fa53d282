package plugin

import (
	"fmt"
	"io"
	"strings"

	"paceline/resources"
)

// Manual writes an agent's manual page, section 7, from its meta-data. An agent's program prints it when called with "manual".
func Manual(w io.Writer, provider string, m *resources.MetaData) {
	name := "ocf_" + provider + "_" + m.Name
	fmt.Fprintf(w, ".TH %s 7 \"\" \"%s %s\" \"OCF resource agents\"\n", strings.ToUpper(roff(name)), roff(m.Name), roff(m.AgentVersion))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(name), roff(m.ShortDesc))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.nf\nprimitive NAME ocf:%s:%s", roff(provider), roff(m.Name))
	for _, p := range m.Parameters {
		if p.Required {
			fmt.Fprintf(w, " %s=...", roff(p.Name))
		}
	}
	fmt.Fprintf(w, "\n.fi\n.SH DESCRIPTION\n%s\n", roff(m.LongDesc))
	if len(m.Parameters) > 0 {
		io.WriteString(w, ".SH PARAMETERS\n")
	}
	for _, p := range m.Parameters {
		fmt.Fprintf(w, ".TP\n.B %s\n", roff(p.Name))
		text := p.LongDesc
		if text == "" {
			text = p.ShortDesc
		}
		var notes []string
		for _, n := range []struct {
			is   bool
			text string
		}{
			{p.Type != "", p.Type}, {p.Required, "required"}, {p.Unique, "unique"}, {p.Reloadable, "reloadable"},
			{p.Default != "", "default " + p.Default}, {len(p.Values) > 0, "one of " + strings.Join(p.Values, ", ")},
		} {
			if n.is {
				notes = append(notes, n.text)
			}
		}
		fmt.Fprintf(w, "%s (%s)\n", roff(text), roff(strings.Join(notes, "; ")))
	}
	io.WriteString(w, ".SH OPERATIONS\nThe time-outs are the agent's advice.\n")
	for _, a := range m.Actions {
		fmt.Fprintf(w, ".TP\n.B %s\ntime-out %v", roff(a.Name), a.Timeout)
		if a.Interval > 0 {
			fmt.Fprintf(w, ", interval %v", a.Interval)
		}
		if a.Role != "" {
			fmt.Fprintf(w, ", role %s", a.Role)
		}
		io.WriteString(w, "\n")
	}
	io.WriteString(w, ".SH SEE ALSO\n.BR paceline (8)\n")
}

// roff makes plain text of what a manual page would take for its own words.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
