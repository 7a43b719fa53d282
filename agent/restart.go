package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/peer"
)

// restarting is what a daemon says before it ends and starts anew.
type restarting struct {
	Boot        string `json:"boot"`
	Incarnation string `json:"incarnation"`
}

// announceRestart does what comes before a daemon ends to start anew, while its resources run on: it hands over what it led, lets
// operations in flight end, and has the coordinator commit that it is to be waited for. What does not work within the limits
// is left to the others: they treat the node as one whose daemon just ended.
func (d *Daemon) announceRestart(ctx context.Context) {
	n := d.current()
	if n == nil || !n.inCompany() {
		return
	}
	n.handOver(ctx)
	quiet, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := n.exec.Quiesce(quiet); err != nil {
		d.log.Warn("operations are ended with the daemon", "err", err)
	}
	if n.file.Witness {
		return // it runs nothing: nobody is in a hurry to have it fenced
	}
	if err := n.sayRestart(ctx); err != nil {
		d.log.Warn("the others do not know that this daemon starts anew: if it is away for longer than they take to miss it, the node is fenced", "err", err)
		return
	}
	d.log.Info("the others wait for this daemon to start anew", "most", n.profile.timing.Restart)
}

// sayRestart has the restart committed by whoever coordinates, and returns when that is done. Between two coordinators it waits.
func (n *node) sayRestart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, announceMax)
	defer cancel()
	say := restarting{Boot: n.id.Boot, Incarnation: n.id.Incarnation}
	body, err := json.Marshal(say)
	if err != nil {
		return err
	}
	kick := n.d.notify.listen(ctx)
	for {
		if _, local := n.coordinator(); local {
			err = n.recordRestart(ctx, n.id.ID, say)
		} else {
			err = n.askWith(ctx, http.MethodPost, innerRestart, body, nil)
		}
		refused, ok := errors.AsType[*refusal](err)
		switch {
		case err == nil, errors.Is(err, errNoMember), ok && refused.status == http.StatusConflict:
			return err
		case ok && refused.status != http.StatusServiceUnavailable:
			return fmt.Errorf("%s coordinates, and is of a version that does not know announcements", refused.by)
		}
		select {
		case <-kick:
		case <-time.After(announcePause):
		case <-ctx.Done():
			return err
		}
	}
}

// hearRestart takes in, on the coordinator, that another node's daemon starts anew.
func (n *node) hearRestart(w http.ResponseWriter, r *http.Request) {
	who, ok := peer.IdentityFrom(r.Context())
	var say restarting
	if !ok || json.NewDecoder(http.MaxBytesReader(w, r.Body, restartBodyMax)).Decode(&say) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	switch err := n.recordRestart(r.Context(), who.ID, say); {
	case errors.Is(err, errNoMember):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

var errNoMember = errors.New("the announcement of a restart is refused")

func (n *node) recordRestart(ctx context.Context, id string, say restarting) error {
	if _, local := n.coordinator(); !local {
		return errors.New("this node is not the coordinator")
	}
	c := n.store.Snapshot().CIB
	ch, err := coordinator.Announce(c, id, say.Boot, say.Incarnation)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoMember, err)
	}
	_, err = n.commitHere(ctx, "the daemon of "+nameOf(c, id)+" starts anew", ch)
	return err
}

func nameOf(c *cib.CIB, id string) string {
	if known := c.NodeByID(id); known != nil {
		return known.Uname
	}
	return id
}
