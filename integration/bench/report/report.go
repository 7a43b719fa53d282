// Package report puts measurements into a document that several programs write: each replaces the sections that it
// measured, and leaves those of the others as they are.
package report

import "strings"

// Merge returns the document old with the sections of fresh. A section begins with its heading ("## ...") and replaces
// the one of the same heading; one that old does not have comes last. What comes before the first heading is taken from
// fresh where it has something there.
func Merge(old, fresh string) string {
	have, come := split(old), split(fresh)
	for _, s := range come {
		at := -1
		for i, h := range have {
			if h.heading == s.heading {
				at = i
			}
		}
		switch {
		case at >= 0:
			have[at] = s
		case s.heading == "":
			have = append([]section{s}, have...)
		default:
			have = append(have, s)
		}
	}
	texts := make([]string, len(have))
	for i, h := range have {
		texts[i] = h.text
	}
	return strings.Join(texts, "\n\n") + "\n"
}

// section is a heading and everything up to the next one.
type section struct{ heading, text string }

func split(document string) []section {
	var out []section
	var lines []string
	end := func() {
		if text := strings.TrimSpace(strings.Join(lines, "\n")); text != "" {
			s := section{text: text}
			if strings.HasPrefix(text, "## ") {
				s.heading, _, _ = strings.Cut(text, "\n")
			}
			out = append(out, s)
		}
		lines = nil
	}
	for line := range strings.Lines(document) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "## ") {
			end()
		}
		lines = append(lines, line)
	}
	end()
	return out
}
