package conformance

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"paceline/resources/procfs"
)

// scene is what an agent may leave behind on a machine.
type scene struct{ mounts, addresses, files map[string]bool }

// look notes what is there now. What cannot be read is not compared.
func look() scene {
	s := scene{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 4 {
				s.mounts[f[4]] = true
			}
		}
	}
	links, _ := net.Interfaces()
	for _, l := range links {
		as, _ := l.Addrs()
		for _, a := range as {
			if ip, ok := a.(*net.IPNet); !ok || !ip.IP.IsLinkLocalUnicast() { // the kernel makes these by itself
				s.addresses[a.String()+" on "+l.Name] = true
			}
		}
	}
	_ = filepath.WalkDir("/run", func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.Count(path, "/") > 4 || path == "/run/user" || path == "/run/systemd" || path == "/run/udev" {
			return fs.SkipDir
		}
		if !d.IsDir() {
			s.files[path] = true
		}
		return nil
	})
	return s
}

// added names what is in b and not in a.
func added(a, b map[string]bool) string {
	var out []string
	for k := range b {
		if !a[k] {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return listed(out)
}

func listed(out []string) string {
	if len(out) > namedMax {
		out = append(out[:namedMax:namedMax], fmt.Sprintf("and %d more", len(out)-namedMax))
	}
	return strings.Join(out, ", ")
}

// processes names what the agent began and what still runs, and ends it.
func (t *tester) processes(ctx context.Context) string {
	self, err := procfs.Stat(os.Getpid())
	if err != nil {
		return ""
	}
	// No process bears this number: the tree is what carries the mark, and what that began.
	tree := procfs.Tree{Root: procfs.ID{PID: -1, Start: self.Start}, Mark: t.mark}
	ps, err := tree.Members()
	if err != nil || len(ps) == 0 {
		return ""
	}
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s (pid %d)", p.Command(40), p.PID))
	}
	ctx, cancel := context.WithTimeout(ctx, queryMax)
	defer cancel()
	_, _ = tree.Kill(ctx) // what cannot be ended is named already
	return listed(out)
}
