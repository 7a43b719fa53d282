package resources

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is something wrong with the parameters of a resource, in words for people.
type Problem struct {
	Parameter string `json:"parameter"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
	Fatal     bool   `json:"fatal"` // the agent cannot work with it; otherwise a warning
}

// String returns the problem as one line.
func (p Problem) String() string {
	s := fmt.Sprintf("parameter %s: %s", p.Parameter, p.Message)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Check compares parameters with the meta-data: required ones that are missing, values that do not fit their type, names that
// the agent does not know (a warning: agents ignore those). The order is the agent's, then unknown names sorted.
func (m *MetaData) Check(params map[string]string) []Problem {
	var out []Problem
	for _, p := range m.Parameters {
		v, given := params[p.Name]
		if !given || v == "" {
			if p.Required && !given && !m.replaced(p, params) {
				out = append(out, Problem{Parameter: p.Name, Message: "is required and not set", Fatal: true})
			}
			continue
		}
		if msg := p.wrong(v); msg != "" {
			out = append(out, Problem{Parameter: p.Name, Message: msg, Fatal: true})
		}
		if p.Deprecated {
			hint := ""
			if p.ReplacedBy != "" {
				hint = "use " + p.ReplacedBy
			}
			out = append(out, Problem{Parameter: p.Name, Message: "is deprecated", Hint: hint})
		}
	}
	var unknown []string
	for name := range params {
		if _, ok := m.Parameter(name); !ok && name != "OCF_CHECK_LEVEL" && !strings.HasPrefix(name, "CRM_meta_") {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		q := Problem{Parameter: name, Message: "is not a parameter of " + m.Name}
		if near := m.nearest(name); near != "" {
			q.Hint = "did you mean " + near + "?"
		}
		out = append(out, q)
	}
	return out
}

// replaced says whether a required parameter is given under the old name that it replaces, or the new one that replaces it.
func (m *MetaData) replaced(p Parameter, params map[string]string) bool {
	for _, o := range m.Parameters {
		if o.ReplacedBy == p.Name || o.Name == p.ReplacedBy {
			if _, ok := params[o.Name]; ok {
				return true
			}
		}
	}
	return false
}

// wrong says why a value does not fit, or "".
func (p Parameter) wrong(v string) string {
	switch p.Type {
	case "integer":
		if _, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err != nil {
			return fmt.Sprintf("%q is not a whole number", v)
		}
	case "boolean":
		if _, err := ParseBool(v); err != nil {
			return err.Error()
		}
	case "time", "second":
		if _, err := ParseDuration(v); err != nil {
			return err.Error()
		}
	case "select":
		if len(p.Values) > 0 && !slices.Contains(p.Values, v) {
			return fmt.Sprintf("%q is not one of %s", v, strings.Join(p.Values, ", "))
		}
	}
	return ""
}

// nearest returns the parameter name at the smallest edit distance, if it is near enough to be a slip.
func (m *MetaData) nearest(name string) string {
	best, dist := "", len(name)/3+2
	for _, p := range m.Parameters {
		if d := editDistance(name, p.Name); d < dist {
			best, dist = p.Name, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ParseBool reads the words that OCF agents take for yes and no.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on", "y", "ja":
		return true, nil
	case "0", "no", "false", "off", "n":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// ParseDuration reads an amount of time as OCF writes it: a number with us, ms, s, sec, m, min, h, hr, d, or without a unit
// (seconds). Negative amounts and those beyond ten years are refused.
func ParseDuration(s string) (time.Duration, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	i := 0
	for i < len(t) && (t[i] >= '0' && t[i] <= '9' || t[i] == '.') {
		i++
	}
	n, err := strconv.ParseFloat(t[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an amount of time (examples: 20s, 500ms, 2min)", s)
	}
	var unit time.Duration
	switch strings.TrimSpace(t[i:]) {
	case "us", "usec":
		unit = time.Microsecond
	case "ms", "msec":
		unit = time.Millisecond
	case "", "s", "sec", "secs", "second", "seconds":
		unit = time.Second
	case "m", "min", "mins", "minute", "minutes":
		unit = time.Minute
	case "h", "hr", "hour", "hours":
		unit = time.Hour
	case "d", "day", "days":
		unit = 24 * time.Hour
	default:
		return 0, fmt.Errorf("%q is not an amount of time: unknown unit %q", s, strings.TrimSpace(t[i:]))
	}
	const longest = 10 * 365 * 24 * time.Hour
	if n > float64(longest)/float64(unit) {
		return 0, fmt.Errorf("%q is beyond ten years", s)
	}
	return time.Duration(n * float64(unit)), nil
}

// Values reads the parameters of one request with the defaults of the meta-data, and remembers the first that is wrong:
// read all, then ask Err once.
type Values struct {
	meta   *MetaData
	params map[string]string
	err    error
}

// NewValues makes Values of a request's parameters.
func NewValues(m *MetaData, params map[string]string) *Values {
	return &Values{meta: m, params: params}
}

// Err is the first problem met.
func (v *Values) Err() error { return v.err }

// Failf notes a problem of a parameter.
func (v *Values) Failf(name, format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf("parameter %s: %s", name, fmt.Sprintf(format, args...))
	}
}

// String returns the value or the default. A required parameter that is empty is a problem.
func (v *Values) String(name string) string {
	p, known := v.meta.Parameter(name)
	if !known {
		panic("resources: agent " + v.meta.Name + " reads parameter " + name + ", which its meta-data lacks")
	}
	if s, ok := v.params[name]; ok && s != "" {
		return s
	}
	if p.Required {
		v.Failf(name, "is required and not set")
	}
	return p.Default
}

// Given says whether the parameter was set to something.
func (v *Values) Given(name string) bool { return v.params[name] != "" }

// Bool reads yes or no.
func (v *Values) Bool(name string) bool {
	s := v.String(name)
	if s == "" {
		return false
	}
	b, err := ParseBool(s)
	if err != nil {
		v.Failf(name, "%v", err)
	}
	return b
}

// Int reads a whole number from least to most.
func (v *Values) Int(name string, least, most int) int {
	s := v.String(name)
	if s == "" {
		return least
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < least || n > most {
		v.Failf(name, "%q is not a whole number from %d to %d", s, least, most)
		return least
	}
	return n
}

// Duration reads an amount of time; empty is 0.
func (v *Values) Duration(name string) time.Duration {
	s := v.String(name)
	if s == "" {
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		v.Failf(name, "%v", err)
	}
	return d
}

// Addr reads an IP address.
func (v *Values) Addr(name string) netip.Addr {
	s := v.String(name)
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil && s != "" {
		v.Failf(name, "%q is not an IP address", s)
	}
	return a.Unmap()
}

// Select reads one of the values that the meta-data lists.
func (v *Values) Select(name string) string {
	s := v.String(name)
	p, _ := v.meta.Parameter(name)
	if !slices.Contains(p.Values, s) {
		v.Failf(name, "%q is not one of %s", s, strings.Join(p.Values, ", "))
	}
	return s
}
