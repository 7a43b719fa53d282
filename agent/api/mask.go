package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// mask keeps names and values out of answers. It errs on the side of saying less: a name counts wherever it stands between
// characters that are neither letters nor digits ("web" in "fail-count-web" and "web_monitor_0").
type mask struct {
	names  map[string]bool
	values []string
}

// newMask makes a mask. Names of digits alone are left out: they are IDs of nodes whose names are masked, and stand in too
// many numbers.
func newMask(names, values []string) *mask {
	m := &mask{names: map[string]bool{}, values: values}
	for _, n := range names {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil {
			m.names[n] = true
		}
	}
	return m
}

// without returns a mask that lets through what a text says already.
func (m *mask) without(text string) *mask {
	out := &mask{names: map[string]bool{}, values: m.values}
	for n := range m.names {
		if !strings.Contains(text, n) {
			out.names[n] = true
		}
	}
	return out
}

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// tells reports whether a text has a masked name or value in it.
func (m *mask) tells(text string) bool { return m.text(text) != text }

// text returns the text with every masked name and value replaced.
func (m *mask) text(text string) string {
	for _, v := range m.values {
		text = strings.ReplaceAll(text, v, cib.Mask)
	}
	if len(m.names) == 0 {
		return text
	}
	var b strings.Builder
	for at := 0; at < len(text); {
		if at > 0 && word(text[at-1]) || !word(text[at]) && text[at] != '_' {
			b.WriteByte(text[at])
			at++
			continue
		}
		// The longest name that begins here and ends where a word ends.
		end, longest := at, 0
		for end < len(text) && end-at <= nameMax && text[end] != ' ' && text[end] != '\n' && text[end] != '"' {
			end++
			if (end == len(text) || !word(text[end])) && m.names[text[at:end]] {
				longest = end
			}
		}
		if longest > 0 {
			b.WriteString(cib.Mask)
			at = longest
			continue
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String()
}

// json cleans an answer: elements of lists that tell something are left out, elsewhere it is masked.
func (m *mask) json(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	v, _ = m.value(v)
	return json.Marshal(v)
}

// value returns a cleaned value, and whether it told something by itself (not in a list within it).
func (m *mask) value(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		clean := m.text(v)
		return clean, clean != v
	case []any:
		out := []any{}
		for _, item := range v {
			if clean, told := m.value(item); !told {
				out = append(out, clean)
			}
		}
		return out, false
	case map[string]any:
		told := false
		out := map[string]any{}
		for key, item := range v {
			if m.tells(key) {
				told = true
				continue
			}
			clean, t := m.value(item)
			out[key], told = clean, told || t
		}
		return out, told
	}
	return v, false
}
