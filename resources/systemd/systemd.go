package systemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"paceline/resources"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// Config is how the class runs. The zero value is the systemd of this machine.
type Config struct {
	Dial    func() (*dbus.Conn, error) // nil: this machine's systemd
	UnitDir string                     // where drop-ins go; empty: /run/systemd/system
	Logger  *slog.Logger               // nil: none
}

// Runner runs the class "systemd".
type Runner struct {
	conn    connection
	unitDir string
	log     *slog.Logger
	reloads reloads
}

// New makes a Runner. It connects when it is first used.
func New(c Config) *Runner {
	r := &Runner{conn: connection{dial: c.Dial}, unitDir: c.UnitDir, log: c.Logger}
	if r.conn.dial == nil {
		r.conn.dial = dial
	}
	if r.unitDir == "" {
		r.unitDir = "/run/systemd/system"
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Close ends the connection to systemd. Watches must have ended.
func (r *Runner) Close() { r.conn.close() }

// Run runs one operation.
func (r *Runner) Run(ctx context.Context, req resources.Request) resources.Result {
	res := r.run(ctx, req)
	if res.Code == resources.GenericError && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		res.TimedOut = true
	}
	return res.Trim()
}

func (r *Runner) run(ctx context.Context, req resources.Request) resources.Result {
	name, err := unitOf(req.Agent)
	if err != nil {
		if req.Operation == resources.Stop {
			return resources.Result{} // what is no unit does not run
		}
		return resources.Errorf(resources.NotConfigured, "%v", err)
	}
	if req.Operation == resources.MetaDataOp {
		b, _ := r.MetaData(ctx, req.Agent)
		return resources.Result{Output: string(b)}
	}
	c, u, err := r.look(ctx, name)
	if err != nil {
		if req.Operation == resources.Stop && errors.Is(err, errNoSystemd) {
			return resources.Result{} // without systemd no unit runs
		}
		return failure(err)
	}
	switch req.Operation {
	case resources.Monitor:
		return r.monitor(ctx, c, u, req)
	case resources.Start:
		return r.start(ctx, c, u, req)
	case resources.Stop:
		return r.stop(ctx, c, u)
	case resources.Reload, resources.ReloadAgent:
		return r.job(ctx, c, u, "reload", c.ReloadUnitContext)
	case resources.ValidateAll:
		res, _ := u.unusable()
		return res
	}
	return resources.Errorf(resources.Unimplemented, "units have no operation %s", req.Operation)
}

// look looks at a unit, twice if the connection turns out to be dead: systemd closes it when it executes itself anew.
func (r *Runner) look(ctx context.Context, name string) (*dbus.Conn, unit, error) {
	for again := true; ; again = false {
		c, err := r.conn.get()
		if err != nil {
			return nil, unit{}, err
		}
		u, err := look(ctx, c, name)
		if err == nil || c.Connected() || !again {
			return c, u, err
		}
	}
}

func (r *Runner) monitor(ctx context.Context, c *dbus.Conn, u unit, req resources.Request) resources.Result {
	if res, bad := u.unusable(); bad && (u.active == "inactive" || u.active == "failed") {
		return res
	}
	if req.Interval == 0 && u.load == "loaded" {
		// A probe: the cluster has this unit from now on. To say so now saves the start the time for it.
		if err := r.manage(ctx, c, u); err != nil {
			r.log.Warn("take over unit", "res", req.Resource, "unit", u.name, "cause", err)
		}
	}
	for pause := settleMin; ; {
		switch u.active {
		case "active", "reloading", "refreshing":
			return resources.Result{Output: u.warning()}
		case "inactive", "failed":
			res := resources.Result{Code: resources.NotRunning}
			if u.active == "failed" || req.Interval > 0 {
				res.Reason = u.ended()
			}
			return res
		case "activating":
			if u.sub == "auto-restart" {
				return resources.Errorf(resources.GenericError, "%s", u.ended())
			}
		}
		select { // about to change: what it becomes is the answer
		case <-ctx.Done():
			return resources.Errorf(resources.GenericError, "unit %s is still %s (%s)", u.name, u.active, u.sub)
		case <-time.After(pause):
			pause = min(2*pause, settleMax)
		}
		var err error
		if u, err = look(ctx, c, u.name); err != nil {
			return failure(err)
		}
	}
}

// warning tells about what systemd would do by itself.
func (u unit) warning() string {
	if u.file == "enabled" || u.file == "enabled-runtime" {
		return fmt.Sprintf("warning: unit %s is enabled: systemd starts it at boot, outside of the cluster (systemctl disable %s)", u.name, u.name)
	}
	return ""
}

func (r *Runner) start(ctx context.Context, c *dbus.Conn, u unit, req resources.Request) resources.Result {
	if res, bad := u.unusable(); bad {
		return res
	}
	if err := r.manage(ctx, c, u); err != nil {
		return failure(err)
	}
	if w := u.warning(); w != "" {
		r.log.Warn("unit is enabled: systemd starts it at boot, outside of the cluster", "res", req.Resource, "unit", u.name)
	}
	if u.active == "active" {
		return resources.Result{Output: u.warning()}
	}
	if u.active == "failed" { // or its start limit may be in the way
		if err := c.ResetFailedUnitContext(ctx, u.name); err != nil {
			return failure(fmt.Errorf("forget the failure of unit %s: %w", u.name, err))
		}
	}
	if res := r.job(ctx, c, u, "start", c.StartUnitContext); res.Code != resources.OK {
		return res
	}
	now, err := look(ctx, c, u.name)
	if err != nil {
		return failure(err)
	}
	if now.active != "active" && now.active != "reloading" && now.active != "refreshing" {
		if now.active == "inactive" && now.result == "success" {
			return resources.Errorf(resources.GenericError, "unit %s was started and has ended already: if that is meant, it needs RemainAfterExit=yes", u.name)
		}
		return resources.Errorf(resources.GenericError, "started, but %s", now.ended())
	}
	return resources.Result{Output: u.warning()}
}

func (r *Runner) stop(ctx context.Context, c *dbus.Conn, u unit) resources.Result {
	if u.active == "inactive" {
		return resources.Result{}
	}
	if u.active == "failed" {
		// No process of it is left, or systemd would say deactivating. A stop forgets the failure, so that the next start counts anew.
		if err := c.ResetFailedUnitContext(ctx, u.name); err != nil {
			r.log.Info("forget the failure of a unit", "unit", u.name, "cause", err)
		}
		return resources.Result{}
	}
	if end, ok := ctx.Deadline(); ok {
		help := time.AfterFunc(time.Until(end)-time.Until(end)/killShare, func() {
			r.log.Warn("unit does not stop by itself and is killed", "unit", u.name)
			_ = c.KillUnitWithTarget(ctx, u.name, dbus.All, int32(unix.SIGKILL)) // gone meanwhile is as good
		})
		defer help.Stop()
	}
	res := r.job(ctx, c, u, "stop", c.StopUnitContext)
	now, err := look(ctx, c, u.name)
	if err == nil && (now.active == "inactive" || now.active == "failed") {
		_ = c.ResetFailedUnitContext(ctx, u.name) // a unit that had to be killed counts as failed; it is stopped, which is all we want
		return resources.Result{}
	}
	if res.Code == resources.OK {
		return resources.Errorf(resources.GenericError, "the stop of unit %s is done, and yet it is %s (%s)", u.name, now.active, now.sub)
	}
	return res
}

// job begins a job and waits for its result.
func (r *Runner) job(ctx context.Context, c *dbus.Conn, u unit, what string,
	begin func(context.Context, string, string, chan<- string) (int, error)) resources.Result {
	done := make(chan string, 1) // buffered: the library's dispatcher must not wait for us
	if _, err := begin(ctx, u.name, "replace", done); err != nil {
		return failure(fmt.Errorf("%s unit %s: %w", what, u.name, err))
	}
	check := time.NewTicker(connectedCheck)
	defer check.Stop()
	for {
		select {
		case result := <-done:
			if result == "done" {
				return resources.Result{}
			}
			words := jobWords[result]
			if words == "" {
				words = "ended with " + result
			}
			res := resources.Errorf(resources.GenericError, "%s of unit %s %s", what, u.name, words)
			if now, err := look(ctx, c, u.name); err == nil && now.result != "success" && result == "failed" {
				res.Reason += "; " + now.ended() + " (journalctl -u " + u.name + ")"
			}
			return res
		case <-check.C:
			if !c.Connected() { // the result went to nobody: the state says what became of it
				return r.afterLoss(ctx, u, what)
			}
		case <-ctx.Done():
			now := u
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			if n, err := look(late, c, u.name); err == nil {
				now = n
			}
			cancel()
			return resources.Errorf(resources.GenericError, "%s of unit %s is not done in time: systemd has it in state %s (%s)", what, u.name, now.active, now.sub)
		}
	}
}

// afterLoss waits for the end of a job whose connection was lost, by looking at the unit over a new one.
func (r *Runner) afterLoss(ctx context.Context, u unit, what string) resources.Result {
	for {
		if c, err := r.conn.get(); err == nil {
			if now, err := look(ctx, c, u.name); err == nil {
				switch {
				case now.active == "active", what == "stop" && now.active == "inactive":
					return resources.Result{}
				case now.active == "failed", now.active == "inactive":
					return resources.Errorf(resources.GenericError, "%s: %s", what, now.ended())
				}
			}
		}
		select {
		case <-ctx.Done():
			return resources.Errorf(resources.GenericError, "%s of unit %s: the connection to systemd was lost", what, u.name)
		case <-time.After(reconnectPause):
		}
	}
}

// Watch calls changed when the unit leaves the active state, or is started anew by somebody else.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	name, err := unitOf(req.Agent)
	if err != nil {
		return err
	}
	events := make(chan string, 64) // full means that the listener has enough to look at already
	undo, err := r.conn.listen(name, func(u *dbus.PropertiesUpdate, lost error) {
		why := ""
		if lost != nil {
			why = lost.Error()
		} else if v, ok := u.Changed["ActiveState"]; ok {
			why = "is " + str(v.Value())
		}
		if why != "" {
			select {
			case events <- why:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	defer undo()
	invocation := ""
	for first := true; ; first = false {
		why := ""
		if !first {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case why = <-events:
			}
		}
		// The event may be of an earlier start, or overtaken: what the unit is now counts.
		_, u, err := r.look(ctx, name)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			changed(fmt.Sprintf("unit %s: %v", name, err))
		case u.active == "inactive" || u.active == "failed" || u.active == "activating" && u.sub == "auto-restart":
			changed(u.ended())
		case u.active == "active" && invocation != "" && u.invocation != invocation:
			changed(fmt.Sprintf("unit %s was started anew outside of the cluster", name))
			invocation = u.invocation
		case u.active == "active":
			invocation = u.invocation
		case why == "is deactivating":
			changed(fmt.Sprintf("unit %s is being stopped", name))
		}
	}
}

// Describe returns a unit's meta-data: it takes no parameters.
func (r *Runner) Describe(ctx context.Context, a resources.Agent) (*resources.MetaData, error) {
	name, err := unitOf(a)
	if err != nil {
		return nil, err
	}
	m := &resources.MetaData{
		Name: a.Type, OCFVersion: "1.1", AgentVersion: "1.0", ShortDesc: "systemd unit " + name, LongDesc: "systemd unit " + name,
		Actions: []resources.Action{
			{Name: resources.Start, Timeout: 100 * time.Second},
			{Name: resources.Stop, Timeout: 100 * time.Second},
			{Name: resources.Monitor, Timeout: 100 * time.Second, Interval: 60 * time.Second},
			{Name: resources.Reload, Timeout: 100 * time.Second},
			{Name: resources.MetaDataOp, Timeout: 5 * time.Second},
		},
	}
	if c, err := r.conn.get(); err == nil {
		if u, err := look(ctx, c, name); err == nil && u.load == "loaded" {
			m.LongDesc = strings.TrimPrefix(u.description, "Cluster-controlled ")
		}
	}
	return m, nil
}

// MetaData returns a unit's meta-data as XML.
func (r *Runner) MetaData(ctx context.Context, a resources.Agent) ([]byte, error) {
	m, err := r.Describe(ctx, a)
	if err != nil {
		return nil, err
	}
	return m.XML(), nil
}

// Agents lists the services that are installed, templates and aliases left out.
func (r *Runner) Agents(ctx context.Context) ([]resources.Agent, error) {
	c, err := r.conn.get()
	if errors.Is(err, errNoSystemd) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files, err := c.ListUnitFilesByPatternsContext(ctx, nil, []string{"*.service"})
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var out []resources.Agent
	for _, f := range files {
		base := strings.TrimSuffix(f.Path[strings.LastIndexByte(f.Path, '/')+1:], ".service")
		if !strings.HasSuffix(base, "@") && f.Type != "alias" && !strings.HasPrefix(f.Type, "masked") {
			out = append(out, resources.Agent{Class: "systemd", Type: base})
		}
	}
	slices.SortFunc(out, func(a, b resources.Agent) int { return strings.Compare(a.Type, b.Type) })
	return slices.Compact(out), nil
}
