package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"paceline/integration/lab"
)

// figure is something that is sampled of every node.
type figure struct {
	title, unit string
	read        func(n *lab.Node, pid int) (float64, error)
	rule        Rule
	// most, if not 0, is a bound that the figure may reach and not pass: it is then judged by that alone.
	most float64
	// whole judges the sum over all nodes, for what belongs to a resource goes with it from node to node.
	whole bool
}

const mib = 1 << 20

// figures are judged by their trends. A handle lost with every deed of an operator would be 180 in the judged three quarters of an hour. Files
// are judged by a bound, for they grow to where they are rotated: journals to 48 MiB in all (six files of 8), traces and history to their own
// bounds, the database as much again.
var figures = []figure{
	{title: "memory of the daemon (PSS)", unit: "MiB", read: pss, rule: Rule{Share: 0.10, Least: 3}},
	{title: "open file handles", read: handles, rule: Rule{Share: 0.01, Least: 4}, whole: true},
	{title: "threads", read: threads, rule: Rule{Share: 0.20, Least: 3}},
	{title: "files of the daemon's state", unit: "MiB", read: files, most: 128},
}

func pss(_ *lab.Node, pid int) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	kib, err := field(bufio.NewScanner(f), "Pss:")
	return kib / 1024, err
}

func threads(_ *lab.Node, pid int) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return field(bufio.NewScanner(f), "Threads:")
}

// field reads the number behind a name at the beginning of a line.
func field(lines *bufio.Scanner, name string) (float64, error) {
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == name {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("no line %s", name)
}

func handles(_ *lab.Node, pid int) (float64, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return float64(len(list)), err
}

// handleKinds counts a process's handles by what they are: "socket", "[pidfd]", "file".
func handleKinds(pid int) (map[string]int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, fd := range list {
		link, err := os.Readlink(filepath.Join(dir, fd.Name()))
		switch kind, _, found := strings.Cut(link, ":"); {
		case err != nil: // closed just then
		case !found:
			out["file"]++
		case kind == "anon_inode":
			out[strings.TrimPrefix(link, "anon_inode:")]++
		default:
			out[kind]++
		}
	}
	return out, nil
}

func files(n *lab.Node, _ int) (float64, error) {
	var sum int64
	err := filepath.WalkDir(n.Disk("/var/lib/paceline"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what is removed just then is not counted
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return float64(sum) / mib, err
}
