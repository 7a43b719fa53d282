package shell

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Script reads lines from a file or a pipe.
type Script struct {
	name   string
	s      *bufio.Scanner
	number int

	comments []string
}

// NewScript returns a reader of lines; name is what its messages call it.
func NewScript(name string, r io.Reader) *Script {
	s := bufio.NewScanner(r)
	s.Buffer(nil, lineMax)
	return &Script{name: name, s: s}
}

// Comment returns the lines of comment before the line that ReadLine returned last, each with its mark.
func (s *Script) Comment() []string { return s.comments }

// ReadLine returns the next line that says something, with those it goes on in joined and comments left out, and the place
// where it begins ("file:3"). At the end the error is io.EOF.
func (s *Script) ReadLine() (line, place string, err error) {
	whole := ""
	s.comments = nil
	for s.s.Scan() {
		s.number++
		text := strings.TrimRight(s.s.Text(), "\r")
		if whole == "" {
			trimmed := strings.TrimSpace(text)
			if strings.HasPrefix(trimmed, "#") && !(s.number == 1 && strings.HasPrefix(trimmed, "#!")) { // that names the interpreter
				s.comments = append(s.comments, trimmed)
			}
			if trimmed == "" || trimmed[0] == '#' {
				continue
			}
			place = fmt.Sprintf("%s:%d", s.name, s.number)
		}
		part, more := Continues(text)
		whole += part
		if !more {
			return whole, place, nil
		}
	}
	if err := s.s.Err(); err != nil {
		return "", place, fmt.Errorf("read %s: %w", s.name, err)
	}
	if whole != "" {
		return whole, place, nil
	}
	return "", place, io.EOF
}
