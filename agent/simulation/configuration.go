package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"paceline/agent/cib"
)

// configuration draws what the cluster is to run.
func (w *world) configuration(nodes int) *cib.CIB {
	var b strings.Builder
	b.WriteString(`<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config><cluster_property_set id="o">`)
	option := func(name, value string) {
		fmt.Fprintf(&b, `<nvpair id="o-%s" name="%s" value="%s"/>`, name, name, value)
	}
	option("stonith-enabled", fmt.Sprint(w.profile.fencing))
	if policy := []string{"stop", "stop", "freeze", "demote"}[w.rng.IntN(4)]; w.profile.fencing {
		option("no-quorum-policy", policy)
	}
	if w.chance(0.4) {
		option("stonith-timeout", []string{"2s", "4s", "8s"}[w.rng.IntN(3)])
	}
	if w.chance(0.3) {
		option("stonith-action", "off")
	}
	count := 1 + w.rng.IntN(3)
	// What came later is drawn of its own: the runs of seeds that have none of it stay what they were.
	own := rand.New(rand.NewPCG(w.out.Seed, 3))
	perhaps := func(p float64) bool { return own.Float64() < p }
	needs, room := "", ""
	if strategy := []string{"utilization", "balanced", "minimal"}[own.IntN(3)]; nodes > 1 && perhaps(0.3) {
		option("placement-strategy", strategy)
		needs = `<utilization id="%[1]s-u"><nvpair id="%[1]s-u-c" name="cpu" value="1"/></utilization>`
		room = `<utilization id="n%[1]d-u"><nvpair id="n%[1]d-u-c" name="cpu" value="2"/></utilization>`
	}
	b.WriteString(`</cluster_property_set></crm_config><nodes>`)
	for i := range nodes {
		fmt.Fprintf(&b, `<node id="id-n%d" uname="n%d">`, i+1, i+1)
		if room != "" {
			fmt.Fprintf(&b, room, i+1)
		}
		b.WriteString(`</node>`)
	}
	b.WriteString(`</nodes><resources>`)
	lot := ""
	if w.opt.Broken.NoCourtesy { // left to the lot, and the lot is always the same
		lot = `<nvpair id="power-d" name="pcmk_delay_max" value="1ms"/>`
	}
	b.WriteString(`<primitive id="power" class="stonith" type="fence_sim"><instance_attributes id="power-p"><nvpair id="power-h" name="pcmk_host_check" value="none"/>` + lot + `</instance_attributes></primitive>`)
	ops := func(id string) string {
		return fmt.Sprintf(`<operations><op id="%s-m" name="monitor" interval="10s" timeout="20s"/><op id="%s-s" name="start" interval="0" timeout="20s"/><op id="%s-t" name="stop" interval="0" timeout="20s"/></operations>`, id, id, id)
	}
	primitive := func(id string) string {
		return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="sim" type="Service">%s</primitive>`, id, ops(id))
	}
	for i := range count {
		p := primitive(fmt.Sprintf("r%d", i+1))
		if i == 2 && w.chance(0.5) {
			p = strings.Replace(p, "<operations>", `<meta_attributes id="r3-meta"><nvpair id="r3-mig" name="allow-migrate" value="true"/></meta_attributes><operations>`, 1)
		}
		if needs != "" {
			p = strings.Replace(p, "<operations>", fmt.Sprintf(needs, fmt.Sprintf("r%d", i+1))+"<operations>", 1)
		}
		b.WriteString(p)
	}
	if w.chance(0.5) {
		b.WriteString(`<group id="g">` + primitive("g1") + primitive("g2") + `</group>`)
	}
	if w.chance(0.3) {
		b.WriteString(`<clone id="c">`)
		if nodes > 2 && perhaps(0.5) {
			fmt.Fprintf(&b, `<meta_attributes id="c-m"><nvpair id="c-x" name="clone-max" value="%d"/></meta_attributes>`, nodes-1)
		}
		b.WriteString(primitive("cp") + `</clone>`)
	}
	if w.promotes = w.chance(0.4); w.promotes {
		b.WriteString(`<clone id="m"><meta_attributes id="m-m"><nvpair id="m-p" name="promotable" value="true"/></meta_attributes>` +
			strings.Replace(primitive("cm"), "</operations>", `<op id="cm-p" name="monitor" interval="11s" role="Promoted" timeout="20s"/></operations>`, 1) + `</clone>`)
	}
	b.WriteString(`</resources><constraints>`)
	if w.chance(0.4) {
		b.WriteString(`<rsc_colocation id="col" rsc="r1" with-rsc="power" score="-10"/>`)
	}
	if count > 1 && w.chance(0.5) {
		b.WriteString(`<rsc_order id="ord" first="r1" then="r2" kind="Mandatory"/>`)
		// Placement is greedy: where there is little room, what belongs together may find none in one place.
		if w.chance(0.5) && needs == "" {
			b.WriteString(`<rsc_colocation id="with" rsc="r2" with-rsc="r1" score="INFINITY"/>`)
		}
	}
	if w.chance(0.4) {
		fmt.Fprintf(&b, `<rsc_location id="loc" rsc="r1" node="n%d" score="100"/>`, 1+w.rng.IntN(nodes))
	}
	if count > 2 && nodes > 1 && perhaps(0.4) {
		b.WriteString(`<rsc_colocation id="apart" rsc="r3" with-rsc="r1" score="-INFINITY"/>`)
	}
	if count > 1 && nodes > 2 && perhaps(0.4) {
		fmt.Fprintf(&b, `<rsc_location id="never" rsc="r2" node="n%d" score="-INFINITY"/>`, 1+own.IntN(nodes))
	}
	b.WriteString(`</constraints><rsc_defaults><meta_attributes id="d"><nvpair id="d-s" name="resource-stickiness" value="1"/></meta_attributes></rsc_defaults></configuration><status/></cib>`)
	c, _, err := cib.Decode(strings.NewReader(b.String()))
	if err != nil {
		panic("the simulation's own configuration: " + err.Error())
	}
	return c
}
