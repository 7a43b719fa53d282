package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"paceline/agent/api"
	"paceline/agent/cib"
)

const (
	// reportFileMax bounds one file of a report: the newest part of a log says most.
	reportFileMax = 4 << 20
	// reportInputs is how many saved inputs of the scheduler a node's part holds, the newest.
	reportInputs = 20
	// reportLogWait bounds the reading of the machine's log.
	reportLogWait = 20 * time.Second
)

var _ api.Reporter = backend{}

// Report collects what this node can say about a span of time: its daemon's configuration and log, the journal of what it
// ran, the saved inputs of the scheduler. Nothing secret is in it: values of parameters with the names of secrets are
// masked wherever they stand, and so are tokens; the cluster's key is not among the files.
func (b backend) Report(ctx context.Context, span api.ReportSpan) ([]api.ReportFile, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	opt := b.d.opt
	var secrets []string
	if c := n.store.Snapshot().CIB; c != nil {
		secrets = c.Secrets()
	}
	clean := cleaner(secrets)
	out := []api.ReportFile{{Name: "node.txt", Data: describe(n.file.Node, opt.Version)}}
	add := func(name string, data []byte, cut bool, err error) {
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				out = append(out, api.ReportFile{Name: name + ".error", Data: []byte(err.Error() + "\n")})
			}
			return
		}
		out = append(out, api.ReportFile{Name: name, Data: clean(data), Truncated: cut})
	}
	data, cut, err := tail(opt.filePath(), reportFileMax)
	add("paceline.json", data, cut, err)
	journals, _ := filepath.Glob(filepath.Join(opt.DataDir, "journal.jsonl*")) // the pattern is a good one
	for _, path := range journals {
		data, cut, err := tail(path, reportFileMax)
		add(filepath.Base(path), data, cut, err)
	}
	data, cut, err = machineLog(ctx, span)
	add("pacelined.log", data, cut, err)
	data, cut, err = tail(filepath.Join(opt.DataDir, "history", "timeline"), reportFileMax)
	add("history/timeline", data, cut, err)
	for _, path := range newest(filepath.Join(opt.DataDir, "history"), reportInputs) {
		data, err := maskedInput(path)
		add("history/"+strings.TrimSuffix(filepath.Base(path), ".input.gz")+".json", data, false, err)
	}
	return out, nil
}

// describe says what machine it is.
func describe(node, version string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "node: %s\npaceline: %s\ntime: %s\n", node, version, time.Now().Format(time.RFC3339Nano))
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Fprintf(&b, "kernel: %s %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
	}
	for _, path := range []string{"/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory"} {
		if text, err := os.ReadFile(path); err == nil { // what a machine does not have is left out
			fmt.Fprintf(&b, "\n%s:\n%s", path, text)
		}
	}
	return b.Bytes()
}

// tail reads the end of a file, from the start of a line; cut says that something is missing before it.
func tail(path string, most int64) (data []byte, cut bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if st.Size() > most {
		cut = true
		if _, err := f.Seek(st.Size()-most, io.SeekStart); err != nil {
			return nil, false, err
		}
	}
	data, err = io.ReadAll(io.LimitReader(f, most))
	return fromLine(data, cut), cut, err
}

func fromLine(data []byte, cut bool) []byte {
	if at := bytes.IndexByte(data, '\n'); cut && at >= 0 {
		return data[at+1:]
	}
	return data
}

// machineLog reads the daemon's lines of the machine's log.
func machineLog(ctx context.Context, span api.ReportSpan) ([]byte, bool, error) {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	args := []string{"--unit=pacelined.service", "--no-pager", "--output=short-iso-precise", fmt.Sprintf("--since=@%d", span.From.Unix())}
	if !span.To.IsZero() {
		args = append(args, fmt.Sprintf("--until=@%d", span.To.Unix()+1))
	}
	ctx, cancel := context.WithTimeout(ctx, reportLogWait)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &lastOf{b: &out, most: reportFileMax}, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, false, fmt.Errorf("read the log: %w: %s", err, strings.TrimSpace(said.String()))
	}
	cut := out.Len() > reportFileMax
	if cut {
		return fromLine(out.Bytes()[out.Len()-reportFileMax:], true), true, nil
	}
	return out.Bytes(), false, nil
}

// lastOf keeps at least the last bytes that are written to it, and at most twice as many.
type lastOf struct {
	b    *bytes.Buffer
	most int
}

func (l *lastOf) Write(p []byte) (int, error) {
	l.b.Write(p)
	if l.b.Len() > 2*l.most {
		kept := bytes.Clone(l.b.Bytes()[l.b.Len()-l.most:])
		l.b.Reset()
		l.b.Write(kept)
	}
	return len(p), nil
}

// newest lists the newest saved inputs in a folder, oldest first.
func newest(dir string, most int) []string {
	list, _ := filepath.Glob(filepath.Join(dir, "*.input.gz")) // the pattern is a good one
	when := map[string]time.Time{}
	for _, path := range list {
		if st, err := os.Stat(path); err == nil {
			when[path] = st.ModTime()
		}
	}
	slices.SortFunc(list, func(a, b string) int { return when[a].Compare(when[b]) })
	return list[max(0, len(list)-most):]
}

// maskedInput reads a saved input, with its secrets masked: also those that are no longer configured.
func maskedInput(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	d := json.NewDecoder(io.LimitReader(z, 8*reportFileMax))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	maskNamed(v)
	data, err := json.Marshal(v)
	if err == nil && len(data) > reportFileMax {
		return nil, fmt.Errorf("%s holds %d bytes: a report takes at most %d", path, len(data), reportFileMax)
	}
	return data, err
}

// maskNamed masks, in decoded JSON, the value of every object whose name is that of a secret.
func maskNamed(v any) {
	switch x := v.(type) {
	case map[string]any:
		if name, ok := x["name"].(string); ok && cib.SecretName(name) {
			if value, ok := x["value"].(string); ok && value != "" {
				x["value"] = cib.Mask
			}
		}
		for _, child := range x {
			maskNamed(child)
		}
	case []any:
		for _, child := range x {
			maskNamed(child)
		}
	}
}

// What may be a secret in a text: a token to join or to use the cluster, a member of a JSON object, NAME=VALUE.
var (
	anyToken   = regexp.MustCompile(`\b(paceline(?:-access)?1\.)[A-Za-z0-9_-]+`) // as package peer encodes them
	jsonMember = regexp.MustCompile(`"([A-Za-z0-9_.:-]+)"(\s*:\s*)"(?:[^"\\]|\\.)*"`)
	assignment = regexp.MustCompile(`\b([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',;]+)`)
)

// maskMatches masks what follows a name (the first group) that is that of a secret.
func maskMatches(text []byte, pattern *regexp.Regexp, masked string) []byte {
	return pattern.ReplaceAllFunc(text, func(match []byte) []byte {
		at := pattern.FindSubmatchIndex(match)
		if !cib.SecretName(string(match[at[2]:at[3]])) {
			return match
		}
		return pattern.Expand(nil, []byte(masked), match, at)
	})
}

// cleaner returns what takes secrets out of a text: these values, however JSON or a log quotes them; whatever stands beside
// the name of a secret, also if it is no longer configured; and tokens.
func cleaner(secrets []string) func([]byte) []byte {
	var pairs []string
	for _, s := range secrets {
		if len(s) < 4 {
			continue // too short to tell from an innocent word
		}
		quoted, err := json.Marshal(s)
		if inner := string(quoted[1 : len(quoted)-1]); err == nil && inner != s {
			pairs = append(pairs, inner, cib.Mask)
		}
		pairs = append(pairs, s, cib.Mask)
	}
	r := strings.NewReplacer(pairs...)
	return func(data []byte) []byte {
		data = []byte(r.Replace(string(data)))
		data = maskMatches(data, jsonMember, `"$1"$2"`+cib.Mask+`"`)
		data = maskMatches(data, assignment, `$1=`+cib.Mask)
		return anyToken.ReplaceAll(data, []byte("${1}"+cib.Mask))
	}
}
