package crm

import (
	"fmt"
	"slices"
	"strings"

	"paceline/agent/cib"
)

// Error is one mistake in a text.
type Error struct {
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // in bytes, from 1
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string {
	text := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Errors is what Parse and Update return: all mistakes found, in the order of the text.
type Errors []*Error

func (list Errors) Error() string {
	lines := make([]string, 0, len(list))
	for _, e := range list {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// sorted returns the errors in the order of the text, bounded, or nil if there are none.
func (list Errors) sorted() error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if len(list) > errorsMax {
		list = list[:errorsMax]
	}
	return list
}

// place is where something stands in a text.
type place struct {
	line, column int
}

func (p place) errorf(format string, args ...any) *Error {
	return &Error{Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...)}
}

// unknown is an error about a name, with the nearest of the known ones as the hint.
func (p place) unknown(name string, known []string, format string, args ...any) *Error {
	e := p.errorf(format, args...)
	if near := cib.Near(name, known); near != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return e
}

// or lists alternatives: "a, b or c".
func or(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
