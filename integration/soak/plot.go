package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// Panel is one figure of all nodes.
type Panel struct {
	Title  string
	Unit   string
	Series []Series
}

// The plot's measures, in pixels.
const (
	plotWidth, panelHeight = 860, 150
	left, right, above     = 70, 90, 30
)

var colours = []string{"#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#444444", "#0aa", "#a0a"}

// Plot draws panels one below the other as SVG.
func Plot(panels []Panel) string {
	var b strings.Builder
	height := len(panels)*(panelHeight+above+20) + 20
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	for i, p := range panels {
		drawPanel(&b, p, i*(panelHeight+above+20)+above)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawPanel(b *strings.Builder, p Panel, top int) {
	most, last := 0.0, time.Duration(1)
	for _, s := range p.Series {
		for i, v := range s.Values {
			most, last = math.Max(most, v), max(last, s.At[i])
		}
	}
	scale := nice(most)
	width := plotWidth - left - right
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, top-10, html.EscapeString(p.Title))
	for i := range 3 {
		y := top + panelHeight - i*panelHeight/2
		fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#ddd"/><text x="%d" y="%d" text-anchor="end">%.4g %s</text>`+"\n",
			left, y, left+width, y, left-6, y+4, scale*float64(i)/2, html.EscapeString(p.Unit))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%v</text>`+"\n", left+width, top+panelHeight+15, last.Round(time.Second))
	for i, s := range p.Series {
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" points="`, colour)
		for j, v := range s.Values {
			fmt.Fprintf(b, "%.1f,%.1f ", float64(left)+float64(width)*s.At[j].Seconds()/last.Seconds(), float64(top+panelHeight)-panelHeight*v/scale)
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+width+8, top+14+i*16, colour, html.EscapeString(s.Name))
	}
}

// nice rounds the top of a scale up to 1, 2 or 5 times a power of ten.
func nice(most float64) float64 {
	if most <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, k := range []float64{1, 2, 5, 10} {
		if k*unit >= most {
			return k * unit
		}
	}
	return 10 * unit
}
