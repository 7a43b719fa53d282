package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"paceline/fencing"
	"paceline/fencing/builtin"
	"paceline/fencing/exec"
	"paceline/fencing/sbd"
	"paceline/resources"
	"paceline/resources/secret"
)

// fencer runs fencing devices on this node. It is also the resource agent of class stonith: a device that is "started"
// on a node is one that answered a monitor there and is watched. Nothing runs for it; a mark in the run folder, which
// a reboot empties, remembers it.
type fencer struct {
	driver fencing.Driver
	marks  string
	log    *slog.Logger
}

func newFencer(driver fencing.Driver, pills *sbd.Station, marks string, log *slog.Logger) *fencer {
	if driver == nil {
		driver = builtin.New(exec.New(exec.Config{Logger: log}), pills)
	}
	return &fencer{driver: driver, marks: marks, log: log}
}

// carryOut has the device of one fence order act. The executor has waited the order's delay, and bounds ctx by its budget.
func (f *fencer) carryOut(ctx context.Context, o fencing.Order) error {
	full, err := secret.Resolve(resources.Request{Params: o.Device.Params})
	if err == nil {
		device := o.Device
		device.Params = full.Params
		if err = f.driver.Do(ctx, device, o.Action, o.Target); err != nil && len(full.Secret) > 0 {
			err = errors.New(full.Hide(err.Error()))
		}
	}
	switch o.Action {
	case fencing.Off, fencing.Reboot, fencing.On:
		f.log.Warn("a device was told to act on a node's power", "node", o.Target, "action", o.Action, "device", o.Device.ID, "err", err)
	}
	return err
}

// Run runs an operation of a fencing device as a resource.
func (f *fencer) Run(ctx context.Context, req resources.Request) resources.Result {
	mark := filepath.Join(f.marks, strings.ReplaceAll(req.Resource, string(filepath.Separator), "_"))
	switch req.Operation {
	case resources.Stop:
		if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		return resources.Result{}
	case resources.Monitor:
		if _, err := os.Stat(mark); err != nil {
			return resources.Result{Code: resources.NotRunning}
		}
		if req.Interval == 0 {
			return resources.Result{} // a probe asks whether it is started here, not how the device is
		}
		return f.ask(ctx, req)
	case resources.Start:
		r := f.ask(ctx, req)
		if r.Code != resources.OK {
			return r
		}
		if err := os.MkdirAll(f.marks, 0o755); err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		if err := os.WriteFile(mark, nil, 0o644); err != nil {
			return resources.Errorf(resources.GenericError, "%v", err)
		}
		return r
	}
	return resources.Errorf(resources.Unimplemented, "a fencing device has no operation %q", req.Operation)
}

// ask has the device answer a monitor.
func (f *fencer) ask(ctx context.Context, req resources.Request) resources.Result {
	dev := fencing.Device{ID: req.Resource, Agent: req.Agent.Type, Params: req.Params}
	err := f.driver.Do(ctx, dev, fencing.Monitor, "")
	switch {
	case err == nil:
		return resources.Result{}
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return resources.Result{Code: resources.GenericError, TimedOut: true, Reason: fmt.Sprintf("the device did not answer within %v", req.Timeout)}
	case errors.Is(err, fs.ErrNotExist):
		return resources.Errorf(resources.NotInstalled, "%v", err)
	}
	return resources.Errorf(resources.GenericError, "%v", err)
}

// MetaData returns the fence agent's meta-data.
func (f *fencer) MetaData(ctx context.Context, a resources.Agent) ([]byte, error) {
	return f.driver.MetaData(ctx, a.Type)
}

// Agents names the fence agents of this node, if the driver knows them.
func (f *fencer) Agents(context.Context) ([]resources.Agent, error) {
	l, ok := f.driver.(interface{ Agents() []string })
	if !ok {
		return nil, nil
	}
	var out []resources.Agent
	for _, name := range l.Agents() {
		out = append(out, resources.Agent{Class: "stonith", Type: name})
	}
	return out, nil
}
