package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"paceline/fencing"
)

// PathVariable names the environment variable with folders to look for agents in, before the system's.
const PathVariable = "PACELINE_FENCE_PATH"

// Config of a Driver.
type Config struct {
	// Path is where agents are looked for, in this order. Empty: PathVariable, then /usr/sbin and /usr/bin.
	Path   []string
	Logger *slog.Logger
}

// Driver runs agents. It implements fencing.Driver.
type Driver struct {
	path  []string
	log   *slog.Logger
	turns *turns

	mu   sync.Mutex
	meta map[string]cached // by file
}

// cached is the meta-data of an agent's file as it was at a time.
type cached struct {
	modified time.Time
	size     int64
	asked    time.Time
	meta     MetaData
	raw      []byte
	err      error
}

// New returns a driver.
func New(c Config) *Driver {
	if len(c.Path) == 0 {
		c.Path = append(filepath.SplitList(os.Getenv(PathVariable)), "/usr/sbin", "/usr/bin")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Driver{path: c.Path, log: c.Logger, turns: newTurns(), meta: map[string]cached{}}
}

// find returns the file of an agent. The error is fs.ErrNotExist if there is none.
func (d *Driver) find(agent string) (string, error) {
	if agent == "" || strings.ContainsAny(agent, "/\x00") || strings.HasPrefix(agent, ".") {
		return "", fmt.Errorf("fence agent %q: this is no name of an agent", agent)
	}
	for _, dir := range d.path {
		if dir == "" {
			continue
		}
		file := filepath.Join(dir, agent)
		info, err := os.Stat(file)
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("fence agent %s is not installed (looked in %s): %w", agent, strings.Join(d.path, ", "), fs.ErrNotExist)
}

// Do has the device act on the target; a monitor has no target. For Status, fencing.ErrPowerOff means that the device
// answered and the power is off. The error of an agent that did not end in time is the context's.
func (d *Driver) Do(ctx context.Context, dev fencing.Device, action, target string) error {
	file, err := d.find(dev.Agent)
	if err != nil {
		return err
	}
	meta, known := d.known(ctx, file)
	if known && len(dev.Actions) == 0 {
		dev.Actions = meta.Actions
	}
	done, err := d.turns.take(ctx, dev, action)
	if err != nil {
		return fmt.Errorf("%s %s: %w", dev.Agent, action, err)
	}
	defer done()
	switch action {
	case fencing.List:
		return d.reaches(ctx, file, dev, meta, known, target)
	case fencing.Reboot:
		if cannot(dev, fencing.Reboot) {
			return d.offOn(ctx, file, dev, meta, known, target)
		}
	case fencing.Off:
		return d.off(ctx, file, dev, meta, known, target)
	case fencing.Status:
		if cannot(dev, fencing.Status) { // one that cannot see the power may still answer
			action, target = fencing.Monitor, ""
		}
	}
	_, err = d.act(ctx, file, dev, meta, known, action, target)
	return err
}

// off switches off, and has the device say so once more: one that says "done" and has the power on lies. A device that cannot say
// is believed, as its agent has looked itself.
func (d *Driver) off(ctx context.Context, file string, dev fencing.Device, meta MetaData, known bool, target string) error {
	if _, err := d.act(ctx, file, dev, meta, known, fencing.Off, target); err != nil {
		return err
	}
	if !known || cannot(dev, fencing.Status) || fencing.Command(dev, fencing.Off) != fencing.Off {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	switch _, err := d.act(ctx, file, dev, meta, known, fencing.Status, target); {
	case errors.Is(err, fencing.ErrPowerOff):
	case err == nil:
		return fmt.Errorf("%s: the device said that it switched %s off, and its status says that the power is on", dev.Agent, target)
	default:
		d.log.Warn("a device confirmed a fencing, and cannot tell the power's state after it", "node", target, "device", dev.ID, "cause", err)
	}
	return nil
}

// cannot says that the agent surely lacks an action.
func cannot(dev fencing.Device, action string) bool {
	return len(dev.Actions) > 0 && !slices.Contains(dev.Actions, fencing.Command(dev, action))
}

// offOn is a reboot by an agent that has none. Once the power is off the node is fenced; that it cannot be switched on again
// is said, and no failure.
func (d *Driver) offOn(ctx context.Context, file string, dev fencing.Device, meta MetaData, known bool, target string) error {
	if err := d.off(ctx, file, dev, meta, known, target); err != nil {
		return err
	}
	if cannot(dev, fencing.On) {
		d.log.Warn("a fenced node stays off: its device cannot switch it on", "node", target, "device", dev.ID)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, onTime)
	defer cancel()
	if _, err := d.act(ctx, file, dev, meta, known, fencing.On, target); err != nil {
		d.log.Warn("a fenced node stays off: switching it on failed", "node", target, "device", dev.ID, "cause", err)
	}
	return nil
}

// reaches answers List: whether the device has the target.
func (d *Driver) reaches(ctx context.Context, file string, dev fencing.Device, meta MetaData, known bool, target string) error {
	check := fencing.HostCheck(dev)
	if check == fencing.DynamicList && dev.Params["pcmk_host_check"] == "" && !known {
		check = fencing.NoCheck // an agent that does not say what it can do is believed to do what is asked
	}
	plug := fencing.Plug(dev, target)
	switch check {
	case fencing.DynamicList:
		out, err := d.act(ctx, file, dev, meta, known, fencing.List, "")
		if err != nil {
			return fmt.Errorf("ask for the nodes that it reaches: %w", err)
		}
		for _, have := range parseList(out) {
			if strings.EqualFold(have, plug) {
				return nil
			}
		}
		return fmt.Errorf("the device does not list %s", plug)
	case fencing.StatusCheck:
		_, err := d.act(ctx, file, dev, meta, known, fencing.Status, target)
		if err != nil && !errors.Is(err, fencing.ErrPowerOff) {
			return fmt.Errorf("ask for the status of %s: %w", plug, err)
		}
	}
	return nil
}

// parseList reads what an agent lists: a plug a line, with its name and more after a comma.
func parseList(out []byte) []string {
	var names []string
	for line := range bytes.Lines(out) {
		for i, f := range strings.Split(string(line), ",") {
			if f = strings.TrimSpace(f); f != "" && i < 2 {
				names = append(names, f)
			}
		}
	}
	return names
}

// act runs one action of an agent, and returns what it printed.
func (d *Driver) act(ctx context.Context, file string, dev fencing.Device, meta MetaData, known bool, action, target string) ([]byte, error) {
	input, err := options(dev, meta, known, action, target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dev.Agent, err)
	}
	keep := outputMax
	if action == fencing.List {
		keep = listMax
	}
	began := time.Now()
	out := run(ctx, file, nil, input, keep)
	d.log.Debug("fence agent ended", "device", dev.ID, "agent", dev.Agent, "action", action, "target", target,
		"code", out.code, "took", time.Since(began))
	command := fencing.Command(dev, action)
	switch {
	case out.err != nil:
		return nil, fmt.Errorf("%s %s: %w%s", dev.Agent, command, out.err, out.reason(dev, ": "))
	case out.code == 0:
		return out.stdout, nil
	case out.code == statusOff && action == fencing.Status:
		return nil, fencing.ErrPowerOff
	}
	return nil, fmt.Errorf("%s %s: exit status %d%s", dev.Agent, command, out.code, out.reason(dev, ": "))
}

// statusOff is the exit status of action status for "off".
const statusOff = 2

// options makes an agent's standard input.
func options(dev fencing.Device, meta MetaData, known bool, action, target string) ([]byte, error) {
	values := map[string]string{}
	for name, value := range dev.Params {
		// "action" was once how a reboot was made an off; the order says what is wanted.
		if strings.HasPrefix(name, "pcmk_") || name == "action" || name == "option" {
			continue
		}
		values[name] = value
	}
	if target != "" {
		values["nodename"] = target
		if arg := plugArgument(dev, meta, known); arg != "" {
			// A plug that the configuration states is the right one, as the device then is for one node.
			if v := values[arg]; v == "" || v == "dynamic" {
				values[arg] = fencing.Plug(dev, target)
			}
		}
	}
	values["action"] = fencing.Command(dev, action)
	var b bytes.Buffer
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.ContainsAny(name, "=\n\r\x00") || strings.ContainsAny(values[name], "\n\r\x00") {
			return nil, fmt.Errorf("parameter %q: a name or value of more than one line cannot be passed on", name)
		}
		fmt.Fprintf(&b, "%s=%s\n", name, values[name])
	}
	return b.Bytes(), nil
}

// plugArgument returns the option that names the target (pcmk_host_argument): plug or port, as the agent has it, or none.
func plugArgument(dev fencing.Device, meta MetaData, known bool) string {
	switch arg := dev.Params["pcmk_host_argument"]; {
	case arg == "none":
		return ""
	case arg != "":
		return arg
	case !known:
		return "port"
	}
	for _, arg := range []string{"plug", "port"} {
		// Stated under either name, it is not given under the other.
		if v := dev.Params[arg]; v != "" && v != "dynamic" {
			return arg
		}
	}
	for _, arg := range []string{"plug", "port"} {
		if slices.Contains(meta.Parameters, arg) {
			return arg
		}
	}
	return ""
}
