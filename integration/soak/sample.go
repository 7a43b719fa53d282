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
}

const mib = 1 << 20

// figures are judged by their trends. Connections between nodes come and go, a dozen at a time; a handle lost with every deed of
// an operator would be 180 in the judged three quarters of an hour. Files are judged by a bound, for they grow to where they are rotated: journals to 48 MiB in all
// (six files of 8), traces and history to their own bounds, the database as much again.
var figures = []figure{
	{"memory of the daemon (PSS)", "MiB", pss, Rule{Share: 0.10, Least: 3}, 0},
	{"open file handles", "", handles, Rule{Share: 0.05, Least: 16}, 0},
	{"threads", "", threads, Rule{Share: 0.20, Least: 3}, 0},
	{"files of the daemon's state", "MiB", files, Rule{}, 128},
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
