package ocf

import (
	"fmt"
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
	dir := filepath.Join(t.dir, strings.ReplaceAll(req.Resource, "/", "_"))
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
