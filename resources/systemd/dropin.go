package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/dbus"
)

const dropInName = "50-paceline.conf"

// dropIn is what is said to systemd about a unit that the cluster has.
func dropIn(u unit) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by paceline while the cluster has this unit. Gone after a reboot.\n[Unit]\nDescription=Cluster-controlled %s\n",
		strings.TrimSuffix(u.name, ".service"))
	// What starts before the manager stops after it: so the manager, stopping first at shutdown, stops its resources in its own order.
	b.WriteString("Before=paceline.service\n")
	if strings.HasSuffix(u.name, ".service") {
		b.WriteString("\n[Service]\nRestart=no\n")
	}
	return b.Bytes()
}

// manage makes sure that the drop-in is there and in force.
func (r *Runner) manage(ctx context.Context, c *dbus.Conn, u unit) error {
	dir := filepath.Join(r.unitDir, u.name+".d")
	path, want := filepath.Join(dir, dropInName), dropIn(u)
	have, err := os.ReadFile(path)
	// systemd names the paths as it sees them; it may see our folder under another name.
	inForce := slices.ContainsFunc(u.dropIns, func(p string) bool { return strings.HasSuffix(p, "/"+u.name+".d/"+dropInName) })
	if err == nil && bytes.Equal(have, want) && inForce && !u.needReload {
		return nil
	}
	if err != nil || !bytes.Equal(have, want) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make drop-in for %s: %w", u.name, err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return fmt.Errorf("write drop-in for %s: %w", u.name, err)
		}
	}
	return r.reloads.after(func() error {
		if err := c.ReloadContext(ctx); err != nil {
			return fmt.Errorf("make systemd read its units anew: %w", err)
		}
		return nil
	})
}

// reloads runs as few reloads as possible for all who need one that begins after they ask: a reload costs systemd half a second on a
// busy machine, and many units are probed at once.
type reloads struct {
	mu      sync.Mutex
	running bool
	next    *reload // for those who asked while one was running
}

type reload struct {
	done chan struct{}
	err  error
}

func (q *reloads) after(f func() error) error {
	q.mu.Lock()
	if q.next == nil {
		q.next = &reload{done: make(chan struct{})}
	}
	mine := q.next
	if q.running {
		q.mu.Unlock()
		<-mine.done
		return mine.err
	}
	q.running = true
	for q.next != nil { // ours, and then those that gathered meanwhile
		now := q.next
		q.next = nil
		q.mu.Unlock()
		now.err = f()
		close(now.done)
		q.mu.Lock()
	}
	q.running = false
	q.mu.Unlock()
	return mine.err
}
