package whatif

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// crmOperation is crm_simulate's way to name an operation: RESOURCE_TASK_INTERVAL@NODE=RC.
var crmOperation = regexp.MustCompile(`^(.+)_(start|stop|monitor|promote|demote|notify|migrate_to|migrate_from)_([0-9]+)(?:@([^=]+))?(?:=([0-9]+))?$`)

// ParseFailure reads RESOURCE[@NODE][:OPERATION[/INTERVAL_MS]][=RC], in which the number of a clone's instance (web:1) is
// part of the resource, or crm_simulate's RESOURCE_OPERATION_INTERVALMS@NODE=RC.
func ParseFailure(text string) (Failure, error) {
	f := Failure{IntervalMS: -1}
	bad := func(why string) (Failure, error) {
		return f, fmt.Errorf("fail %q: %s; the form is RESOURCE[@NODE][:OPERATION][=RC], for example web@node1:start=5, or that of crm_simulate, web_start_0@node1=5", text, why)
	}
	if m := crmOperation.FindStringSubmatch(text); m != nil {
		f.Resource, f.Operation, f.Node = m[1], m[2], m[4]
		f.IntervalMS, _ = strconv.ParseInt(m[3], 10, 64)
		f.RC, _ = strconv.Atoi(m[5])
		return f, nil
	}
	rest, rc, hasRC := strings.Cut(text, "=")
	if hasRC {
		n, err := strconv.Atoi(rc)
		if err != nil || n < 1 || n > 255 {
			return bad(fmt.Sprintf("%q is no exit code of a failure (1 to 255)", rc))
		}
		f.RC = n
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && strings.Trim(rest[i+1:], "0123456789") != "" {
		op, interval, has := strings.Cut(rest[i+1:], "/")
		if has {
			n, err := strconv.ParseInt(interval, 10, 64)
			if err != nil || n < 0 {
				return bad(fmt.Sprintf("%q is no interval in milliseconds", interval))
			}
			f.IntervalMS = n
		}
		switch op {
		case "start", "stop", "monitor", "promote", "demote", "migrate_to", "migrate_from":
			f.Operation = op
		default:
			return bad(fmt.Sprintf("%q is no operation", op))
		}
		rest = rest[:i]
	}
	f.Resource, f.Node, _ = strings.Cut(rest, "@")
	if f.Resource == "" {
		return bad("no resource is named")
	}
	return f, nil
}

// ParseTicket reads NAME=STATE.
func ParseTicket(text string) (Event, error) {
	name, state, ok := strings.Cut(text, "=")
	if !ok || name == "" || state == "" {
		return Event{}, fmt.Errorf("ticket %q: the form is NAME=granted, NAME=revoked, NAME=standby or NAME=active", text)
	}
	return Event{Kind: Ticket, Name: name, State: state}, nil
}
