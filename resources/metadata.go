package resources

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MetaData is what an agent says about itself: OCF meta-data of API 1.0 or 1.1, parsed. Validation, completion, help and
// the native agents' own XML are made from it.
type MetaData struct {
	Name         string      `json:"name"`
	OCFVersion   string      `json:"ocf_version,omitempty"`   // of the agent API it speaks: "1.0" or "1.1"
	AgentVersion string      `json:"agent_version,omitempty"` // of the agent itself
	ShortDesc    string      `json:"shortdesc,omitempty"`
	LongDesc     string      `json:"longdesc,omitempty"`
	Parameters   []Parameter `json:"parameters,omitempty"` // in the agent's order
	Actions      []Action    `json:"actions,omitempty"`    // in the agent's order; several monitors are usual
}

// Parameter is one instance attribute that an agent takes.
type Parameter struct {
	Name       string   `json:"name"`
	Type       string   `json:"type,omitempty"` // string, integer, boolean, time, select, ...; empty is string
	Default    string   `json:"default,omitempty"`
	Required   bool     `json:"required,omitempty"`
	Unique     bool     `json:"unique,omitempty"`     // no two resources of one agent may have the same value
	Group      string   `json:"group,omitempty"`      // OCF 1.1 unique-group: the values together are unique
	Reloadable bool     `json:"reloadable,omitempty"` // a change needs reload-agent, not a restart
	Values     []string `json:"values,omitempty"`     // what a select allows
	Deprecated bool     `json:"deprecated,omitempty"`
	ReplacedBy string   `json:"replaced_by,omitempty"`
	ShortDesc  string   `json:"shortdesc,omitempty"`
	LongDesc   string   `json:"longdesc,omitempty"`
}

// Action is one operation that an agent offers, with the values its author advises.
type Action struct {
	Name     string        `json:"name"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Interval time.Duration `json:"interval,omitempty"`
	Delay    time.Duration `json:"delay,omitempty"`
	Depth    int           `json:"depth,omitempty"` // OCF_CHECK_LEVEL of a monitor
	Role     string        `json:"role,omitempty"`  // Promoted or Unpromoted, in the words of OCF 1.1
}

// Parameter finds a parameter by name.
func (m *MetaData) Parameter(name string) (Parameter, bool) {
	for _, p := range m.Parameters {
		if p.Name == name {
			return p, true
		}
	}
	return Parameter{}, false
}

// Action finds the first action of that name.
func (m *MetaData) Action(name string) (Action, bool) {
	for _, a := range m.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}

// Reloading says how a running resource is told about changed parameters without a restart: by which operation (Reload or
// ReloadAgent; empty: not at all), and which parameters need a restart all the same, sorted. Agents of API 1.1 have
// reload-agent and mark what it takes over as reloadable; older ones have reload, and every parameter that is unique needs
// a restart. One of these without any unique parameter does not say what it cannot reload: it is not asked.
func (m *MetaData) Reloading() (operation string, restart []string) {
	if _, ok := m.Action(ReloadAgent); ok {
		operation = ReloadAgent
	} else if _, ok := m.Action(Reload); ok && strings.HasPrefix(m.OCFVersion, "1.0") {
		operation = Reload
	}
	reloadable := false
	for _, p := range m.Parameters {
		switch {
		case operation == ReloadAgent && !p.Reloadable, operation == Reload && p.Unique:
			restart = append(restart, p.Name)
		default:
			reloadable = true
		}
	}
	if !reloadable || operation == Reload && len(restart) == 0 {
		return "", nil
	}
	slices.Sort(restart)
	return operation, restart
}

// The XML form. Attributes are strings, since agents write "1", "true", "yes" and nonsense.
type xmlAgent struct {
	XMLName    xml.Name       `xml:"resource-agent"`
	Name       string         `xml:"name,attr"`
	VersionA   string         `xml:"version,attr"`
	Version    string         `xml:"version"`
	LongDesc   []xmlDesc      `xml:"longdesc"`
	ShortDesc  []xmlDesc      `xml:"shortdesc"`
	Parameters []xmlParameter `xml:"parameters>parameter"`
	Actions    []xmlAction    `xml:"actions>action"`
}

type xmlDesc struct {
	Lang string `xml:"lang,attr"`
	Text string `xml:",chardata"`
}

type xmlParameter struct {
	Name        string    `xml:"name,attr"`
	Unique      string    `xml:"unique,attr"`
	UniqueGroup string    `xml:"unique-group,attr"`
	Required    string    `xml:"required,attr"`
	Reloadable  string    `xml:"reloadable,attr"`
	LongDesc    []xmlDesc `xml:"longdesc"`
	ShortDesc   []xmlDesc `xml:"shortdesc"`
	Deprecated  *struct {
		ReplacedWith []struct {
			Name string `xml:"name,attr"`
		} `xml:"replaced-with"`
	} `xml:"deprecated"`
	Content struct {
		Type    string `xml:"type,attr"`
		Default string `xml:"default,attr"`
		Options []struct {
			Value string `xml:"value,attr"`
		} `xml:"option"`
	} `xml:"content"`
}

type xmlAction struct {
	Name     string `xml:"name,attr"`
	Timeout  string `xml:"timeout,attr"`
	Interval string `xml:"interval,attr"`
	Delay    string `xml:"start-delay,attr"`
	Depth    string `xml:"depth,attr"`
	Role     string `xml:"role,attr"`
}

// ParseMetaData reads an agent's meta-data XML. It takes what the agents in the field print (OCF 1.0 and 1.1, foreign
// encodings, a text before the XML, durations with and without units) and refuses what is longer than MetaDataMax or is
// no resource-agent document.
func ParseMetaData(b []byte) (*MetaData, error) {
	if len(b) > MetaDataMax {
		return nil, fmt.Errorf("meta-data of %d bytes: the limit is %d", len(b), MetaDataMax)
	}
	// Some agents print a warning first. The document begins at the first '<'.
	if i := bytes.IndexByte(b, '<'); i > 0 {
		b = b[i:]
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errors.New("meta-data is empty")
	}
	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.Strict = false
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var x xmlAgent
	if err := dec.Decode(&x); err != nil {
		return nil, fmt.Errorf("parse meta-data: %w", err)
	}
	if len(x.Parameters) > ParametersMax || len(x.Actions) > ParametersMax {
		return nil, fmt.Errorf("meta-data lists %d parameters and %d actions: the limit is %d",
			len(x.Parameters), len(x.Actions), ParametersMax)
	}
	return x.metaData()
}

func (x *xmlAgent) metaData() (*MetaData, error) {
	m := &MetaData{
		Name:         strings.TrimSpace(x.Name),
		OCFVersion:   strings.TrimSpace(x.Version),
		AgentVersion: strings.TrimSpace(x.VersionA),
		ShortDesc:    pickDesc(x.ShortDesc),
		LongDesc:     pickDesc(x.LongDesc),
	}
	if m.Name == "" {
		return nil, errors.New("meta-data names no agent")
	}
	if m.OCFVersion == "" { // OCF 1.0 had the API version nowhere; the attribute is then all there is
		m.OCFVersion = "1.0"
	}
	for _, p := range x.Parameters {
		q := Parameter{
			Name:       strings.TrimSpace(p.Name),
			Type:       strings.ToLower(strings.TrimSpace(p.Content.Type)),
			Default:    p.Content.Default,
			Required:   truthy(p.Required),
			Unique:     truthy(p.Unique),
			Group:      p.UniqueGroup,
			Reloadable: truthy(p.Reloadable),
			Deprecated: p.Deprecated != nil,
			ShortDesc:  pickDesc(p.ShortDesc),
			LongDesc:   pickDesc(p.LongDesc),
		}
		if q.Name == "" {
			return nil, fmt.Errorf("meta-data of %s has a parameter without a name", m.Name)
		}
		for _, o := range p.Content.Options {
			q.Values = append(q.Values, o.Value)
		}
		if p.Deprecated != nil && len(p.Deprecated.ReplacedWith) > 0 {
			q.ReplacedBy = p.Deprecated.ReplacedWith[0].Name
		}
		m.Parameters = append(m.Parameters, q)
	}
	for _, a := range x.Actions {
		depth, _ := strconv.Atoi(strings.TrimSpace(a.Depth)) // advice only: nonsense counts as 0
		m.Actions = append(m.Actions, Action{
			Name:     strings.TrimSpace(a.Name),
			Timeout:  adviceDuration(a.Timeout),
			Interval: adviceDuration(a.Interval),
			Delay:    adviceDuration(a.Delay),
			Depth:    depth,
			Role:     modernRole(a.Role),
		})
	}
	return m, nil
}

// pickDesc takes the English text, or the first.
func pickDesc(ds []xmlDesc) string {
	for _, d := range ds {
		if d.Lang == "" || strings.HasPrefix(d.Lang, "en") {
			return strings.TrimSpace(d.Text)
		}
	}
	if len(ds) > 0 {
		return strings.TrimSpace(ds[0].Text)
	}
	return ""
}

func modernRole(s string) string {
	switch strings.ToLower(s) {
	case "master", "promoted":
		return "Promoted"
	case "slave", "unpromoted":
		return "Unpromoted"
	}
	return s
}

func truthy(s string) bool {
	v, err := ParseBool(strings.TrimSpace(s))
	return err == nil && v
}

// adviceDuration reads a duration that is only advice: what cannot be read counts as none.
func adviceDuration(s string) time.Duration {
	if strings.TrimSpace(s) == "" {
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}

// XML prints the meta-data as an OCF document that hosts of API 1.0 and 1.1 take: a select is printed as a string, for the
// document type that checkers know has no such type, and its description says what it may be.
func (m *MetaData) XML() []byte {
	var b bytes.Buffer
	esc := func(s string) string {
		var e bytes.Buffer
		_ = xml.EscapeText(&e, []byte(s)) // a bytes.Buffer takes every write
		return e.String()
	}
	flag := func(v bool) string {
		if v {
			return "1"
		}
		return "0"
	}
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n")
	fmt.Fprintf(&b, "<resource-agent name=\"%s\" version=\"%s\">\n", esc(m.Name), esc(m.AgentVersion))
	fmt.Fprintf(&b, "<version>1.1</version>\n<longdesc lang=\"en\">\n%s\n</longdesc>\n<shortdesc lang=\"en\">%s</shortdesc>\n",
		esc(m.LongDesc), esc(m.ShortDesc))
	b.WriteString("<parameters>\n")
	for _, p := range m.Parameters {
		fmt.Fprintf(&b, "<parameter name=\"%s\" unique=\"%s\" required=\"%s\"", esc(p.Name), flag(p.Unique), flag(p.Required))
		if p.Group != "" {
			fmt.Fprintf(&b, " unique-group=\"%s\"", esc(p.Group))
		}
		if p.Reloadable {
			b.WriteString(` reloadable="1"`)
		}
		long := p.LongDesc
		if long == "" {
			long = p.ShortDesc
		}
		fmt.Fprintf(&b, ">\n<longdesc lang=\"en\">\n%s\n</longdesc>\n<shortdesc lang=\"en\">%s</shortdesc>\n", esc(long), esc(p.ShortDesc))
		if p.Deprecated {
			b.WriteString("<deprecated>")
			if p.ReplacedBy != "" {
				fmt.Fprintf(&b, "<replaced-with name=\"%s\"/>", esc(p.ReplacedBy))
			}
			b.WriteString("</deprecated>\n")
		}
		kind := p.Type
		if kind == "" || kind == "select" {
			kind = "string"
		}
		fmt.Fprintf(&b, "<content type=\"%s\"", esc(kind))
		if p.Default != "" {
			fmt.Fprintf(&b, " default=\"%s\"", esc(p.Default))
		}
		b.WriteString("/>\n")
		b.WriteString("</parameter>\n")
	}
	b.WriteString("</parameters>\n<actions>\n")
	for _, a := range m.Actions {
		fmt.Fprintf(&b, "<action name=\"%s\" timeout=\"%s\"", esc(a.Name), formatSeconds(a.Timeout))
		if a.Interval > 0 {
			fmt.Fprintf(&b, " interval=\"%s\"", formatSeconds(a.Interval))
		}
		if a.Name == Monitor {
			fmt.Fprintf(&b, " depth=\"%d\"", a.Depth)
		}
		if a.Role != "" {
			fmt.Fprintf(&b, " role=\"%s\"", esc(a.Role))
		}
		b.WriteString("/>\n")
	}
	b.WriteString("</actions>\n</resource-agent>\n")
	return b.Bytes()
}

func formatSeconds(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}
