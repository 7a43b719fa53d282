package ocf

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"paceline/resources/procfs"
)

// notes remember the operations that run, in files, so that a daemon that was killed or upgraded in the middle of one is
// followed by one that waits for it: two operations of one resource never run at once.
type notes struct {
	dir string // empty: no notes

	mu      sync.Mutex
	settled map[string]bool // resources whose notes of an earlier daemon are dealt with
}

type note struct {
	Operation string    `json:"operation"`
	Root      procfs.ID `json:"root"`
	Mark      string    `json:"mark"`
}

func newNotes(runDir string) *notes {
	n := &notes{settled: map[string]bool{}}
	if runDir != "" {
		n.dir = filepath.Join(runDir, "ocf")
		// The run folder itself is for all to enter: the control socket is in it.
		if err := os.MkdirAll(runDir, 0o755); err != nil || os.MkdirAll(n.dir, 0o700) != nil {
			n.dir = ""
		}
	}
	return n
}

func (n *notes) file(resource string) string {
	return filepath.Join(n.dir, url.PathEscape(resource)+".json")
}

// settle waits for an operation that an earlier daemon left running on this resource, once per resource. At the end of ctx it
// kills what is left of it, and returns an error that says what was in the way.
func (n *notes) settle(ctx context.Context, resource string) error {
	n.mu.Lock()
	known := n.dir == "" || n.settled[resource]
	n.settled[resource] = true
	n.mu.Unlock()
	if known {
		return nil
	}
	file := n.file(resource)
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	defer os.Remove(file)
	var old note
	if json.Unmarshal(b, &old) != nil || !old.Root.Alive() {
		return nil
	}
	if err := old.Root.Wait(ctx); err == nil {
		return nil
	}
	killCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killBudget)
	defer cancel()
	tree := procfs.Tree{Root: old.Root, Mark: old.Mark}
	what := doing(tree)
	if _, err := tree.Kill(killCtx); err != nil {
		return err
	}
	return fmt.Errorf("the %s that an earlier daemon began did not end and was killed%s", old.Operation, what)
}

// begin notes an operation, and returns how to forget it. Failing to write costs only that protection.
func (n *notes) begin(resource, operation string, t procfs.Tree) func() {
	if n.dir == "" || operation == "meta-data" {
		return func() {}
	}
	file := n.file(resource)
	b, err := json.Marshal(note{Operation: operation, Root: t.Root, Mark: t.Mark})
	if err != nil || os.WriteFile(file, b, 0o600) != nil {
		return func() {}
	}
	return func() { _ = os.Remove(file) }
}
