package ocftools

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// fake is a daemon that notes what it is told.
type fake struct {
	have []api.Attribute
	told []string
	err  error
}

func (f *fake) Attributes(_ context.Context, want api.Attribute) (*api.AttributesReply, error) {
	if want.Node == "" && want.Scope != api.ScopeOption {
		want.Node = "alpha"
	}
	out := &api.AttributesReply{}
	for _, a := range f.have {
		if a.Scope == want.Scope && (want.Node == "*" || a.Node == want.Node) && (want.Name == "" || a.Name == want.Name) && (want.Set == "" || a.Set == want.Set) {
			out.Attributes = append(out.Attributes, a)
		}
	}
	return out, f.err
}

func (f *fake) SetAttributes(_ context.Context, r api.AttributesRequest) error {
	for _, c := range r.Changes {
		text := strings.Join([]string{c.Scope, c.Node, c.Set, c.Name}, "/")
		if c.Value != nil {
			text += "=" + *c.Value
		}
		if r.Delay != nil {
			text += fmt.Sprintf(" delay %dns new %v", *r.Delay, r.NewDelay)
		}
		f.told = append(f.told, text+" for "+r.Origin)
	}
	return f.err
}

func (f *fake) Health(context.Context) (*api.Health, error) {
	return &api.Health{Node: "alpha", Cluster: "c", Quorate: true}, f.err
}

func (f *fake) Status(context.Context) (*api.Status, error) {
	return &api.Status{
		Nodes: []api.Node{{Name: "alpha", ID: "a1", Online: true}, {Name: "beta", ID: "b2"}, {Name: "gamma", ID: "c3", Online: true}},
		Resources: []api.Resource{{ID: "db-clone", Kind: "clone", Children: []api.Resource{
			{ID: "db", Kind: "primitive", Role: "Promoted", Nodes: []string{"alpha", "gamma"}, Instances: []api.Instance{
				{Name: "db:0", Node: "alpha", Role: "Promoted"}, {Name: "db:1", Node: "gamma", Role: "Unpromoted"},
			}},
		}}, {ID: "ip", Kind: "primitive"}},
	}, f.err
}

func (f *fake) NodeValue(_ context.Context, node string, r api.ValueRequest) (*api.ChangeReply, error) {
	text := "<deleted>"
	if r.Value != nil {
		text = *r.Value
	}
	f.told = append(f.told, fmt.Sprintf("%s of %s: %s=%s, %s", r.Section, node, r.Name, text, r.Message))
	return &api.ChangeReply{}, f.err
}

func (f *fake) Cleanup(_ context.Context, r api.CleanupRequest) (*api.ChangeReply, error) {
	f.told = append(f.told, "clean up "+r.Resource+" on "+r.Node)
	return &api.ChangeReply{}, f.err
}

func (f *fake) Failcount(_ context.Context, resource string, r api.FailcountRequest) (*api.ChangeReply, error) {
	f.told = append(f.told, fmt.Sprintf("fail count of %s on %s: %s every %s, value %v", resource, r.Node, r.Operation, r.Interval, r.Value))
	return &api.ChangeReply{}, f.err
}

func (f *fake) CIBXML(context.Context) ([]byte, error) { return []byte("<cib/>"), f.err }

func (f *fake) Configuration(context.Context, uint64) (*api.ConfigurationReply, error) {
	set := func(name, value string) []cib.NVSet {
		return []cib.NVSet{{ID: "s", Pairs: []cib.NVPair{{Name: name, Value: value}}}}
	}
	return &api.ConfigurationReply{Configuration: &cib.Configuration{Nodes: []*cib.Node{{Uname: "alpha", Utilization: set("memory", "4096")}},
		RscDefaults: set("resource-stickiness", "100"), OpDefaults: set("timeout", "30s"), Resources: []*cib.Resource{{
			ID: "ip", Kind: cib.KindPrimitive,
			Params: []cib.NVSet{{ID: "p", Pairs: []cib.NVPair{{Name: "ip", Value: "10.0.0.9"}}}},
			Meta:   []cib.NVSet{{ID: "m", Pairs: []cib.NVPair{{Name: "target-role", Value: "Started"}}}},
		}}}}, f.err
}

// What agents are seen to call, and what comes of it: the line, the exit code, what it prints, what the daemon is told.
func TestTools(t *testing.T) {
	have := []api.Attribute{
		{Scope: api.ScopeTransient, Node: "alpha", Name: "master-db", Value: "100"},
		{Scope: api.ScopeTransient, Node: "gamma", Name: "master-db", Value: "5"},
		{Scope: api.ScopePermanent, Node: "alpha", Name: "db-data-status", Value: "LATEST"},
		{Scope: api.ScopeTransient, Node: "alpha", Name: "fail-count-db#monitor_10000", Value: "2"},
		{Scope: api.ScopeTransient, Node: "alpha", Name: "fail-count-db#start_0", Value: "1"},
		{Scope: api.ScopeTransient, Node: "gamma", Name: "fail-count-db#start_0", Value: "INFINITY"},
		{Scope: api.ScopeTransient, Node: "alpha", Name: "fail-count-db2#start_0", Value: "7"},
		{Scope: api.ScopeTransient, Node: "gamma", Name: "standby", Value: "on"},
		{Scope: api.ScopePermanent, Node: "gamma", Name: "standby", Value: "off"},
		{Scope: api.ScopeOption, Set: "redis_replication", Name: "db_REPL_INFO", Value: "gamma"},
		{Scope: api.ScopeOption, Set: "cib-bootstrap-options", Name: "stonith-enabled", Value: "true"},
	}
	for _, c := range []struct {
		line string
		code int
		out  string // standard output, or the beginning of standard error
		told string
	}{
		{"crm_master -l reboot -v 10", 0, "", "transient///master-db=10 for resource db"},
		{"crm_master -N gamma -l reboot -v -INFINITY", 0, "", "transient/gamma//master-db=-INFINITY for resource db"},
		{"crm_master -N alpha -l reboot -G --quiet", 0, "100\n", ""},
		{"crm_master -Q", 0, "100\n", ""},
		{"crm_master -Q -l reboot -v 7", 0, "", "transient///master-db=7 for resource db"},
		{"crm_master -l reboot -D", 0, "", "transient///master-db for resource db"},
		{"crm_master -l forever -v 1", 0, "", "permanent///master-db=1 for resource db"},
		{"crm_attribute --promotion -v 5", 0, "", "transient///master-db=5 for resource db"},
		{"crm_attribute --promotion other -v5", 0, "", "transient///master-other=5 for resource db"},
		{"crm_attribute -p other -Gq", 105, "crm_attribute: Error performing operation: No such device or address\n", ""},
		{"crm_attribute -n master-db --lifetime forever -l reboot -v 5", 0, "", "transient///master-db=5 for resource db"},
		{"crm_attribute -N alpha -n db-data-status -l forever -G -q", 0, "LATEST\n", ""},
		{"crm_attribute --node=alpha --name=db-data-status --query", 0, "scope=nodes  name=db-data-status value=LATEST\n", ""},
		{"crm_attribute -lforever -Nalpha -ndb-data-status -v DISCONNECT", 0, "", "permanent/alpha//db-data-status=DISCONNECT for resource db"},
		{"crm_attribute -l reboot -n master-db -G", 0, "scope=status  name=master-db value=100\n", ""},
		{"crm_attribute -N alpha -n none -G -q -d 7", 0, "7\n", ""},
		{"crm_attribute -N alpha -n none -G -d 7", 0, "scope=nodes  name=none value=7\n", ""},
		{"crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication --query -q", 0, "gamma\n", ""},
		{"crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication -v alpha -q", 0, "", "option//redis_replication/db_REPL_INFO=alpha for resource db"},
		{"crm_attribute -t crm_config -n stonith-enabled -G", 0, "scope=crm_config  name=stonith-enabled value=true\n", ""},
		{"crm_attribute -n stonith-enabled -G -q", 0, "true\n", ""},
		{"crm_attribute -l reboot -P ^mas -G", 0, "scope=status  name=master-db value=100\n", ""},
		{"crm_attribute -l reboot -N alpha -P ^fail-count-db# -D", 0, "", "transient/alpha//fail-count-db#monitor_10000 for resource db\ntransient/alpha//fail-count-db#start_0 for resource db"},
		{"crm_attribute -l reboot -P ^none -v 1", 0, "", ""},
		{"crm_attribute -N alpha -P ^db -v 1", 64, "crm_attribute: --pattern is for --query, or for attributes of --lifetime reboot", ""},
		{"crm_attribute -P ( -G", 64, "crm_attribute: --pattern (: ", ""},
		{"crm_attribute -P x -n x -G", 64, "crm_attribute: one of --name, --pattern and --promotion is possible, not 2", ""},
		{"crm_attribute -z -n memory -G -q", 0, "4096\n", ""},
		{"crm_attribute -z -N alpha -n memory -G", 0, "scope=nodes  name=memory value=4096\n", ""},
		{"crm_attribute --utilization -N gamma -n memory -G -q", 105, "crm_attribute: Error performing operation", ""},
		{"crm_attribute --utilization -N gamma -n memory -v 512", 0, "", "utilization of gamma: memory=512, set by resource db"},
		{"crm_attribute -z -n memory -D", 0, "", "utilization of alpha: memory=<deleted>, set by resource db"},
		{"crm_attribute -t rsc_defaults -n resource-stickiness -G -q", 0, "100\n", ""},
		{"crm_attribute -t op_defaults -n timeout -G", 0, "scope=op_defaults  name=timeout value=30s\n", ""},
		{"crm_attribute -t op_defaults -n timeout -v 5", 3, "crm_attribute: --type op_defaults is read by agents, and not set", ""},
		{"crm_failcount -G -r db", 0, "scope=status  name=fail-count-db value=3\n", ""},
		{"crm_failcount -G", 0, "scope=status  name=fail-count-db value=3\n", ""},
		{"crm_failcount --query --resource db:0 --node gamma --quiet", 0, "INFINITY\n", ""},
		{"crm_failcount -G -r db -n monitor -I 10s -q", 0, "2\n", ""},
		{"crm_failcount -G -r ip -q", 0, "0\n", ""},
		{"crm_failcount -D -r db", 0, "", "clean up db on alpha"},
		{"crm_failcount -D -r db -N gamma -n monitor -I 10", 0, "", "fail count of db on gamma: monitor every 10s, value <nil>"},
		{"crm_failcount -r db", 64, "crm_failcount: one of --query and --delete is needed, not 0", ""},
		{"crm_failcount -G -I 10 -r db", 64, "crm_failcount: --interval is of an operation", ""},
		{"crm_failcount -G -n monitor -I soon -r db", 64, "crm_failcount: --interval soon: an amount of time is meant", ""},
		{"crm_failcount -v 3 -r db", 64, "crm_failcount: flag provided but not defined", ""},
		{"crm_standby -G", 0, "scope=nodes  name=standby value=off\n", ""},
		{"crm_standby -G -N gamma", 0, "scope=status  name=standby value=on\n", ""},
		{"crm_standby -G -N gamma -l forever -q", 0, "off\n", ""},
		{"crm_standby -v on", 0, "", "permanent///standby=on for resource db"},
		{"crm_standby -v off -l reboot -N gamma", 0, "", "transient/gamma//standby=off for resource db"},
		{"crm_standby -D", 0, "", "permanent///standby for resource db\ntransient///standby for resource db"},
		{"crm_standby -v maybe", 64, "crm_standby: --update maybe: on or off is meant", ""},
		{"crm_standby -v on -D", 64, "crm_standby: one of --query, --update and --delete is needed, not 2", ""},
		{"attrd_updater -n x -U 1 --private", 3, "attrd_updater: --private is not kept here: every attribute is replicated", ""},
		{"crm_attribute -t tickets -n x -v 1", 3, "crm_attribute: --type tickets is not kept here", ""},
		{"crm_attribute -N alpha -v 3", 64, "crm_attribute: --name is needed", ""},
		{"crm_attribute -N alpha -n x", 64, "crm_attribute: one of --query, --update and --delete is needed, not 0", ""},
		{"crm_attribute -n", 64, "crm_attribute: flag needs an argument", ""},
		{"crm_attribute --bogus", 64, "crm_attribute: flag provided but not defined", ""},
		{"crm_attribute -n x -v 3 more", 64, `crm_attribute: "more" belongs to no option`, ""},
		{"attrd_updater -n pingd -U 300 -d 5s", 0, "", "transient///pingd=300 delay 5000000000ns new false for resource db"},
		{"attrd_updater -n pingd -B 300 -d 10", 0, "", "transient///pingd=300 delay 10000000000ns new true for resource db"},
		{"attrd_updater -n master-db -Y -d 1", 0, "", "transient///master-db=100 delay 1000000000ns new true for resource db"},
		{"attrd_updater -D -n pingd -q", 0, "", "transient///pingd for resource db"},
		{"attrd_updater -n master-db -Q", 0, "name=\"master-db\" host=\"alpha\" value=\"100\"\n", ""},
		{"attrd_updater -n master-db -QA", 0, "name=\"master-db\" host=\"alpha\" value=\"100\"\nname=\"master-db\" host=\"gamma\" value=\"5\"\n", ""},
		{"attrd_updater -n none -Q", 105, "attrd_updater: Could not query value of none", ""},
		{"attrd_updater -n x -U 1 -d week", 64, "attrd_updater: --delay week: an amount of time", ""},
		{"attrd_updater -n x -B 1", 64, "attrd_updater: --delay is needed", ""},
		{"crm_node -n", 0, "alpha\n", ""},
		{"crm_node --list", 0, "a1 alpha member\nb2 beta lost\nc3 gamma member\n", ""},
		{"crm_node -p", 0, "alpha gamma \n", ""},
		{"crm_node -q", 0, "1\n", ""},
		{"crm_node -i", 0, "a1\n", ""},
		{"crm_node -N b2", 0, "beta\n", ""},
		{"crm_node", 64, "crm_node: one of --name", ""},
		{"crm_resource -W -r db", 0, "resource db is running on: alpha Promoted\nresource db is running on: gamma\n", ""},
		{"crm_resource --locate --resource db-clone -Q", 0, "alpha\ngamma\n", ""},
		{"crm_resource -W -r db:1 -Q", 0, "gamma\n", ""},
		{"crm_resource -W -r ip", 0, "resource ip is NOT running\n", ""},
		{"crm_resource -W -r none", 105, "crm_resource: Resource 'none' not found", ""},
		{"crm_resource -r ip -g ip", 0, "10.0.0.9\n", ""},
		{"crm_resource -r ip:0 --meta --get-parameter target-role", 0, "Started\n", ""},
		{"cibadmin -Q", 0, "<cib/>", ""},
		{"cibadmin --erase", 64, "cibadmin: flag provided but not defined", ""},
		{"crm_mon -1", 3, "crm_mon: only --output-as=xml is printed here", ""},
		{"crm_resource --cleanup -r ip", 64, "crm_resource: flag provided but not defined", ""},
	} {
		var stdout, stderr bytes.Buffer
		f := &fake{have: have}
		words := strings.Fields(c.line)
		env := func(k string) string { return map[string]string{"OCF_RESOURCE_INSTANCE": "db"}[k] }
		code := run(&call{ctx: t.Context(), name: words[0], args: words[1:], env: env, daemon: f, stdout: &stdout, stderr: &stderr})
		out := stdout.String()
		if out == "" {
			out = stderr.String()
		}
		if told := strings.Join(f.told, "\n"); code != c.code || !strings.HasPrefix(out, c.out) || c.code == 0 && out != c.out || told != c.told {
			t.Errorf("%s:\ngot  %d %q, told %q\nwant %d %q, told %q", c.line, code, out, told, c.code, c.out, c.told)
		}
	}
}

// The codes that agents see when the daemon cannot do it.
func TestExitCodes(t *testing.T) {
	for code, want := range map[api.Code]int{
		api.CodeUnreachable: 102, api.CodeNoCoordinator: 69, api.CodeTimeout: 124, api.CodeForbidden: 4, api.CodeNotFound: 105, api.CodeFailed: 1,
	} {
		var stdout, stderr bytes.Buffer
		f := &fake{err: api.Errorf(code, "reach it", "because")}
		got := run(&call{ctx: t.Context(), name: "crm_attribute", args: []string{"-n", "x", "-l", "reboot", "-v", "1"},
			env: func(string) string { return "" }, daemon: f, stdout: &stdout, stderr: &stderr})
		if got != want || stderr.String() != "crm_attribute: reach it: because\n" {
			t.Errorf("%s: got %d %q, want %d", code, got, stderr.String(), want)
		}
	}
}

// Agents look in the XML of crm_mon for who is promoted where.
func TestMonitorXML(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(&call{ctx: t.Context(), name: "crm_mon", args: []string{"-1", "--output-as=xml"}, env: func(string) string { return "" },
		daemon: &fake{}, stdout: &stdout, stderr: &stderr})
	var d struct {
		Nodes []struct {
			Name   string `xml:"name,attr"`
			Online bool   `xml:"online,attr"`
		} `xml:"nodes>node"`
		Clone struct {
			ID        string `xml:"id,attr"`
			Resources []struct {
				ID   string `xml:"id,attr"`
				Role string `xml:"role,attr"`
				Node struct {
					Name string `xml:"name,attr"`
				} `xml:"node"`
			} `xml:"resource"`
		} `xml:"resources>clone"`
	}
	if err := xml.Unmarshal(stdout.Bytes(), &d); err != nil || code != 0 {
		t.Fatalf("%d %v %s", code, err, stderr.String())
	}
	if got := fmt.Sprint(d); got != "{[{alpha true} {beta false} {gamma true}] {db-clone [{db Promoted {alpha}} {db Unpromoted {gamma}}]}}" {
		t.Errorf("got %s in\n%s", got, stdout.String())
	}
	if !regexp.MustCompile(`resource.*id="db".* role="Promoted".* active="true".* orphaned="false".* failed="false"`).MatchString(stdout.String()) {
		t.Errorf("what agents look for is not there:\n%s", stdout.String())
	}
}
