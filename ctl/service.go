package ctl

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"paceline/agent/api"
)

// serviceUnit is the daemon's unit.
const serviceUnit = "pacelined.service"

// serviceWait bounds the service manager: the unit's own time for leaving in good order, and some.
const serviceWait = 6 * time.Minute

// memberPoll is the pause between two looks for a daemon that was just started: while its socket is not there, nothing can tell.
const memberPoll = 200 * time.Millisecond

// serviceReply is what the verbs of the daemon's service answer with.
type serviceReply struct {
	Schema  int          `json:"schema"`
	Node    string       `json:"node"` // empty: of no cluster, or the daemon was not running
	Action  string       `json:"action"`
	DryRun  bool         `json:"dry_run,omitempty"`
	Actions []api.Action `json:"actions,omitempty"` // dry run: what the cluster would do
	Confirm string       `json:"confirm,omitempty"` // dry run: for what a confirmation will be needed
	Settled bool         `json:"settled"`           // with a wait: the node is back, and the cluster has settled
}

// runService has the machine's service manager act on the daemon. What a stop takes down is asked about first.
func runService(verb string) func(*invocation) error {
	return func(in *invocation) error {
		down := verb == "stop" || verb == "restart"
		reply := &serviceReply{Schema: api.Schema, Action: verb, DryRun: in.c.Bool("dry-run")}
		if h, err := in.api.Health(in.ctx); err == nil && h.Cluster != "" {
			reply.Node = h.Node
		}
		if err := in.onlyHere(verb, reply.Node); err != nil {
			return err
		}
		return in.confirmed(func(yes bool) error {
			if down && reply.Node != "" && (!yes || reply.DryRun) {
				if err := in.guardStop(verb, reply); err != nil {
					return err
				}
			}
			if reply.DryRun {
				if in.json() {
					return in.writeJSON(reply)
				}
				in.wouldBeDone(reply.Actions, reply.Confirm)
				return nil
			}
			if err := in.systemctl(verb); err != nil {
				return err
			}
			err := in.awaitMember(verb, reply)
			switch {
			case in.json():
				if werr := in.writeJSON(reply); werr != nil {
					return werr
				}
			default:
				in.printf("pacelined: %s\n", verb)
			}
			return err
		})
	}
}

// onlyHere refuses the names of other nodes: the service manager of a machine is reached on the machine.
func (in *invocation) onlyHere(verb, here string) error {
	for _, n := range in.args {
		if n != here || here == "" {
			return api.Errorf(api.CodeRefused, verb+" the daemon of "+n, "this is %s: the daemon of another machine is in the hands of its own service manager",
				orDefault(here, "another machine, or its daemon does not run")).WithHint("ssh %s paceline cluster %s", n, verb)
		}
	}
	return nil
}

// guardStop asks for a word of confirmation if something that runs on this node has no other place, and a person at the terminal
// if it has. A daemon that does not answer is in nobody's way.
func (in *invocation) guardStop(verb string, reply *serviceReply) error {
	what := verb + " the daemon of " + reply.Node
	r, err := in.api.Node(in.ctx, reply.Node, "standby", api.NodeRequest{DryRun: true, Ask: in.Terminal})
	switch {
	case err != nil && reply.DryRun:
		return err
	case err != nil:
		return api.Errorf(api.CodeConfirm, what, "what runs here cannot be moved away now: %v", err).WithHint("--yes goes on")
	case reply.DryRun:
		reply.Actions, reply.Confirm = r.Actions, r.Confirm
	case r.Confirm != "":
		return api.Errorf(api.CodeConfirm, what, "%s", r.Confirm).WithHint("add --yes if that is meant")
	}
	return nil
}

// awaitMember waits, if asked to, until a daemon that was started is part of its cluster again, and the cluster has settled.
func (in *invocation) awaitMember(verb string, reply *serviceReply) error {
	d := in.c.Duration("wait")
	if d == 0 || verb == "stop" {
		return nil
	}
	return in.awaitNode(verb+" the daemon", d, reply)
}

// runWaitForStartup waits for this node, SECONDS long or as long as waits are by themselves.
func runWaitForStartup(in *invocation) error {
	d := api.WaitDefault
	if text := in.arg(0); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return usagef("paceline cluster wait_for_startup: %q is no number of seconds", text)
		}
		d = time.Duration(n) * time.Second
	}
	reply := &serviceReply{Schema: api.Schema, Action: "wait_for_startup"}
	err := in.awaitNode("wait for this node", d, reply)
	if in.json() {
		if werr := in.writeJSON(reply); werr != nil {
			return werr
		}
	}
	return err
}

func (in *invocation) awaitNode(what string, d time.Duration, reply *serviceReply) error {
	ctx, cancel := context.WithTimeout(in.ctx, d)
	defer cancel()
	tick := time.NewTicker(memberPoll)
	defer tick.Stop()
	why := "the daemon does not answer"
	for {
		if h, err := in.api.Health(ctx); err == nil {
			reply.Node, why = h.Node, "the cluster is not reached from here"
		}
		if st, err := in.api.Status(ctx); err == nil && !st.Stale && joined(st, reply.Node) {
			w, err := in.api.Wait(ctx, st.Revision, d)
			if err == nil && w.Settled {
				reply.Settled = true
				return nil
			}
			why = "the cluster has not settled"
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return api.Errorf(api.CodeTimeout, what, "%s after %v", why, d).WithHint("`paceline status` shows how far it is")
		}
	}
}

// joined says whether a node is up and takes orders.
func joined(st *api.Status, node string) bool {
	for _, n := range st.Nodes {
		if n.Name == node {
			return n.Online && (n.Session || n.Role == api.RoleWitness) && n.State != api.NodePending
		}
	}
	return false
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
	return nil
}
