package ocf

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"paceline/resources"
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
	Root      procfs.ID `json:"root"` // zero until the process is known
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
	if json.Unmarshal(b, &old) != nil {
		return nil // written whole or not at all: this is none of ours
	}
	if old.Root.PID == 0 { // the daemon was gone before it knew the process
		found, err := procfs.Marked(old.Mark)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			old.Root = found[0].ID
		}
	}
	if !old.Root.Alive() {
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

// noted is the note of one operation. Failing to write it costs only the protection that it gives. The zero value does nothing.
type noted struct {
	file string
	note note
}

// begin notes an operation that is about to begin. It is written before its process exists: a daemon that ends in between has
// left the mark by which the next one finds the process.
func (n *notes) begin(resource, operation, mark string) noted {
	if n.dir == "" || operation == resources.MetaDataOp {
		return noted{}
	}
	d := noted{n.file(resource), note{Operation: operation, Mark: mark}}
	d.write()
	return d
}

// began completes the note with the process.
func (d noted) began(root procfs.ID) {
	if d.file != "" {
		d.note.Root = root
		d.write()
	}
}

// forget removes the note.
func (d noted) forget() {
	if d.file != "" {
		_ = os.Remove(d.file)
	}
}

// write replaces the file in one step, so that a reader sees the whole of a note or none.
func (d noted) write() {
	b, err := json.Marshal(d.note)
	if err != nil {
		return
	}
	fresh := d.file + ".new"
	if os.WriteFile(fresh, b, 0o600) != nil || os.Rename(fresh, d.file) != nil {
		_ = os.Remove(fresh)
	}
}
