// Command testrun runs go test and shows what it did so that nothing is hidden: each package's result as go test prints
// it, the output of what failed, and at the end every test that was skipped, with its reason. Its exit status is go
// test's. Arguments are go test's.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// run collects the events of a run.
type run struct {
	out     io.Writer
	output  map[string][]string // by package and test, until its result is known
	skipped map[string]string   // test -> reason
	passed  int
	failed  int
	closing []string // go test's own last lines, a package each
}

func main() {
	args := append([]string{"test", "-json"}, os.Args[1:]...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
	r := &run{out: os.Stdout, output: map[string][]string{}, skipped: map[string]string{}}
	r.read(pipe)
	err = cmd.Wait()
	r.summary()
	if err != nil {
		os.Exit(1)
	}
}

func (r *run) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // not an event: the go command itself speaks
			continue
		}
		r.take(e)
	}
}

func (r *run) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			r.packageLine(e.Output)
			return
		}
		r.output[key] = append(r.output[key], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.output, key)
	case "fail":
		if e.Test != "" {
			r.failed++
		}
		for _, line := range r.output[key] {
			fmt.Fprint(r.out, line)
		}
		delete(r.output, key)
	case "skip":
		if e.Test != "" {
			r.skipped[strings.TrimPrefix(e.Package, "paceline/")+" "+e.Test] = reason(r.output[key])
		}
		delete(r.output, key)
	}
}

// packageLine takes in what go test says of a package as a whole.
func (r *run) packageLine(text string) {
	if text == "PASS\n" || text == "FAIL\n" {
		return
	}
	fmt.Fprint(r.out, text)
	for _, start := range []string{"ok ", "ok\t", "FAIL", "---", "?"} {
		if strings.HasPrefix(text, start) {
			r.closing = append(r.closing, text)
			return
		}
	}
}

// reason finds why a test was skipped in what it printed.
func reason(output []string) string {
	var out []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// "file_test.go:12: words": the place is known from the test's name.
		if _, words, ok := strings.Cut(line, ".go:"); ok {
			if _, words, ok = strings.Cut(words, ": "); ok {
				line = words
			}
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, "; ")
}

func (r *run) summary() {
	byReason := map[string][]string{}
	for test, why := range r.skipped {
		byReason[why] = append(byReason[why], test)
	}
	var reasons []string
	for why := range byReason {
		reasons = append(reasons, why)
	}
	sort.Strings(reasons)
	if len(reasons) > 0 {
		fmt.Fprintln(r.out, "\nskipped:")
	}
	for _, why := range reasons {
		fmt.Fprintf(r.out, "  %s\n", why)
		sort.Strings(byReason[why])
		for _, test := range byReason[why] {
			fmt.Fprintf(r.out, "      %s\n", test)
		}
	}
	fmt.Fprintf(r.out, "\n%d tests passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	for _, line := range r.closing {
		fmt.Fprint(r.out, line)
	}
}
