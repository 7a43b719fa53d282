package resources

import "strings"

// Trim bounds a result's texts: the reason to one line of ReasonMax bytes, the output to its last OutputMax bytes, both
// valid UTF-8 without control characters.
func (r Result) Trim() Result {
	r.Reason = CleanText(r.Reason, ReasonMax, false)
	r.Output = CleanText(r.Output, OutputMax, true)
	return r
}

// CleanText makes any bytes fit for logs and status: valid UTF-8, no control characters but tab and, if lines is true, newline.
// Of a text longer than limit, the end is kept where lines is true, the beginning otherwise.
func CleanText(s string, limit int, lines bool) string {
	if len(s) > limit {
		if lines {
			s = s[len(s)-limit:]
		} else {
			s = s[:limit]
		}
	}
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' && !lines:
			return ' '
		case c == '\n' || c == '\t':
			return c
		case c < ' ' || c == 0x7f || c == 0xfffd:
			return '.'
		}
		return c
	}, s)
	return strings.TrimSpace(s)
}
