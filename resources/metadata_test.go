package resources

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

const ocf10 = `some agents warn first
<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Old">
<version>1.0</version>
<longdesc lang="de">Alt</longdesc><longdesc lang="en">
Old one
</longdesc>
<shortdesc lang="en">Old &nbsp; agent</shortdesc>
<parameters>
<parameter name="state" unique="1" required="0"><shortdesc lang="en">State file</shortdesc><content type="string" default="/x" /></parameter>
<parameter name="count" required="true"><content type="Integer"/></parameter>
</parameters>
<actions>
<action name="start" timeout="20" /><action name="monitor" timeout="20s" interval="10" depth="0"/>
<action name="monitor" timeout="nonsense" interval="1min" depth="10" role="Master"/>
</actions>
</resource-agent>`

const ocf11 = `<?xml version="1.0"?><resource-agent name="New" version="3.2"><version>1.1</version>
<parameters><parameter name="mode" unique-group="a" reloadable="1" required="1"><content type="select" default="b"><option value="a"/><option value="b"/></content></parameter>
<parameter name="old"><deprecated><replaced-with name="mode"/></deprecated><content type="boolean"/></parameter></parameters>
<actions><action name="monitor" timeout="500ms" interval="10s" role="Unpromoted" start-delay="1s"/></actions></resource-agent>`

func TestParseMetaData(t *testing.T) {
	m, err := ParseMetaData([]byte(ocf10))
	want := &MetaData{
		Name: "Old", OCFVersion: "1.0", LongDesc: "Old one", ShortDesc: "Old &nbsp; agent",
		Parameters: []Parameter{
			{Name: "state", Type: "string", Default: "/x", Unique: true, ShortDesc: "State file"},
			{Name: "count", Type: "integer", Required: true},
		},
		Actions: []Action{
			{Name: "start", Timeout: 20 * time.Second},
			{Name: "monitor", Timeout: 20 * time.Second, Interval: 10 * time.Second},
			{Name: "monitor", Interval: time.Minute, Depth: 10, Role: "Promoted"},
		},
	}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v, %v\nwant %+v", m, err, want)
	}
	m, err = ParseMetaData([]byte(ocf11))
	want = &MetaData{
		Name: "New", OCFVersion: "1.1", AgentVersion: "3.2",
		Parameters: []Parameter{
			{Name: "mode", Type: "select", Default: "b", Required: true, Group: "a", Reloadable: true, Values: []string{"a", "b"}},
			{Name: "old", Type: "boolean", Deprecated: true, ReplacedBy: "mode"},
		},
		Actions: []Action{{Name: "monitor", Timeout: 500 * time.Millisecond, Interval: 10 * time.Second, Delay: time.Second, Role: "Unpromoted"}},
	}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v, %v\nwant %+v", m, err, want)
	}
	for in, why := range map[string]string{
		"":                      "meta-data is empty",
		"no xml at all":         "parse meta-data: EOF",
		"<html><body></html>":   "parse meta-data: ",
		"<resource-agent/>":     "meta-data names no agent",
		"<resource-agent name=": "parse meta-data: ",
		"<resource-agent name='x'><parameters><parameter/></parameters></resource-agent>":                                          "meta-data of x has a parameter without a name",
		strings.Repeat(" ", MetaDataMax+1):                                                                                         "meta-data of 1048577 bytes: the limit is 1048576",
		"<resource-agent name='x'><parameters>" + strings.Repeat("<parameter name='a'/>", 1001) + "</parameters></resource-agent>": "meta-data lists 1001 parameters",
		strings.Repeat("<a>", 100000):                                                                                              "parse meta-data: ",
	} {
		if m, err := ParseMetaData([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), why) {
			t.Errorf("%.40q: got %+v, %v; want %s", in, m, err, why)
		}
	}
}

func TestXMLSurvives(t *testing.T) {
	for _, in := range []string{ocf10, ocf11} {
		m, err := ParseMetaData([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		m.LongDesc = `a "quoted" <text> & more \ ünïcode`
		again, err := ParseMetaData(m.XML())
		if err != nil || again.LongDesc != m.LongDesc || len(again.Parameters) != len(m.Parameters) || !bytes.Equal(again.XML(), m.XML()) {
			t.Errorf("got %+v, %v\nof %s", again, err, m.XML())
		}
	}
}

func FuzzParseMetaData(f *testing.F) {
	f.Add([]byte(ocf10))
	f.Add([]byte(ocf11))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetaData(b)
		if err == nil {
			if _, err := ParseMetaData(m.XML()); err != nil {
				t.Errorf("cannot read its own XML: %v\n%s", err, m.XML())
			}
		}
	})
}

func TestCheck(t *testing.T) {
	m, err := ParseMetaData([]byte(ocf11))
	if err != nil {
		t.Fatal(err)
	}
	m.Parameters = append(m.Parameters, Parameter{Name: "wait", Type: "time"}, Parameter{Name: "count", Type: "integer"})
	for _, c := range []struct {
		params map[string]string
		want   []string
	}{
		{map[string]string{"mode": "a"}, nil},
		{nil, []string{"parameter mode: is required and not set"}},
		{map[string]string{"mode": "c", "count": "x", "wait": "10 parsecs"}, []string{
			`parameter mode: "c" is not one of a, b`,
			`parameter wait: "10 parsecs" is not an amount of time: unknown unit "parsecs"`,
			`parameter count: "x" is not a whole number`,
		}},
		{map[string]string{"old": "yes"}, []string{"parameter old: is deprecated (use mode)"}},
		{map[string]string{"mode": "a", "coutn": "1", "zzzzzzz": "1", "OCF_CHECK_LEVEL": "10"}, []string{
			"parameter coutn: is not a parameter of New (did you mean count?)", "parameter zzzzzzz: is not a parameter of New",
		}},
	} {
		var got []string
		for _, p := range m.Check(c.params) {
			got = append(got, p.String())
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.params, got, c.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"20": 20 * time.Second, "20s": 20 * time.Second, " 500 ms ": 500 * time.Millisecond, "2min": 2 * time.Minute, "1h": time.Hour,
		"0": 0, "1.5s": 1500 * time.Millisecond, "10us": 10 * time.Microsecond, "1D": 24 * time.Hour,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "s", "-1", "1x", "1e9s", "99999999999999999999", "1..2", "."} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, d)
		}
	}
}

// TestReloading: what an agent can take over while its resource runs, by each way of saying so.
func TestReloading(t *testing.T) {
	params := func(flags ...string) []Parameter {
		var out []Parameter
		for _, f := range flags {
			name, flag, _ := strings.Cut(f, "/")
			out = append(out, Parameter{Name: name, Unique: flag == "unique", Reloadable: flag == "reloadable"})
		}
		return out
	}
	for _, c := range []struct {
		name, version string
		actions       []string
		params        []Parameter
		operation     string
		restart       []string
	}{
		{"neither", "1.0", []string{Start, Stop}, params("a/unique", "b"), "", nil},
		{"1.1", "1.1", []string{ReloadAgent}, params("z", "b/reloadable", "a/unique"), ReloadAgent, []string{"a", "z"}},
		{"1.1, all of it", "1.1", []string{ReloadAgent}, params("b/reloadable"), ReloadAgent, nil},
		{"1.1, nothing of it", "1.1", []string{ReloadAgent}, params("a", "b"), "", nil},
		{"1.1, the service's own reload", "1.1", []string{Reload}, params("a/unique", "b/reloadable"), "", nil},
		{"1.0", "1.0", []string{Reload}, params("a/unique", "b", "c/reloadable"), Reload, []string{"a"}},
		{"1.0, nothing unique", "1.0", []string{Reload}, params("a", "b"), "", nil},
		{"both", "1.1", []string{Reload, ReloadAgent}, params("a/unique", "b/reloadable"), ReloadAgent, []string{"a"}},
		{"no parameters", "1.1", []string{ReloadAgent}, nil, "", nil},
	} {
		m := &MetaData{Name: "x", OCFVersion: c.version, Parameters: c.params}
		for _, a := range c.actions {
			m.Actions = append(m.Actions, Action{Name: a})
		}
		if op, restart := m.Reloading(); op != c.operation || !reflect.DeepEqual(restart, c.restart) {
			t.Errorf("%s: %q, restart %q", c.name, op, restart)
		}
	}
}
