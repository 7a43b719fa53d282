package crm

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// word is one word of a line, with its quotes and escapes taken away.
type word struct {
	place
	text   string
	quoted bool // it begins with a quote, so it is no bracket
}

// is tells whether the word is a keyword; those are read in any case.
func (w word) is(keyword string) bool { return strings.EqualFold(w.text, keyword) && !w.quoted }

// line is one logical line: an object or a command.
type line struct {
	words []word
	raw   string // the text after the first word, for lines that hold another language
	end   place  // just behind the last word

	comment string // the lines of comment before it, without their marks
}

// split parts a text into logical lines. A backslash at the end of a line joins the next one; a line whose first character is
// '#' is a comment: it belongs to the line after it, and those behind the last line are returned by themselves. One inside of an
// object, between lines that are joined, moves in front of the object; there #uname and its like are words.
func split(text string) (lines []line, comment string, errs Errors) {
	var comments []string
	s := &scanner{}
	var current line
	joined := false
	for number, physical := range strings.Split(text, "\n") {
		physical = strings.TrimSuffix(physical, "\r")
		if at := unwritable(physical); at >= 0 {
			errs = append(errs, place{number + 1, at + 1}.errorf("a character that no text should hold: %q", physical[at:at+1]))
			continue
		}
		trimmed := strings.TrimSpace(physical)
		if !joined && strings.HasPrefix(trimmed, "#") {
			comments = append(comments, trimmed[1:])
			continue
		}
		if joined && insideComment(trimmed) {
			comments = append(comments, strings.TrimRight(strings.TrimSuffix(trimmed[1:], `\`), " \t"))
			continue
		}
		body, goesOn := physical, false
		if right := strings.TrimRight(physical, " \t"); strings.HasSuffix(right, `\`) && !strings.HasSuffix(right, `\\`) {
			body, goesOn = right[:len(right)-1], true
		}
		if err := s.words(body, number+1, &current); err != nil {
			errs = append(errs, err)
		}
		if joined = goesOn; joined {
			continue
		}
		if len(current.words) > 0 {
			current.comment = strings.Join(comments, "\n")
			comments = nil
			lines = append(lines, current)
		}
		current = line{}
	}
	if len(current.words) > 0 {
		current.comment = strings.Join(comments, "\n")
		comments = nil
		lines = append(lines, current)
	}
	return lines, strings.Join(comments, "\n"), errs
}

// insideComment tells whether a line that goes on another is a comment, and not a word of a rule or an attribute of health.
func insideComment(trimmed string) bool {
	if !strings.HasPrefix(trimmed, "#") {
		return false
	}
	name, _, _ := strings.Cut(trimmed, " ")
	name, _, _ = strings.Cut(name, "\t")
	return !slices.Contains(markedNames, strings.ToLower(name)) && !strings.HasPrefix(name, "#health")
}

// markedNames are the attributes that every node has, by rules' names for them.
var markedNames = []string{"#uname", "#id", "#kind", "#cluster-name", "#site-name", "#role", "#ra-version"}

// unwritable returns the place of the first byte that is not UTF-8 or is a control character, or -1.
func unwritable(line string) int {
	for i, r := range line {
		if _, width := utf8.DecodeRuneInString(line[i:]); r == utf8.RuneError && width == 1 || r < ' ' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return i
		}
	}
	return -1
}

// scanner parts one physical line into words.
type scanner struct {
	text string
	at   int
}

func (s *scanner) words(text string, number int, to *line) *Error {
	s.text, s.at = text, 0
	for {
		for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t') {
			s.at++
		}
		if s.at == len(s.text) {
			return nil
		}
		if len(to.words) > 0 && to.words[0].is("xml") { // the rest is not ours
			rest := s.text[s.at:]
			to.raw = strings.TrimSpace(to.raw + " " + rest)
			to.words = append(to.words, word{place: place{number, s.at + 1}, text: rest})
			to.end = place{number, len(s.text) + 1}
			return nil
		}
		w := word{place: place{number, s.at + 1}, quoted: s.text[s.at] == '"' || s.text[s.at] == '\''}
		var err *Error
		if w.text, err = s.word(w.place); err != nil {
			return err
		}
		to.words = append(to.words, w)
		to.end = place{number, s.at + 1}
	}
}

// word reads up to the next blank outside of quotes, as a POSIX shell does.
func (s *scanner) word(start place) (string, *Error) {
	var b strings.Builder
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t':
			return b.String(), nil
		case '"', '\'':
			if err := s.quote(c, start, &b); err != nil {
				return "", err
			}
		case '\\':
			s.at++
			if s.at < len(s.text) {
				b.WriteByte(s.text[s.at])
				s.at++
			}
		default:
			b.WriteByte(c)
			s.at++
		}
	}
	return b.String(), nil
}

func (s *scanner) quote(quote byte, start place, b *strings.Builder) *Error {
	open := place{start.line, s.at + 1}
	s.at++
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == quote:
			return nil
		case c == '\\' && quote == '"' && s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '\\'):
			b.WriteByte(s.text[s.at])
			s.at++
		default:
			b.WriteByte(c)
		}
	}
	return open.errorf("the quote %c is not closed on its line", quote)
}

// quoteValue writes a value as a word, quoted where it must be or where people are used to it.
func quoteValue(value string) string {
	if value != "" && strings.Trim(value, safeMarks) == "" {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

const safeMarks = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+#%@"

// sayable tells whether a value can stand in a text, which is made of lines.
func sayable(value string) bool {
	return !strings.ContainsAny(value, "\n\r\x00")
}
