package systemd

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"paceline/resources"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]{1,240}\.(service|socket|mount|automount|swap|target|path|timer|slice|scope|device)$`)

// unitOf returns the full name of an agent's unit: nginx is nginx.service.
func unitOf(a resources.Agent) (string, error) {
	name := a.Type
	if !unitName.MatchString(name) {
		name += ".service"
	}
	if !unitName.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a systemd unit", a.Type)
	}
	return name, nil
}

// unit is what we want to know of a unit.
type unit struct {
	name                    string
	load, active, sub, file string
	invocation              string
	needReload              bool
	dropIns                 []string
	description             string
	result                  string // of a service: success, exit-code, signal, timeout, ...
	code, status            int32  // how its main process ended: CLD_* and exit status or signal
}

func look(ctx context.Context, c *dbus.Conn, name string) (unit, error) {
	ctx, cancel := context.WithTimeout(ctx, callBudget)
	defer cancel()
	p, err := c.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return unit{}, fmt.Errorf("look up unit %s: %w", name, err)
	}
	u := unit{
		name: name, load: str(p["LoadState"]), active: str(p["ActiveState"]), sub: str(p["SubState"]), file: str(p["UnitFileState"]),
		description: str(p["Description"]),
	}
	u.needReload, _ = p["NeedDaemonReload"].(bool)
	u.dropIns, _ = p["DropInPaths"].([]string)
	if id, ok := p["InvocationID"].([]byte); ok {
		u.invocation = fmt.Sprintf("%x", id)
	}
	if strings.HasSuffix(name, ".service") && u.load == "loaded" {
		if s, err := c.GetUnitTypePropertiesContext(ctx, name, "Service"); err == nil {
			u.result = str(s["Result"])
			u.code, _ = s["ExecMainCode"].(int32)
			u.status, _ = s["ExecMainStatus"].(int32)
		}
	}
	return u, nil
}

func str(v any) string { s, _ := v.(string); return s }

// unusable says why a unit cannot be run on this node, with the code for it.
func (u unit) unusable() (resources.Result, bool) {
	switch u.load {
	case "loaded":
		return resources.Result{}, false
	case "not-found":
		return resources.Errorf(resources.NotInstalled, "unit %s is not installed on this node", u.name), true
	case "masked":
		return resources.Errorf(resources.NotInstalled, "unit %s is masked on this node (systemctl unmask %s)", u.name, u.name), true
	case "bad-setting", "error":
		return resources.Errorf(resources.NotInstalled, "unit %s has a mistake in its file (systemd-analyze verify %s)", u.name, u.name), true
	}
	return resources.Errorf(resources.GenericError, "unit %s is %s", u.name, u.load), true
}

// ended says in words how the unit came to be what it is.
func (u unit) ended() string {
	s := fmt.Sprintf("unit %s is %s", u.name, u.active)
	if u.active == "activating" && u.sub == "auto-restart" {
		s = fmt.Sprintf("unit %s ended and is about to be restarted by systemd", u.name)
	}
	switch u.result {
	case "", "success":
		if u.active == "inactive" {
			return s
		}
	case "exit-code":
		s += fmt.Sprintf(": its process exited with status %d", u.status)
	case "signal", "core-dump":
		s += fmt.Sprintf(": its process was ended by signal %d", u.status)
	case "timeout":
		s += ": it exceeded its own time-out"
	case "watchdog":
		s += ": it did not feed its watchdog"
	case "start-limit-hit":
		s += ": it was started too often in a short time"
	case "oom-kill":
		s += ": it was killed for lack of memory"
	case "resources":
		s += ": systemd could not get what it needs (a folder, a user, memory)"
	case "protocol":
		s += ": it did not keep to the protocol of its type (forking, notify)"
	default:
		s += ": " + u.result
	}
	return s
}

// jobWords says what the results of jobs mean.
var jobWords = map[string]string{
	"canceled":    "was called off: somebody else gave the unit another job",
	"timeout":     "took longer than the unit's own time-out",
	"failed":      "failed",
	"dependency":  "failed, since a unit that it depends on failed",
	"skipped":     "was skipped: the unit was in no state for it",
	"invalid":     "is not possible for this unit",
	"assert":      "was refused by an assertion in the unit",
	"unsupported": "is not supported for this unit here",
	"collected":   "was dropped: nothing refers to the unit any more",
	"once":        "was refused: the unit may run only once per boot",
}

// failure makes a Result of an error of systemd.
func failure(err error) resources.Result {
	if errors.Is(err, errNoSystemd) {
		return resources.Errorf(resources.NotInstalled, "%v", err)
	}
	if e, ok := errors.AsType[godbus.Error](err); ok {
		switch {
		case strings.HasSuffix(e.Name, ".NoSuchUnit"), strings.HasSuffix(e.Name, ".UnitMasked"), strings.HasSuffix(e.Name, ".LoadFailed"):
			return resources.Errorf(resources.NotInstalled, "%v", err)
		case strings.HasSuffix(e.Name, ".AccessDenied"), strings.HasSuffix(e.Name, ".InteractiveAuthorizationRequired"):
			return resources.Errorf(resources.InsufficientPriv, "%v", err)
		}
	}
	return resources.Errorf(resources.GenericError, "%v", err)
}
