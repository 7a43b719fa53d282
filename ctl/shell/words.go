package shell

import (
	"errors"
	"strings"
)

// ErrOpenQuote says that a line ends within quotes.
var ErrOpenQuote = errors.New("a quote is not closed")

// Split splits a line into words as a POSIX shell does: blanks separate, quotes keep together, a backslash takes the next
// character as it is. A word that begins with '#' ends the line. Nothing is expanded.
func Split(line string) ([]string, error) {
	words, last, at, err := parse(line)
	if err != nil {
		return nil, err
	}
	if at < len(line) {
		words = append(words, last)
	}
	return words, nil
}

// Partial splits a line that is still being typed: the words before the last one, the last one as far as it is there ("" after
// a blank), and where it begins. A quote that is still open is closed at the end.
func Partial(line string) (before []string, last string, at int) {
	before, last, at, _ = parse(line)
	return before, last, at
}

// parse returns all words but the last, the last, and where that begins; a line that ends in a blank has an empty last
// word at its end.
func parse(line string) (before []string, last string, at int, err error) {
	var b strings.Builder
	in, start, quote := false, 0, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'':
			if c == quote {
				quote = 0
			} else {
				b.WriteByte(c)
			}
		case quote == '"':
			switch {
			case c == quote:
				quote = 0
			case c == '\\' && i+1 < len(line) && strings.IndexByte(`"\$`+"`", line[i+1]) >= 0:
				i++
				b.WriteByte(line[i])
			default:
				b.WriteByte(c)
			}
		case c == ' ' || c == '\t':
			if in {
				before = append(before, b.String())
				b.Reset()
			}
			in = false
		case c == '#' && !in:
			return before, "", len(line), nil
		default:
			if !in {
				in, start = true, i
			}
			switch c {
			case '"', '\'':
				quote = c
			case '\\':
				if i++; i < len(line) {
					b.WriteByte(line[i])
				}
			default:
				b.WriteByte(c)
			}
		}
	}
	if quote != 0 {
		err = ErrOpenQuote
	}
	if !in {
		return before, "", len(line), err
	}
	return before, b.String(), start, err
}

// Continues says whether a line goes on in the next one, and returns it without the sign for it: a backslash at its end.
func Continues(line string) (string, bool) {
	right := strings.TrimRight(line, " \t\r")
	if strings.HasSuffix(right, `\`) && !strings.HasSuffix(right, `\\`) {
		return right[:len(right)-1], true
	}
	return line, false
}
