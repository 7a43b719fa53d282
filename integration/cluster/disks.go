package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"paceline/fencing/sbd"
	"paceline/integration/lab"
)

// diskName is where a node finds a shared disk.
func diskName(i int) string { return fmt.Sprintf("/mnt/shared-disk%d", i+1) }

// makeDisks gives all nodes the shared disks: the same file under a name of each node's own, so that one node alone can lose it.
func (c *Cluster) makeDisks(ctx context.Context, first *lab.Node) error {
	args := []string{"fence", "sbd", "create", "--watchdog-timeout", strconv.Itoa(c.opts.Watchdog)}
	if c.opts.Profile != "" {
		args = append(args, "--profile", c.opts.Profile)
	}
	for i := range c.opts.Disks {
		if err := os.WriteFile(c.disk(i), make([]byte, sbd.Size), 0o600); err != nil {
			return err
		}
		for _, n := range c.Nodes() {
			if err := c.GiveDisk(n.Name, i); err != nil {
				return err
			}
		}
		args = append(args, diskName(i))
	}
	if c.opts.Disks == 0 {
		return nil
	}
	_, err := c.Run(ctx, first.Name, args...)
	return err
}

// disk is where a shared disk is on the host.
func (c *Cluster) disk(i int) string {
	return filepath.Join(filepath.Dir(c.Nodes()[0].Disk("/")), fmt.Sprintf("shared-disk%d", i+1))
}

// LoseDisk takes a shared disk away from a node, GiveDisk gives it back. The first is 0.
func (c *Cluster) LoseDisk(node string, i int) error {
	return os.Remove(c.Node(node).Disk(diskName(i)))
}

// GiveDisk gives a node a shared disk.
func (c *Cluster) GiveDisk(node string, i int) error {
	err := os.Link(c.disk(i), c.Node(node).Disk(diskName(i)))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
