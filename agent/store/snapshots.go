package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft"
)

// damaged are snapshots that do not load.
type damaged []damagedSnapshot

type damagedSnapshot struct {
	path  string
	at    position
	cause error
}

// newest returns the position of the newest of them, zero if there are none.
func (d damaged) newest() position {
	var p position
	for _, s := range d {
		if p.before(s.at) {
			p = s.at
		}
	}
	return p
}

func (d damaged) discard(logger *slog.Logger) error {
	for _, s := range d {
		logger.Error("a snapshot is damaged: removed", "path", s.path, "cause", s.cause)
		if err := os.RemoveAll(s.path); err != nil {
			return fmt.Errorf("remove damaged snapshot: %w", err)
		}
	}
	return nil
}

// openSnapshots opens the snapshot store, removes what interrupted snapshots left, and returns the position of the newest
// snapshot that loads, and those newer ones that do not.
func openSnapshots(cfg *Config) (*raft.FileSnapshotStore, position, damaged, error) {
	fail := func(err error) (*raft.FileSnapshotStore, position, damaged, error) {
		return nil, position{}, nil, fmt.Errorf("open snapshots: %w", err)
	}
	if err := makePrivateDir(cfg.snapshotDir()); err != nil {
		return fail(err)
	}
	names, err := os.ReadDir(cfg.snapshotDir())
	if err != nil {
		return fail(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".tmp") {
			if err := os.RemoveAll(filepath.Join(cfg.snapshotDir(), n.Name())); err != nil {
				return fail(err)
			}
		}
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, snapshotsKept, raftLogger(cfg.Logger))
	if err != nil {
		return fail(err)
	}
	listed, err := snaps.List()
	if err != nil {
		return fail(err)
	}
	var covered position
	var lost damaged
	good := map[string]bool{}
	for _, meta := range listed {
		_, r, err := snaps.Open(meta.ID) // reads all of it, and compares the checksum
		if err != nil {
			lost = append(lost, damagedSnapshot{filepath.Join(cfg.snapshotDir(), meta.ID), position{meta.Term, meta.Index}, err})
			continue
		}
		r.Close()
		good[meta.ID] = true
		if p := (position{meta.Term, meta.Index}); covered.before(p) {
			covered = p
		}
	}
	// Those without readable metadata are not listed; their name says where they were.
	for _, n := range names {
		var term, index, ms uint64
		if _, err := fmt.Sscanf(n.Name(), "%d-%d-%d", &term, &index, &ms); err != nil || strings.HasSuffix(n.Name(), ".tmp") {
			continue
		}
		p := position{term, index}
		if !good[n.Name()] && covered.before(p) && !lost.has(n.Name()) {
			lost = append(lost, damagedSnapshot{filepath.Join(cfg.snapshotDir(), n.Name()), p, errors.New("its description is unreadable")})
		}
	}
	return snaps, covered, lost, nil
}

func (d damaged) has(name string) bool {
	for _, s := range d {
		if filepath.Base(s.path) == name {
			return true
		}
	}
	return false
}
