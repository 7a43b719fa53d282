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
}

// NewScript returns a reader of lines; name is what its messages call it.
func NewScript(name string, r io.Reader) *Script {
	s := bufio.NewScanner(r)
	s.Buffer(nil, lineMax)
	return &Script{name: name, s: s}
}

// ReadLine returns the next line that says something, with those it goes on in joined and comments left out, and the place
// where it begins ("file:3"). At the end the error is io.EOF.
func (s *Script) ReadLine() (line, place string, err error) {
	whole := ""
	for s.s.Scan() {
		s.number++
		text := strings.TrimRight(s.s.Text(), "\r")
		if whole == "" {
			if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed[0] == '#' {
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
