package ctl

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"paceline/agent/cib"
)

// runGraph draws the configuration: resources in their collections, what comes first, what runs together, where it may run.
func runGraph(in *invocation) error {
	form, file := "dot", ""
	for _, w := range in.args { // "graph dot FILE svg" is crmsh's order
		switch w {
		case "dot", "svg":
			form = w
		default:
			file = w
		}
	}
	if f := in.c.String("output"); f != "" {
		form = f
	}
	if form != "dot" && form != "svg" {
		return usagef("paceline configure graph: there is no form %q: forms are dot and svg", form)
	}
	if strings.HasSuffix(file, ".svg") {
		form = "svg"
	}
	s, err := in.looking()
	if err != nil {
		return err
	}
	g := drawingOf(s.Configuration())
	var b strings.Builder
	if form == "svg" {
		g.svg(&b)
	} else {
		g.dot(&b)
	}
	if file != "" && file != "-" {
		return replaceFile(file, []byte(b.String()), 0o644)
	}
	_, err = io.WriteString(in.Out, b.String())
	return err
}

// drawing is a configuration as boxes and lines between them.
type drawing struct {
	boxes []*box
	lines []edge
}

// box is a resource or a node.
type box struct {
	id, note string
	node     bool
	inside   []*box
	rank     int
	x, y     int // of its upper left corner, and
	w, h     int // its size, in SVG
}

// edge is a constraint between two boxes.
type edge struct {
	from, to, label string
	kind            string // order, colocation, location
}

func drawingOf(c *cib.Configuration) *drawing {
	d := &drawing{}
	for _, n := range c.Nodes {
		d.boxes = append(d.boxes, &box{id: n.Uname, note: "node", node: true})
	}
	for _, r := range c.Resources {
		d.boxes = append(d.boxes, boxOf(c, r))
	}
	for _, k := range c.Constraints {
		switch {
		case k.Location != nil && k.Location.Node != "" && k.Location.Resource != "":
			d.add("location", k.Location.Resource, k.Location.Node, k.Location.Score)
		case k.Colocation != nil && len(k.Colocation.Sets) == 0:
			d.add("colocation", k.Colocation.Resource, k.Colocation.With, k.Colocation.Score)
		case k.Colocation != nil:
			d.sets("colocation", k.Colocation.Sets, k.Colocation.Score)
		case k.Order != nil && len(k.Order.Sets) == 0:
			d.add("order", k.Order.First, k.Order.Then, k.Order.Kind)
		case k.Order != nil:
			d.sets("order", k.Order.Sets, k.Order.Kind)
		}
	}
	return d
}

func boxOf(c *cib.Configuration, r *cib.Resource) *box {
	b := &box{id: r.ID, note: agentOf(c, r)}
	if b.note == "" {
		b.note = string(r.Kind)
	}
	for _, child := range r.Children {
		b.inside = append(b.inside, boxOf(c, child))
	}
	return b
}

func (d *drawing) add(kind, from, to, label string) {
	if d.find(from) != nil && d.find(to) != nil { // a tag stands for several, and is not drawn
		d.lines = append(d.lines, edge{from, to, label, kind})
	}
}

// sets draws a line from each member of a set to each of the next, and along a sequential set.
func (d *drawing) sets(kind string, sets []cib.ResourceSet, label string) {
	var last []string
	for _, s := range sets {
		if s.Sequential != "false" {
			for i := 1; i < len(s.Resources); i++ {
				d.add(kind, s.Resources[i-1], s.Resources[i], label)
			}
		}
		for _, a := range last {
			for _, b := range s.Resources {
				d.add(kind, a, b, label)
			}
		}
		last = s.Resources
	}
}

func (d *drawing) find(id string) *box { return findBox(d.boxes, id) }

func findBox(list []*box, id string) *box {
	for _, b := range list {
		if b.id == id {
			return b
		}
		if in := findBox(b.inside, id); in != nil {
			return in
		}
	}
	return nil
}

// dot writes the drawing for Graphviz.
func (d *drawing) dot(w io.Writer) {
	fmt.Fprint(w, "digraph configuration {\n  compound=true;\n  node [shape=box];\n")
	for _, b := range d.boxes {
		b.dot(w, "  ")
	}
	style := map[string]string{"order": "", "colocation": " style=dashed dir=none", "location": " style=dotted"}
	for _, l := range d.lines {
		from, to := d.find(l.from), d.find(l.to)
		fmt.Fprintf(w, "  %s -> %s [label=%s%s%s%s];\n", dotText(from.leaf().id), dotText(to.leaf().id), dotText(l.label), style[l.kind],
			from.clusterEnd("ltail"), to.clusterEnd("lhead"))
	}
	fmt.Fprint(w, "}\n")
}

func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (b *box) dot(w io.Writer, indent string) {
	if len(b.inside) == 0 {
		look := ""
		if b.node {
			look = " shape=ellipse"
		}
		label := strings.ReplaceAll(dotText(b.id+"\x00"+b.note), "\x00", `\n`)
		fmt.Fprintf(w, "%s%s [label=%s%s];\n", indent, dotText(b.id), label, look)
		return
	}
	fmt.Fprintf(w, "%ssubgraph %s {\n%s  label=%s;\n", indent, dotText("cluster_"+b.id), indent, dotText(b.id+" ("+b.note+")"))
	for _, in := range b.inside {
		in.dot(w, indent+"  ")
	}
	fmt.Fprintf(w, "%s}\n", indent)
}

// leaf returns the box that a line in Graphviz ends at: it knows no lines to collections.
func (b *box) leaf() *box {
	for len(b.inside) > 0 {
		b = b.inside[0]
	}
	return b
}

func (b *box) clusterEnd(attribute string) string {
	if len(b.inside) == 0 {
		return ""
	}
	return " " + attribute + "=" + dotText("cluster_"+b.id)
}

// Sizes of the SVG, in pixels.
const (
	boxHeight, boxGap, rowGap, boxPad, titleHeight = 40, 24, 64, 12, 20
	letterWidth, boxLeast                          = 7, 90
)

// measure sets the size of a box and of those in it; members stand below each other, in their order.
func (b *box) measure() {
	b.w = max(boxLeast, letterWidth*max(len(b.id), len(b.note))+2*boxPad)
	b.h = boxHeight
	if len(b.inside) == 0 {
		return
	}
	b.w = max(b.w, letterWidth*len(b.id+" ("+b.note+")")+2*boxPad)
	b.h = titleHeight + boxPad
	for _, in := range b.inside {
		in.measure()
		b.w = max(b.w, in.w+2*boxPad)
		b.h += in.h + boxPad
	}
}

func (b *box) place(x, y int) {
	b.x, b.y = x, y
	y += titleHeight + boxPad
	for _, in := range b.inside {
		in.place(x+(b.w-in.w)/2, y)
		y += in.h + boxPad
	}
}

// layout puts nodes into the first row, and each resource into a row below everything that it waits for.
func (d *drawing) layout() (width, height int) {
	top := map[string]*box{} // of each ID, the outermost box
	var under func(outer, b *box)
	under = func(outer, b *box) {
		top[b.id] = outer
		for _, in := range b.inside {
			under(outer, in)
		}
	}
	for _, b := range d.boxes {
		under(b, b)
		if !b.node {
			b.rank = 1
		}
	}
	for range d.boxes { // a circle of orders ends here, too
		for _, l := range d.lines {
			if a, b := top[l.from], top[l.to]; l.kind == "order" && a != b && b.rank <= a.rank && a.rank < len(d.boxes) {
				b.rank = a.rank + 1
			}
		}
	}
	last := 0
	for _, b := range d.boxes {
		b.measure()
		last = max(last, b.rank)
	}
	y := boxGap
	for rank := 0; rank <= last; rank++ {
		x, tall := boxGap, 0
		for _, b := range d.boxes {
			if b.rank == rank {
				b.place(x, y)
				x += b.w + boxGap
				tall = max(tall, b.h)
			}
		}
		width = max(width, x)
		if tall > 0 {
			y += tall + rowGap
		}
	}
	return max(width, 2*boxGap), max(y-rowGap+boxGap, 2*boxGap)
}

// svg writes the drawing by itself.
func (d *drawing) svg(w io.Writer) {
	width, height := d.layout()
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprint(w, `<defs><marker id="arrow" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L10,5 L0,10 z"/></marker></defs>`+"\n")
	for _, b := range d.boxes {
		b.svg(w)
	}
	for _, l := range d.lines {
		a, b := d.find(l.from), d.find(l.to)
		x1, y1, x2, y2 := ends(a, b)
		look := map[string]string{
			"order": `stroke="black" marker-end="url(#arrow)"`, "colocation": `stroke="#06c" stroke-dasharray="6 4"`,
			"location": `stroke="#888" stroke-dasharray="2 3" marker-end="url(#arrow)"`,
		}[l.kind]
		fmt.Fprintf(w, `<line x1="%d" y1="%d" x2="%d" y2="%d" %s><title>%s %s %s %s</title></line>`+"\n", x1, y1, x2, y2, look,
			l.kind, html.EscapeString(l.from), html.EscapeString(l.to), html.EscapeString(l.label))
		if l.label != "" {
			fmt.Fprintf(w, `<text x="%d" y="%d" font-size="10" fill="#555">%s</text>`+"\n", (x1+x2)/2+4, (y1+y2)/2-2, html.EscapeString(l.label))
		}
	}
	fmt.Fprint(w, "</svg>\n")
}

func (b *box) svg(w io.Writer) {
	fill, round := "#fff", 4
	switch {
	case b.node:
		fill, round = "#e8f0e0", boxHeight/2
	case len(b.inside) > 0:
		fill = "#f4f4f4"
	}
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" rx="%d" fill="%s" stroke="#444"/>`+"\n", b.x, b.y, b.w, b.h, round, fill)
	if len(b.inside) > 0 {
		fmt.Fprintf(w, `<text x="%d" y="%d">%s (%s)</text>`+"\n", b.x+boxPad, b.y+titleHeight, html.EscapeString(b.id), html.EscapeString(b.note))
		for _, in := range b.inside {
			in.svg(w)
		}
		return
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle" font-weight="bold">%s</text>`+"\n", b.x+b.w/2, b.y+17, html.EscapeString(b.id))
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle" font-size="10" fill="#555">%s</text>`+"\n", b.x+b.w/2, b.y+32, html.EscapeString(b.note))
}

// ends returns where a line leaves one box and reaches another: from the side that faces it.
func ends(a, b *box) (x1, y1, x2, y2 int) {
	x1, x2 = a.x+a.w/2, b.x+b.w/2
	switch {
	case a.y+a.h <= b.y:
		return x1, a.y + a.h, x2, b.y
	case b.y+b.h <= a.y:
		return x1, a.y, x2, b.y + b.h
	}
	y1, y2 = a.y+min(a.h, boxHeight)/2, b.y+min(b.h, boxHeight)/2
	if slices.Max([]int{a.x, b.x}) == b.x {
		return a.x + a.w, y1, b.x, y2
	}
	return a.x, y1, b.x + b.w, y2
}
