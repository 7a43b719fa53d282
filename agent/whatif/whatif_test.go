package whatif

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
)

var now = time.Unix(1_800_000_000, 0)

// twoNodes is a sound cluster that runs nothing yet.
const twoNodes = `<cib have-quorum="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair id="f" name="fencing-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources>
<primitive id="power" class="stonith" type="fence_dummy"/>
<primitive id="ip" class="ocf" provider="test" type="Dummy"><operations><op id="im" name="monitor" interval="10s"/></operations></primitive>
<primitive id="web" class="ocf" provider="test" type="Dummy"/>
<clone id="each"><primitive id="disk" class="ocf" provider="test" type="Dummy"/></clone>
</resources>
<constraints><rsc_location id="l" rsc="ip" node="a" score="100"/><rsc_colocation id="c" rsc="web" with-rsc="ip" score="INFINITY"/>
<rsc_order id="o" first="ip" then="web"/><rsc_ticket id="t" rsc="each" ticket="east" loss-policy="stop"/></constraints></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"/>
<tickets><ticket_state id="east" granted="true"/></tickets></status></cib>`

func decode(t *testing.T, text string) *cib.CIB {
	t.Helper()
	c, _, err := cib.Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play lets events happen and runs to the end, which must be a rest.
func play(t *testing.T, c *cib.CIB, failing []Failure, events ...Event) *Run {
	t.Helper()
	c, err := Apply(c, now, events...)
	if err != nil {
		t.Fatal(err)
	}
	run, err := Play(c, now, failing)
	if err != nil {
		t.Fatal(err)
	}
	if !run.Settled {
		t.Fatalf("it does not come to rest: %s", run.Circles)
	}
	return run
}

func effects(r *Run) string {
	var out []string
	for _, e := range r.Effects(nil) {
		text := fmt.Sprintf("%s %s %s->%s", e.Resource, e.Kind, names(e.From), names(e.To))
		if e.Outage {
			text += " (outage)"
		}
		if e.Lost {
			text += " (lost)"
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func names(list []Spot) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Node)
	}
	return strings.Join(out, "+")
}

func expect(t *testing.T, r *Run, want string) {
	t.Helper()
	if got := effects(r); got != strings.TrimSpace(want) {
		t.Errorf("the effects are\n%s\nand not\n%s", got, strings.TrimSpace(want))
	}
}

// TestWhatHappens tells what becomes of a small cluster when this or that happens to it at rest.
func TestWhatHappens(t *testing.T) {
	rest := play(t, decode(t, twoNodes), nil)
	expect(t, rest, "disk starts ->a+b\nip starts ->a\npower starts ->a\nweb starts ->a")
	c := rest.After()
	before := text(t, c)
	for _, story := range []struct {
		name    string
		failing string
		events  []Event
		want    string
	}{
		{"nothing happens", "", nil, ""},
		{"a node is lost", "", []Event{{Kind: NodeDown, Name: "a"}},
			"disk shrinks a+b->b\nip moves a->b (outage)\npower moves a->b (outage)\nweb moves a->b (outage)"},
		{"a node goes to standby", "", []Event{{Kind: Standby, Name: "a"}},
			"disk shrinks a+b->b\nip moves a->b (outage)\npower moves a->b (outage)\nweb moves a->b (outage)"},
		{"standby and back", "", []Event{{Kind: Standby, Name: "a"}, {Kind: Online, Name: "a"}}, ""},
		{"a monitor fails", "", []Event{{Kind: Fail, Failure: Failure{Resource: "ip"}}},
			"ip restarts a->a (outage)\nweb restarts a->a (outage)"},
		{"and its start fails then", "ip@a:start", []Event{{Kind: Fail, Failure: Failure{Resource: "ip", RC: 7}}},
			"ip moves a->b (outage)\nweb moves a->b (outage)"},
		{"a stop fails: the node is fenced", "web:stop", []Event{{Kind: Standby, Name: "a"}},
			"disk shrinks a+b->b\nip moves a->b (outage)\npower moves a->b (outage)\nweb moves a->b (outage)"},
		{"no quorum", "", []Event{{Kind: Quorum, State: "no"}},
			"disk stops a+b-> (outage) (lost)\nip stops a-> (outage) (lost)\n" +
				"power stops a-> (outage) (lost)\nweb stops a-> (outage) (lost)"},
		{"a ticket goes", "", []Event{{Kind: Ticket, Name: "east", State: "revoked"}},
			"disk stops a+b-> (outage) (lost)"},
	} {
		t.Run(story.name, func(t *testing.T) {
			var failing []Failure
			if story.failing != "" {
				f, err := ParseFailure(story.failing)
				if err != nil {
					t.Fatal(err)
				}
				failing = append(failing, f)
			}
			expect(t, play(t, c, failing, story.events...), story.want)
		})
	}
	if text(t, c) != before {
		t.Error("the state that was asked about has changed")
	}
}

func text(t *testing.T, c *cib.CIB) string {
	t.Helper()
	var b bytes.Buffer
	if err := cib.Encode(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEndlessFailure: what fails again and again ends the run, and says so.
func TestEndlessFailure(t *testing.T) {
	c := decode(t, strings.Replace(twoNodes, "<nvpair", `<nvpair id="s" name="start-failure-is-fatal" value="false"/><nvpair`, 1))
	run, err := Play(c, now, []Failure{{Resource: "ip", Operation: "start", IntervalMS: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if run.Settled || !strings.Contains(run.Circles, "circles") || len(run.Steps) > StepsMax {
		t.Errorf("settled %v after %d steps: %q", run.Settled, len(run.Steps), run.Circles)
	}
}

func TestUnknownNames(t *testing.T) {
	for _, e := range []Event{
		{Kind: NodeDown, Name: "nowhere"}, {Kind: Standby, Name: "nowhere"}, {Kind: Quorum, State: "perhaps"},
		{Kind: Ticket, Name: "east", State: "lost"}, {Kind: Fail, Failure: Failure{Resource: "nothing"}},
		{Kind: Fail, Failure: Failure{Resource: "ip", Node: "nowhere"}}, {Kind: Fail, Failure: Failure{Resource: "ip"}}, {Kind: "earthquake"},
	} {
		c := decode(t, twoNodes)
		if next, err := Apply(c, now, e); err == nil || next != c {
			t.Errorf("%+v is accepted", e)
		}
	}
}

func TestParseFailure(t *testing.T) {
	for text, want := range map[string]Failure{
		"web":                           {Resource: "web", IntervalMS: -1},
		"web:1":                         {Resource: "web:1", IntervalMS: -1},
		"web@a":                         {Resource: "web", Node: "a", IntervalMS: -1},
		"web@a:start=5":                 {Resource: "web", Node: "a", Operation: "start", IntervalMS: -1, RC: 5},
		"web:stop":                      {Resource: "web", Operation: "stop", IntervalMS: -1},
		"web:1@a:monitor/10000=7":       {Resource: "web:1", Node: "a", Operation: "monitor", IntervalMS: 10000, RC: 7},
		"my_db_monitor_20000@a.b.org=7": {Resource: "my_db", Node: "a.b.org", Operation: "monitor", IntervalMS: 20000, RC: 7},
		"db:0_migrate_to_0@a=1":         {Resource: "db:0", Node: "a", Operation: "migrate_to", RC: 1},
	} {
		if got, err := ParseFailure(text); err != nil || got != want {
			t.Errorf("%s is read as %+v (%v), not %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "@a", "web:dance", "web=x", "web:start=0", "web:monitor/soon"} {
		if f, err := ParseFailure(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, f)
		}
	}
}
