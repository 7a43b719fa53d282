package ctl

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
)

// serviceUnit is the daemon's unit.
const serviceUnit = "pacelined.service"

// serviceWait bounds the service manager: the unit's own time for leaving in good order, and some.
const serviceWait = 6 * time.Minute

// runService has the machine's service manager act on the daemon. What a stop takes down is asked about first.
func runService(verb string) func(*invocation) error {
	return func(in *invocation) error {
		return in.confirmed(func(yes bool) error {
			if (verb == "stop" || verb == "restart") && !yes {
				if err := in.guardStop(verb); err != nil {
					return err
				}
			}
			return in.systemctl(verb)
		})
	}
}

// guardStop asks for a word of confirmation if something runs on this node. A daemon that does not answer is in nobody's way.
func (in *invocation) guardStop(verb string) error {
	h, err := in.api.Health(in.ctx)
	if err != nil || h.Cluster == "" {
		return nil
	}
	r, err := in.api.Node(in.ctx, h.Node, "standby", api.NodeRequest{DryRun: true})
	if err != nil {
		return api.Errorf(api.CodeConfirm, verb+" the daemon of "+h.Node, "what runs here cannot be moved away now: %v", err).
			WithHint("--yes goes on")
	}
	for _, note := range r.Notes {
		if why, ok := strings.CutSuffix(note, "; --yes will be needed"); ok {
			return api.Errorf(api.CodeConfirm, verb+" the daemon of "+h.Node, "%s", why).WithHint("add --yes if that is meant")
		}
	}
	return nil
}

func (in *invocation) systemctl(verb string) error {
	what := verb + " the daemon"
	path, err := exec.LookPath("systemctl")
	if err != nil {
		return api.Errorf(api.CodeFailed, what, "this machine has no systemctl").WithHint("start and stop pacelined as this machine does it")
	}
	ctx, cancel := context.WithTimeout(in.ctx, serviceWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, verb, serviceUnit).CombinedOutput()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return api.Errorf(api.CodeTimeout, what, "it took longer than %v", serviceWait).WithHint("systemctl status %s", serviceUnit)
	}
	if err != nil {
		return api.Errorf(api.CodeFailed, what, "%s", orDefault(strings.TrimSpace(string(out)), err.Error())).
			WithHint("systemctl status %s", serviceUnit)
	}
	if slices.Contains([]string{"start", "stop", "restart"}, verb) {
		in.printf("pacelined: %s\n", verb)
	}
	return nil
}
