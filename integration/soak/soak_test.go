package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"paceline/ctl/crm"
)

func series(f func(minute float64) float64) Series {
	s := Series{Name: "node1"}
	for i := range 241 {
		at := time.Duration(i) * 15 * time.Second
		s.add(at, f(at.Minutes()))
	}
	return s
}

// A leak is found, and noise, peaks, a warm-up and a fall are none.
func TestJudge(t *testing.T) {
	rule := Rule{Share: 0.10, Least: 3}
	for name, c := range map[string]struct {
		f    func(minute float64) float64
		flat bool
	}{
		"constant":     {func(float64) float64 { return 40 }, true},
		"noise":        {func(m float64) float64 { return 40 + 8*math.Sin(m*7) }, true},
		"warm-up":      {func(m float64) float64 { return 20 + 20*math.Min(m, 10)/10 }, true},
		"single peaks": {func(m float64) float64 { return 40 + 200*math.Floor(math.Mod(m, 10)/9.9) }, true},
		"falls":        {func(m float64) float64 { return 80 - m }, true},
		"a slow leak":  {func(m float64) float64 { return 40 + m/5 + 3*math.Sin(m*7) }, false},
		"a quick leak": {func(m float64) float64 { return 40 + 2*m }, false},
	} {
		v, err := rule.Judge(series(c.f))
		if err != nil || v.Flat != c.flat {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	if _, err := rule.Judge(Series{Name: "node1"}); err == nil {
		t.Error("no samples are flat")
	}
}

// What goes from node to node is no leak, and what is lost somewhere is one.
func TestHandlesAreJudgedInAll(t *testing.T) {
	for name, lost := range map[string]float64{"moves": 0, "moves and a leak": 0.5} {
		var panels []Panel
		for range figures {
			panels = append(panels, Panel{Series: []Series{
				series(func(m float64) float64 { return 40 + m }), series(func(m float64) float64 { return 100 + (lost-1)*m }),
			}})
		}
		// Only the handles grow on the first node.
		for i, f := range figures {
			if !f.whole {
				panels[i].Series = []Series{series(func(float64) float64 { return 10 })}
			}
		}
		text, grows, err := judge(options{}, panels, 0)
		if err != nil || (len(grows) > 0) != (lost > 0) {
			t.Errorf("%s: %v, %v\n%s", name, grows, err, text)
		}
	}
}

// The plot is whole XML, with every point in the picture.
func TestPlot(t *testing.T) {
	text := Plot([]Panel{{"memory & more", "MiB", []Series{series(func(m float64) float64 { return m })}}, {"nothing", "", nil}})
	d := xml.NewDecoder(strings.NewReader(text))
	points := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			for _, a := range e.Attr {
				if a.Name.Local == "points" {
					points = len(strings.Fields(a.Value))
				}
			}
		}
	}
	if points != 241 {
		t.Errorf("%d points", points)
	}
}

// The configuration of the soak is one that the cluster takes.
func TestConfiguration(t *testing.T) {
	text := configuration(options{nodes: 5, resources: 200, check: 10 * time.Second})
	if n := strings.Count(text, "primitive "); n != 201 {
		t.Errorf("%d resources", n)
	}
	if _, err := crm.Parse(text); err != nil {
		t.Error(err)
	}
}
