package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/store"
)

// leaveInGoodOrder takes this node out of the membership for a while: its resources move away, the coordinator lets it go,
// it hands over what it led, and says goodbye. Whatever does not work within the limits is left to the others: they will
// treat the node as lost.
func (d *Daemon) leaveInGoodOrder(ctx context.Context) {
	n := d.current()
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := n.drain(ctx); err != nil {
		d.log.Error("this node could not leave in good order; its resources keep running and the others will treat it as lost", "err", err)
		return
	}
	n.goodbye(ctx)
}

// drain asks the coordinator to let this node go, and waits until nothing runs here any more.
func (n *node) drain(ctx context.Context) error {
	if n.file.Witness {
		return nil
	}
	n.log.Info("this node asks to leave")
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, leaveQuiet)
	defer cancel()
	for {
		err := n.ask(wait, http.MethodPost, innerLeave, nil)
		if err == nil {
			break
		}
		select {
		case <-wait.Done():
			return fmt.Errorf("ask the coordinator to let this node go: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
	kick := n.d.notify.listen(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var st cib.NodeState
		if err := n.ask(ctx, http.MethodGet, innerState, &st); err == nil && st.Expected != "member" {
			n.log.Info("nothing runs here any more")
			return nil
		}
		select {
		case <-kick:
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("its resources did not stop in time")
		}
	}
}

// goodbye hands over the coordination, waits to be taken out of the voters, and leaves the gossip.
func (n *node) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveQuiet)
	defer cancel()
	if len(n.voterIDs()) > 1 {
		n.handOver(ctx)
		voteless, cancel := context.WithTimeout(ctx, votelessWait)
		defer cancel()
		for n.isVoter() && voteless.Err() == nil {
			select {
			case <-voteless.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	if err := n.members.Leave(ctx); err != nil {
		n.log.Warn("not everybody may have heard this node's goodbye", "err", err)
	}
}

// handOver has another voter lead, if this node leads and there is one, and waits until it coordinates.
func (n *node) handOver(ctx context.Context) {
	if !n.isLeader() || len(n.voterIDs()) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveQuiet)
	defer cancel()
	kick := n.d.notify.listen(ctx)
	err := errors.New("no other voter is heard")
	for _, id := range n.heirs() {
		if err = n.store.TransferLeadership(ctx, id); err == nil || !n.isLeader() {
			break
		}
	}
	if err != nil {
		n.log.Warn("the coordination could not be handed over", "err", err)
		return
	}
	for {
		var st cib.NodeState
		if name, local := n.coordinator(); name != "" && !local && n.ask(ctx, http.MethodGet, innerState, &st) == nil {
			return
		}
		select {
		case <-kick:
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// heirs lists the IDs of the other voters that are heard, by name, those that run nothing last: raft by itself would also choose one that
// has just ended.
func (n *node) heirs() []string {
	voters := n.voterIDs()
	var nodes, witnesses []string
	for _, m := range n.currentView().Members {
		switch {
		case m.Status != membership.Alive || m.ID == n.id.ID || !slices.Contains(voters, m.ID):
		case m.Role == membership.RoleWitness:
			witnesses = append(witnesses, m.ID)
		default:
			nodes = append(nodes, m.ID)
		}
	}
	return append(nodes, witnesses...)
}

// leave takes a node out of the cluster for good.
func (d *Daemon) leave(ctx context.Context, req api.LeaveRequest) (api.LeaveReply, error) {
	n := d.current()
	if n == nil {
		return api.LeaveReply{}, api.ErrUnconfigured
	}
	if req.Node != "" && req.Node != n.file.Node {
		return n.removeOther(ctx, req.Node)
	}
	release, err := d.reserve("cluster leave", true)
	if err != nil {
		return api.LeaveReply{}, err
	}
	defer release()
	what := "leave the cluster"
	alone := len(n.voterIDs()) == 1 && n.isLeader()
	if err := n.drain(ctx); err != nil {
		return api.LeaveReply{}, api.Errorf(api.CodeFailed, what, "%v", err).WithHint("paceline status says what holds it up; nothing was forgotten")
	}
	if !alone {
		// Another coordinator forgets this node, and sees before that it was let go: it does not take it in again.
		n.handOver(ctx)
		if err := n.ask(ctx, http.MethodPost, innerForget, nil); err != nil {
			return api.LeaveReply{}, api.Errorf(api.CodeFailed, what, "%v", err)
		}
	}
	n.goodbye(ctx)
	d.abandon()
	return api.LeaveReply{Node: req.Node}, nil
}

// removeOther forgets a node that is gone. It runs on the coordinator.
func (n *node) removeOther(ctx context.Context, name string) (api.LeaveReply, error) {
	what := "remove node " + name
	c := n.store.Snapshot().CIB
	known := c.NodeByName(name)
	if known == nil {
		return api.LeaveReply{}, api.Errorf(api.CodeNotFound, what, "there is no such node")
	}
	if st := c.NodeState(known.ID); st != nil && st.Expected != "down" {
		return api.LeaveReply{}, api.Errorf(api.CodeRefused, what, "it is a member, or it may still run something").
			WithHint("run paceline cluster leave on it, or, if it is dead, paceline node fence %s first", name)
	}
	for _, id := range n.voterIDs() {
		if id == known.ID {
			if err := n.store.Remove(ctx, id); err != nil {
				return api.LeaveReply{}, err
			}
		}
	}
	if _, err := n.commit(ctx, store.Command{Change: cib.Change{DropNode: &cib.DropNode{Uname: name}}, Message: "remove node " + name}); err != nil {
		return api.LeaveReply{}, err
	}
	return api.LeaveReply{Node: name}, nil
}
