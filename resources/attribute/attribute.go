// Package attribute is what the agents that look at a node have in common: they are active by a note that they are, and tell what they
// find as an attribute of the node.
//
// Guarantees: the note does not survive a reboot; the cluster is told of a value when it changes, and again now and then, so that a
// value that got lost comes back; telling is bounded by the operation's context.
//
// The attribute is set by attrd_updater, which the daemon serves to all agents: so the agents are the same in process, as OCF
// executables and under another manager. Tested with an attrd_updater that notes what it is told.
package attribute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"paceline/resources/plugin"
)

const (
	// again is how long a value is taken to be known.
	again = time.Minute
	// callMax bounds one call of the tool: the daemon takes a value at once and commits it when it can.
	callMax = 5 * time.Second
	// DampenLeast is the least time by which values are held back: with it the daemon takes them even while nobody coordinates.
	DampenLeast = time.Second
)

// Config says where the agents keep their notes, and by what they tell.
type Config struct {
	StateDir string       // emptied by a reboot
	Tools    string       // folder of attrd_updater; empty: it is found by HA_SBIN_DIR, as agents are told, or the PATH
	Socket   string       // of the daemon, for the tool; empty: the usual one
	Logger   *slog.Logger // nil: none
}

// Keeper keeps the notes and attributes of one kind of agent.
type Keeper struct {
	dir    string
	tool   string
	socket string
	log    *slog.Logger

	mu   sync.Mutex
	last map[string]told // by resource
}

type told struct {
	name, value string
	at          time.Time
}

// New makes a Keeper for a kind of agent.
func New(c Config, kind string) *Keeper {
	k := &Keeper{dir: filepath.Join(c.StateDir, kind), tool: "attrd_updater", socket: c.Socket, log: c.Logger, last: map[string]told{}}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if c.Tools == "" {
		c.Tools = os.Getenv("HA_SBIN_DIR")
	}
	if path := filepath.Join(c.Tools, k.tool); c.Tools != "" {
		if _, err := os.Stat(path); err == nil {
			k.tool = path
		}
	}
	return k
}

func (k *Keeper) note(ctx context.Context) string {
	return filepath.Join(k.dir, url.PathEscape(plugin.Request(ctx).Resource)+".active")
}

// Active says whether the resource that ctx is about was begun.
func (k *Keeper) Active(ctx context.Context) (bool, error) {
	_, err := os.Stat(k.note(ctx))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Begin notes that the resource is active.
func (k *Keeper) Begin(ctx context.Context) error {
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(k.note(ctx), nil, 0o644)
}

// End notes that the resource is not active any more.
func (k *Keeper) End(ctx context.Context) error {
	k.mu.Lock()
	delete(k.last, plugin.Request(ctx).Resource)
	k.mu.Unlock()
	if err := os.Remove(k.note(ctx)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Tell sets the node's attribute, if the cluster may not know the value.
func (k *Keeper) Tell(ctx context.Context, name, value string, dampen time.Duration) error {
	now := told{name, value, time.Now()}
	resource := plugin.Request(ctx).Resource
	k.mu.Lock()
	last := k.last[resource]
	k.mu.Unlock()
	if last.name == name && last.value == value && now.at.Sub(last.at) < again {
		return nil
	}
	if err := k.call(ctx, "--name", name, "--update", value, "--delay", seconds(max(dampen, DampenLeast))); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last[resource] = now
	return nil
}

// Forget removes the node's attribute, if that can be done now: a stop must not fail for it, and a node that leaves loses it.
func (k *Keeper) Forget(ctx context.Context, name string) {
	if err := k.call(ctx, "--name", name, "--delete", "--delay", seconds(DampenLeast)); err != nil {
		k.log.Warn("a node attribute stays behind", "res", plugin.Request(ctx).Resource, "attribute", name, "cause", err)
	}
}

func (k *Keeper) call(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	tool := k.tool
	if k.socket != "" {
		args = append([]string{"PACELINE_SOCKET=" + k.socket, tool}, args...)
		tool = "env"
	}
	_, err := plugin.Run(ctx, tool, args...)
	return err
}

// seconds writes an amount of time as the tool reads it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.0fs", d.Seconds()) }
