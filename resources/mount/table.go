package mount

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// entry is one line of the mount table.
type entry struct {
	id, parent int
	device     string // major:minor
	root       string // the part of the file system that is mounted
	point      string
	options    string // of this mount
	fstype     string
	source     string
	super      string // options of the file system
}

// readOnly says whether writing is refused, by the mount or by the file system. That may have been turned so after an error: newer kernels
// write it as emergency_ro, and statfs(2) knows nothing of it.
func (e entry) readOnly() (mount, super bool) {
	return hasOption(e.options, "ro"), hasOption(e.super, "ro") || hasOption(e.super, "emergency_ro")
}

// shutDown says whether the file system was given up after an error, as far as its kind writes it down.
func (e entry) shutDown() bool { return hasOption(e.super, "shutdown") }

func hasOption(list, name string) bool {
	for o := range strings.SplitSeq(list, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// table reads the mount table of a process ("self": ours), in the order in which mounts were made.
func table(process string) ([]entry, error) {
	b, err := os.ReadFile("/proc/" + process + "/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mount table: %w", err)
	}
	return parseTable(b), nil
}

// parseTable reads mountinfo(5). Lines that it does not understand are left out.
func parseTable(b []byte) []entry {
	var out []entry
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20) // overlays have options of many kilobytes
	for lines.Scan() {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			continue
		}
		e := entry{device: l[2], root: unescape(l[3]), point: unescape(l[4]), options: l[5], fstype: r[0], source: unescape(r[1])}
		e.id, _ = strconv.Atoi(l[0])
		e.parent, _ = strconv.Atoi(l[1])
		if len(r) > 2 {
			e.super = r[2]
		}
		out = append(out, e)
	}
	return out
}

// unescape undoes the octal escapes of blanks, tabs, newlines and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// at returns what is mounted on a folder, the uppermost last.
func at(es []entry, point string) []entry {
	var out []entry
	for _, e := range es {
		if e.point == point {
			out = append(out, e)
		}
	}
	return out
}

// below returns what is mounted somewhere below a folder, in the order in which it can be unmounted.
func below(es []entry, point string) []entry {
	var out []entry
	for i := len(es) - 1; i >= 0; i-- {
		if strings.HasPrefix(es[i].point, strings.TrimSuffix(point, "/")+"/") {
			out = append(out, es[i])
		}
	}
	return out
}
