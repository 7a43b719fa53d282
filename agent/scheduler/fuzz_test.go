package scheduler

import (
	"bytes"
	"testing"
	"time"

	"paceline/agent/cib"
)

// seedXML is a document that has a little of everything.
const seedXML = `<cib have-quorum="1" dc-uuid="1"><configuration><crm_config><cluster_property_set id="o">
<nvpair id="o1" name="no-quorum-policy" value="freeze"/><nvpair id="o2" name="placement-strategy" value="balanced"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"><utilization id="u"><nvpair id="u1" name="cpu" value="4"/></utilization></node><node id="2" uname="b"/></nodes>
<resources><primitive id="p" class="ocf" provider="x" type="Dummy"><meta_attributes id="pm"><nvpair id="pm1" name="allow-migrate" value="true"/>
<nvpair id="pm2" name="remote-node" value="guest"/></meta_attributes><operations><op id="op" name="monitor" interval="10s" on-fail="fence"/></operations></primitive>
<primitive id="r" class="ocf" provider="pacemaker" type="remote"/>
<clone id="c"><meta_attributes id="cm"><nvpair id="cm1" name="promotable" value="true"/><nvpair id="cm2" name="notify" value="true"/></meta_attributes>
<group id="g"><primitive id="g1" class="ocf" provider="x" type="Dummy"/><primitive id="g2" class="ocf" provider="x" type="Dummy"/></group></clone>
<bundle id="b"><podman image="i" replicas="2" promoted-max="1"/><network ip-range-start="10.0.0.1"/><primitive id="i" class="ocf" provider="x" type="Dummy"/></bundle></resources>
<constraints><rsc_location id="l" rsc="p"><rule id="lr" score="5"><expression id="le" attribute="#uname" operation="eq" value="a"/></rule></rsc_location>
<rsc_colocation id="k" rsc="p" with-rsc="c" with-rsc-role="Promoted" score="INFINITY"/><rsc_order id="d" first="c" then="b" first-action="promote"/>
<rsc_ticket id="t" rsc="p" ticket="T" loss-policy="fence"/></constraints></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="p" class="ocf" provider="x" type="Dummy"><lrm_rsc_op id="p_last_0" operation="migrate_to" interval="0" call-id="3" rc-code="0" op-status="0" migrate_source="a" migrate_target="b" transition-key="1:1:0:x"/></lrm_resource>
<lrm_resource id="g1:5" class="ocf" provider="x" type="Dummy"><lrm_rsc_op id="g1_last_0" operation="promote" interval="0" call-id="4" rc-code="9" op-status="4" transition-key="1:1:0:x"/></lrm_resource>
</lrm_resources></lrm></node_state><node_state id="2" uname="b" in_ccm="false" crmd="offline" join="down" expected="member"/></status></cib>`

// FuzzPlan plans for damaged documents: whatever they say, there is an answer, and no cycle in it.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(seedXML))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			t.Skip("too long to say more than a short one")
		}
		c, _, err := cib.Decode(bytes.NewReader(text))
		if err != nil {
			t.Skip("not a document")
		}
		p := Plan(c, time.Unix(1000000, 0))
		if len(p.Graph.Actions) > 0 && inOrder(p.Graph) == nil {
			t.Fatal("the graph has a cycle")
		}
	})
}
