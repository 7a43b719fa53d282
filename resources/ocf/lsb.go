package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"paceline/resources"
)

// scriptWords are what init scripts are told, by operation. The rest of OCF's operations they do not have.
var scriptWords = map[string]string{
	resources.Start: "start", resources.Stop: "stop", resources.Monitor: "status", resources.Reload: "reload", resources.ReloadAgent: "reload",
}

// NewScripts makes the Runner of the class "lsb": init scripts by the Linux Standard Base, in dir (empty: /etc/init.d). Time-outs,
// output and what is left behind are as for OCF agents; parameters mean nothing to them.
func NewScripts(dir string, c Config) *Runner {
	r := New(c)
	if r.scripts = dir; dir == "" {
		r.scripts = "/etc/init.d"
	}
	return r
}

// code is what an exit code means. Of an init script's "status" 0 is running, 1 and 2 are dead with something left behind, 3 is not
// running, 4 is not known; those of its other words are OCF's up to 7 (LSB Core 3.1, "Init Script Actions").
func (r *Runner) code(operation string, exit int) resources.ExitCode {
	if r.scripts == "" {
		return resources.ExitCode(exit)
	}
	if operation == resources.Monitor {
		switch exit {
		case 0:
			return resources.OK
		case 1, 2, 3:
			return resources.NotRunning
		case 4:
			return resources.GenericError
		}
		return unknownStatus + resources.ExitCode(exit)
	}
	if exit > int(resources.NotRunning) {
		return unknownStatus + resources.ExitCode(exit)
	}
	if operation == resources.Stop && exit == int(resources.NotRunning) {
		return resources.OK // many scripts say so of what is stopped already
	}
	return resources.ExitCode(exit)
}

// unknownStatus lifts codes that the standard gives no meaning out of the range in which OCF has one.
const unknownStatus = 1000

// scriptMetaData describes an init script, which cannot describe itself.
func (r *Runner) scriptMetaData(a resources.Agent) ([]byte, error) {
	path, err := r.path(a)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, errors.New(cannotRun(a, path, err).Reason)
	}
	m := &resources.MetaData{Name: a.Type, AgentVersion: "1.0", ShortDesc: "init script " + path,
		LongDesc: "The init script " + path + ". It must answer start, stop and status as the Linux Standard Base says."}
	for _, op := range []string{resources.Start, resources.Stop} {
		m.Actions = append(m.Actions, resources.Action{Name: op, Timeout: 15 * time.Second})
	}
	m.Actions = append(m.Actions, resources.Action{Name: resources.Monitor, Timeout: 15 * time.Second, Interval: 15 * time.Second})
	return m.XML(), nil
}

// Services runs the class "service": what the machine's own way to run services is. A systemd unit of the name goes before an init
// script.
type Services struct {
	Units   resources.Runner
	Scripts *Runner
}

// Run runs one operation.
func (s Services) Run(ctx context.Context, req resources.Request) resources.Result {
	unit := req
	unit.Agent.Class = "systemd"
	res := s.Units.Run(ctx, unit)
	if res.Code != resources.NotInstalled && !s.withoutUnits() {
		return res
	}
	script := req
	script.Agent.Class = "lsb"
	if path, err := s.Scripts.path(script.Agent); err == nil {
		if _, err := os.Stat(path); err == nil {
			return s.Scripts.Run(ctx, script)
		}
	}
	return res
}

// withoutUnits tells whether this machine was not booted by systemd.
func (s Services) withoutUnits() bool {
	_, err := os.Stat(filepath.FromSlash("/run/systemd/system"))
	return err != nil
}

// MetaData describes the unit, or the script.
func (s Services) MetaData(ctx context.Context, a resources.Agent) ([]byte, error) {
	a.Class = "lsb"
	if b, err := s.Scripts.MetaData(ctx, a); err == nil {
		return b, nil
	}
	a.Class = "systemd"
	return s.Units.MetaData(ctx, a)
}
