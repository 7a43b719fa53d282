package lab

import (
	"fmt"
	"strconv"
	"strings"
)

// Cut stops all traffic in the given directions until Heal.
func (l *Lab) Cut(dirs ...Direction) error { return l.Loss(100, dirs...) }

// Loss drops a share of the frames, in percent, in the given directions until Heal; 0 ends it.
func (l *Lab) Loss(percent int, dirs ...Direction) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("loss of %d percent: want 0 to 100", percent)
	}
	for _, d := range dirs {
		for _, end := range []string{d.From, d.To} {
			machine, link, one := strings.Cut(end, "@")
			if machine != "*" && l.byName[machine] == nil {
				return fmt.Errorf("cut %s: no machine %q in this lab", d, machine)
			}
			if k, err := strconv.Atoi(link); one && (err != nil || k < 0 || k >= l.opts.Links) {
				return fmt.Errorf("cut %s: no network %q in this lab: it has %d, from 0", d, link, l.opts.Links)
			}
		}
	}
	return l.net.set(func(cuts map[Direction]int) {
		for _, d := range dirs {
			if percent == 0 {
				delete(cuts, d)
			} else {
				cuts[d] = percent
			}
		}
	})
}

// Narrow bounds what goes to a machine to so many kilobits a second, so that it comes late; 0 ends that. A power cut ends it as well.
func (l *Lab) Narrow(name string, kbit int) error {
	if l.byName[name] == nil {
		return fmt.Errorf("narrow the link of %q: no such machine in this lab", name)
	}
	return l.net.narrow(name, kbit)
}

// Isolate cuts every link of the named machines, to each other too.
func (l *Lab) Isolate(names ...string) error {
	var dirs []Direction
	for _, n := range names {
		dirs = append(dirs, Direction{n, "*"}, Direction{"*", n})
	}
	return l.Cut(dirs...)
}

// Split cuts all links between two sets of machines, in both directions. The client keeps its links to both unless it
// is named.
func (l *Lab) Split(a, b []string) error { return l.Cut(Between(a, b)...) }

// Between lists both directions of every pair of a and b.
func Between(a, b []string) []Direction {
	var dirs []Direction
	for _, x := range a {
		for _, y := range b {
			dirs = append(dirs, Direction{x, y}, Direction{y, x})
		}
	}
	return dirs
}

// Heal ends all cuts and losses.
func (l *Lab) Heal() error {
	return l.net.set(func(cuts map[Direction]int) { clear(cuts) })
}

// ParseCut reads a cut as people write it: "node1" (that node from everybody), "node1,node2:node3" (between two sets, both
// directions), "node1>node2" (one direction of one pair, or of sets). "node1@1" is node1 on the second network alone, "*@1" that
// whole network.
func ParseCut(text string) ([]Direction, error) {
	split := func(s string) []string {
		var out []string
		for _, n := range strings.Split(s, ",") {
			if n = strings.TrimSpace(n); n != "" {
				out = append(out, n)
			}
		}
		return out
	}
	if from, to, ok := strings.Cut(text, ">"); ok {
		var dirs []Direction
		for _, x := range split(from) {
			for _, y := range split(to) {
				dirs = append(dirs, Direction{x, y})
			}
		}
		return nonEmpty(text, dirs)
	}
	if a, b, ok := strings.Cut(text, ":"); ok {
		return nonEmpty(text, Between(split(a), split(b)))
	}
	var dirs []Direction
	for _, n := range split(text) {
		if strings.HasPrefix(n, "*") {
			dirs = append(dirs, Direction{n, "*"})
			continue
		}
		dirs = append(dirs, Direction{n, "*"}, Direction{"*", n})
	}
	return nonEmpty(text, dirs)
}

func nonEmpty(text string, dirs []Direction) ([]Direction, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("cut %q: want node1, node1,node2:node3 or node1>node2", text)
	}
	return dirs, nil
}
