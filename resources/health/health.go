// Package health has the native agents that judge a node's health: ocf:paceline:loadmonitor and ocf:paceline:diskmonitor. What they find is
// an attribute of the node, green, yellow or red, whose name begins with #health: the cluster option node-health-strategy says what it
// means for the resources there. They run as clones, on every node.
//
// Guarantees: a value that is yellow or red becomes better only when it is a tenth below its limit, so that a node on the edge does not
// drive resources back and forth; the attribute goes when the resource stops.
//
// Tested with loads and disks that are told, not met.
package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"paceline/resources"
	"paceline/resources/attribute"
	"paceline/resources/native"
	"paceline/resources/plugin"

	"golang.org/x/sys/unix"
)

// The agents' names.
var (
	Load = resources.Agent{Class: "ocf", Provider: "paceline", Type: "loadmonitor"}
	Disk = resources.Agent{Class: "ocf", Provider: "paceline", Type: "diskmonitor"}
)

// easing is the part of a limit by which a value must be below it to become better again.
const easing = 0.1

// The values of health attributes.
const (
	green  = "green"
	yellow = "yellow"
	red    = "red"
)

// color judges a value by two limits, and by what was said before.
func color(value, warn, bad float64, before string) string {
	if before == red {
		bad -= bad * easing
	}
	if before == yellow || before == red {
		warn -= warn * easing
	}
	switch {
	case value >= bad:
		return red
	case value >= warn:
		return yellow
	}
	return green
}

// teller is what both agents do with what they find.
type teller struct {
	keeper *attribute.Keeper
	mu     *sync.Mutex
	before map[string]string // color by resource
}

func newTeller(c attribute.Config, kind string) teller {
	return teller{attribute.New(c, kind), &sync.Mutex{}, map[string]string{}}
}

// tell judges a value and sets the attribute.
func (t teller) tell(ctx context.Context, name string, value, warn, bad float64) error {
	t.mu.Lock()
	resource := plugin.Request(ctx).Resource
	now := color(value, warn, bad, t.before[resource])
	t.before[resource] = now
	t.mu.Unlock()
	return t.keeper.Tell(ctx, name, now, 0)
}

func (t teller) stop(ctx context.Context, name string) error {
	t.mu.Lock()
	delete(t.before, plugin.Request(ctx).Resource)
	t.mu.Unlock()
	t.keeper.Forget(ctx, name)
	return t.keeper.End(ctx)
}

// monitor looks if the resource is active and this is a monitor, not a look of the kit around a start or a stop.
func (t teller) monitor(ctx context.Context, look func(context.Context) error) (plugin.State, error) {
	if active, err := t.keeper.Active(ctx); !active || err != nil {
		return plugin.Stopped, err
	}
	if plugin.Request(ctx).Operation != resources.Monitor {
		return plugin.Running, nil
	}
	return plugin.Running, look(ctx)
}

// limits refuses limits that are in the wrong order.
func limits(warn, bad string) (w, b float64, err error) {
	w, err1 := strconv.ParseFloat(strings.TrimSuffix(warn, "%"), 64)
	b, err2 := strconv.ParseFloat(strings.TrimSuffix(bad, "%"), 64)
	if err1 != nil || err2 != nil || w <= 0 || b < w {
		return 0, 0, plugin.Errorf(plugin.NotConfigured, "parameters yellow and red: %q and %q are not two numbers, the first above 0 and the second not below it", warn, bad)
	}
	return w, b, nil
}

// load is the agent loadmonitor.
type load struct {
	Yellow string `ra:"yellow" default:"2" short:"Load per processor from which the node is yellow"`
	Red    string `ra:"red" default:"4" short:"Load per processor from which the node is red"`
	Period string `ra:"period" default:"5" values:"1|5|15" short:"Minutes that the load is averaged over"`
	Name   string `ra:"name" default:"#health-load" short:"Attribute that gets the color"`

	teller
	file       string
	processors int
}

// NewLoad makes the agent loadmonitor.
func NewLoad(c attribute.Config) *native.Agent { return newLoad(c, "/proc/loadavg", runtime.NumCPU()) }

func newLoad(c attribute.Config, file string, processors int) *native.Agent {
	t := newTeller(c, Load.Type)
	return plugin.NewWith(plugin.Info{
		Name: Load.Type, Version: "1.0", Short: "Judges a node's health by its load",
		Long:     "Runs as a clone. The load per processor becomes a color in the attribute #health-load; node-health-strategy says what that means.",
		Interval: 30 * time.Second,
	}, func(l *load) { l.teller, l.file, l.processors = t, file, processors })
}

func (l *load) Validate(context.Context) error { _, _, err := limits(l.Yellow, l.Red); return err }
func (l *load) Start(ctx context.Context) error {
	return errors.Join(l.keeper.Begin(ctx), l.look(ctx))
}
func (l *load) Stop(ctx context.Context) error { return l.stop(ctx, l.Name) }
func (l *load) Monitor(ctx context.Context) (plugin.State, error) {
	return l.monitor(ctx, l.look)
}

func (l *load) look(ctx context.Context) error {
	warn, bad, err := limits(l.Yellow, l.Red)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(l.file)
	if err != nil {
		return err
	}
	words := strings.Fields(string(b))
	column := map[string]int{"1": 0, "5": 1, "15": 2}[l.Period]
	if len(words) <= column {
		return fmt.Errorf("%s says %q", l.file, b)
	}
	value, err := strconv.ParseFloat(words[column], 64)
	if err != nil {
		return fmt.Errorf("%s says %q", l.file, b)
	}
	return l.tell(ctx, l.Name, value/float64(l.processors), warn, bad)
}

// disk is the agent diskmonitor.
type disk struct {
	Paths  string `ra:"paths" default:"/" short:"Folders whose file systems are looked at, separated by blanks; the fullest counts"`
	Yellow string `ra:"yellow" default:"85%" short:"Part in use, of space or of inodes, from which the node is yellow"`
	Red    string `ra:"red" default:"95%" short:"Part in use from which the node is red"`
	Name   string `ra:"name" default:"#health-disk" short:"Attribute that gets the color"`

	teller
	used func(path string) (percent float64, err error)
}

// NewDisk makes the agent diskmonitor.
func NewDisk(c attribute.Config) *native.Agent { return newDisk(c, used) }

func newDisk(c attribute.Config, used func(string) (float64, error)) *native.Agent {
	t := newTeller(c, Disk.Type)
	return plugin.NewWith(plugin.Info{
		Name: Disk.Type, Version: "1.0", Short: "Judges a node's health by how full its disks are",
		Long: "Runs as a clone. The fullest of the file systems becomes a color in the attribute #health-disk; node-health-strategy says what " +
			"that means. A file system that cannot be looked at is red.",
		Interval: time.Minute,
	}, func(d *disk) { d.teller, d.used = t, used })
}

func (d *disk) Validate(context.Context) error {
	for _, p := range strings.Fields(d.Paths) {
		if !filepath.IsAbs(p) {
			return plugin.Errorf(plugin.NotConfigured, "parameter paths: %q is not an absolute path", p)
		}
	}
	_, _, err := limits(d.Yellow, d.Red)
	return err
}

func (d *disk) Start(ctx context.Context) error {
	return errors.Join(d.keeper.Begin(ctx), d.look(ctx))
}
func (d *disk) Stop(ctx context.Context) error { return d.stop(ctx, d.Name) }
func (d *disk) Monitor(ctx context.Context) (plugin.State, error) {
	return d.monitor(ctx, d.look)
}

func (d *disk) look(ctx context.Context) error {
	warn, bad, err := limits(d.Yellow, d.Red)
	if err != nil {
		return err
	}
	worst := 0.0
	for _, p := range strings.Fields(d.Paths) {
		plugin.Doing(ctx, "looking at the file system of %s", p)
		percent, err := d.used(p)
		if err != nil {
			percent = 100
		}
		worst = max(worst, percent)
	}
	return d.tell(ctx, d.Name, worst, warn, bad)
}

// used says how much of a file system is in use, for those who are not root.
func used(path string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	percent := 0.0
	if taken := s.Blocks - s.Bfree; taken+s.Bavail > 0 {
		percent = 100 * float64(taken) / float64(taken+s.Bavail)
	}
	if s.Files > 0 {
		percent = max(percent, 100*float64(s.Files-s.Ffree)/float64(s.Files))
	}
	return percent, nil
}
