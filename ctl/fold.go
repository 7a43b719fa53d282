package ctl

import (
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// foldLeast is the narrowest terminal for which sentences are folded: in less, a word a line would be left.
const foldLeast = 40

// colourMark is an escape sequence that takes no room.
var colourMark = regexp.MustCompile("\x1b\\[[0-9;]*m")

// folding writes sentences to standard output, as wide as the terminal is; where there is none, as they are.
func (in *invocation) folding(write func(w io.Writer)) {
	var b strings.Builder
	write(&b)
	io.WriteString(in.Out, fold(b.String(), in.Width))
}

// fold breaks lines that are wider than width at blanks. What follows stands under the first word of its line, behind the mark of a
// list. A command to be typed, at the beginning of a line or behind an arrow, stays whole.
func fold(text string, width int) string { return foldBy(text, width, hanging) }

func foldBy(text string, width int, hang func(plain string) int) string {
	if width < foldLeast {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		rest := strings.TrimSuffix(line, "\n")
		plain := colourMark.ReplaceAllString(rest, "")
		indent := hang(plain)
		if words := strings.TrimLeft(plain, " "); strings.HasPrefix(words, "paceline ") || strings.HasPrefix(words, "-> ") || indent > width/2 {
			out.WriteString(line)
			continue
		}
		from, room := indent, width
		for {
			cut := breakAt(rest, from, room)
			if cut < 0 {
				break
			}
			out.WriteString(rest[:cut] + "\n" + strings.Repeat(" ", indent))
			rest = strings.TrimLeft(rest[cut:], " ")
			from, room = 0, width-indent
		}
		out.WriteString(rest + line[len(strings.TrimSuffix(line, "\n")):])
	}
	return out.String()
}

// hanging is how far in the words of a line begin.
func hanging(plain string) int {
	words := strings.TrimLeft(plain, " ")
	n := len(plain) - len(words)
	for _, mark := range []string{"* ", "- ", "! ", "+ "} {
		if strings.HasPrefix(words, mark) {
			return n + len(mark)
		}
	}
	return n
}

// columns parts a name in a list of help from what is said about it.
var columns = regexp.MustCompile(`^ +\S+(?: \S+)*  +`)

// foldHelp folds the help of a command: its paragraphs are filled, and what is said about a name stays in its column.
func foldHelp(text string, width int) string {
	if width < foldLeast {
		return text
	}
	const indent = "   " // of paragraphs
	var out strings.Builder
	described, open := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if c := columns.FindString(line); len(c) > width/2 { // no room beside such names
			line = strings.TrimRight(c, " ") + "\n" + strings.Repeat(" ", 3*len(indent)) + line[len(c):]
		}
		switch words, ok := strings.CutPrefix(line, indent); {
		case described && ok && words != "" && words[0] != ' ' && open:
			out.WriteString(" " + words)
			continue
		default:
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			if line != "" && line[0] != ' ' {
				described = line == "DESCRIPTION:"
			}
			open = described && ok && words != "" && words[0] != ' '
			out.WriteString(line)
		}
	}
	return foldBy(out.String()+"\n", width, func(plain string) int {
		if c := columns.FindString(plain); c != "" {
			return len(c)
		}
		return hanging(plain)
	})
}

// breakAt finds the blank at which a line has to be broken to fit: the last one within room, or else the first behind it; -1 if the line
// fits, or has none. Blanks in the first columns, up to from, are indentation.
func breakAt(line string, from, room int) int {
	at, column := -1, 0
	for i := 0; i < len(line); {
		if mark := colourMark.FindStringIndex(line[i:]); mark != nil && mark[0] == 0 {
			i += mark[1]
			continue
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		if line[i] == ' ' && column >= from && (column <= room || at < 0) {
			at = i
		}
		i += size
		column++
		if column > room && at >= 0 {
			return at
		}
	}
	return -1
}
