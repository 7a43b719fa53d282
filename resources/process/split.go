package process

import (
	"errors"
	"fmt"
	"strings"
)

// split cuts a line into words as a shell does, without being one: blanks separate, '...' is literal, "..." and \ quote.
// Nothing is expanded, so no variable, pattern or command can get into it.
func split(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	inWord := false
	var quote rune // ' or " while inside
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' && c != '$' && c != '`' {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("a %c is not closed", quote)
	case escaped:
		return nil, errors.New("it ends in a backslash")
	}
	if inWord {
		out = append(out, word.String())
	}
	if len(out) > argumentsMax {
		return nil, fmt.Errorf("more than %d words", argumentsMax)
	}
	return out, nil
}
