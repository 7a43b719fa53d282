package ocf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paceline/resources"
)

// traces keeps what operations print whose resource has the parameter trace_ra: one file an operation, in a folder for each
// resource, named by time. A resource has traceFilesMax of them, each of traceMax bytes at most; only root reads them.
type traces struct {
	dir string // empty: none are kept
}

// wanted says whether an operation is to be traced here. Who names a folder or a file has the agent write there by itself.
func (t traces) wanted(req resources.Request) bool {
	on, err := resources.ParseBool(strings.TrimSpace(req.Params["trace_ra"]))
	return t.dir != "" && err == nil && on && req.Params["trace_dir"] == "" && req.Params["trace_file"] == ""
}

// environment lets agents that use the usual shell functions write each step to standard error, where we bound and keep it:
// left alone they write to a folder that nobody empties.
func (t traces) environment() []string {
	return []string{"OCF_TRACE_RA=1", "OCF_TRACE_FILE=/dev/stderr"}
}

// keep writes one operation's trace.
func (t traces) keep(req resources.Request, began time.Time, res resources.Result, text string, cut bool) error {
	dir := filepath.Join(t.dir, folderOf(req.Resource))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the trace of %s: %w", req.Resource, err)
	}
	name := fmt.Sprintf("%s-%s-%d.log", began.UTC().Format("20060102T150405.000"), filepath.Base(req.Operation), req.Interval.Milliseconds())
	head := fmt.Sprintf("# %s of %s (%s), began %s, took %v: %d (%s)", req.Operation, req.Resource, req.Agent, began.UTC().Format(time.RFC3339Nano),
		time.Since(began).Round(time.Millisecond), int(res.Code), res.Code)
	if res.Reason != "" {
		head += ": " + res.Reason
	}
	if cut {
		text += fmt.Sprintf("\n# it printed more than %d bytes; the rest is not kept\n", traceMax)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(head+"\n"+text), 0o600); err != nil {
		return fmt.Errorf("keep the trace of %s: %w", req.Resource, err)
	}
	return t.prune(dir)
}

// Trace is what one operation did that was traced.
type Trace struct {
	Name string // of the instance and the file: "web/20310304T180000.000-monitor-10000.log"
	Size int64
	Head string // its first line: what ran, for how long, and how it ended
	path string
}

// Text reads all of it; there are at most a few lines more than limits.go allows an operation to print.
func (t Trace) Text() ([]byte, error) { return os.ReadFile(t.path) }

// Traces lists what is kept below a folder (Config.Trace) of a resource and all of its instances, the oldest first.
func Traces(dir, resource string) ([]Trace, error) {
	instances, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list traces: %w", err)
	}
	want := folderOf(resource)
	var out []Trace
	for _, in := range instances {
		if base, _, _ := strings.Cut(in.Name(), ":"); in.Name() != want && base != want {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, in.Name()))
		if err != nil {
			return nil, fmt.Errorf("list traces: %w", err)
		}
		for _, f := range files {
			t := Trace{Name: in.Name() + "/" + f.Name(), path: filepath.Join(dir, in.Name(), f.Name())}
			if t.Head, t.Size, err = firstLine(t.path); err == nil { // or it was the oldest, and has just been removed
				out = append(out, t)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Trace) int { return strings.Compare(filepath.Base(a.path), filepath.Base(b.path)) })
	return out, nil
}

// firstLine reads the first line of a file, and its size.
func firstLine(path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	b := make([]byte, traceHeadMax)
	n, err := f.Read(b)
	if err != nil && err != io.EOF {
		return "", 0, err
	}
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	return strings.ToValidUTF8(line, "?"), info.Size(), nil
}

// folderOf names the folder of a resource.
func folderOf(resource string) string { return strings.ReplaceAll(resource, "/", "_") }

// prune removes the oldest files of a resource.
func (t traces) prune(dir string) error {
	es, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove old traces: %w", err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	slices.Sort(names) // they begin with the time
	for _, name := range names[:max(0, len(names)-traceFilesMax)] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove old traces: %w", err)
		}
	}
	return nil
}
