package agent

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/peer"
)

// serveAccess answers people and programs outside the cluster, while there is a token with which they may ask: without one
// the port does not speak their protocol at all. Whenever the tokens change, it wakes who waits for that.
func (n *node) serveAccess() {
	states := n.store.Watch(n.ctx)
	var known []*cib.AccessToken
	var running sync.WaitGroup
	defer running.Wait()
	var stop context.CancelFunc
	for {
		wanted := len(known) > 0
		switch {
		case wanted && stop == nil:
			ctx, cancel := context.WithCancel(n.ctx)
			stop = cancel
			l := n.peer.Listener(peer.ALPNAccess)
			running.Go(func() {
				if err := n.d.server.ServeRemote(ctx, l); err != nil && ctx.Err() == nil {
					n.log.Error("remote use can not be answered any more", "err", err)
				}
			})
		case !wanted && stop != nil:
			stop()
			running.Wait()
			stop = nil
		}
		select {
		case s, ok := <-states:
			if !ok {
				states = nil
				continue
			}
			if s.CIB != nil && !slices.Equal(s.CIB.Status.Access, known) {
				known = s.CIB.Status.Access
				n.d.notify.poke()
			}
		case <-n.ctx.Done():
			if stop != nil {
				stop()
			}
			return
		}
	}
}

// IssueAccess draws the secret of an access token, which names every member that is there.
func (b backend) IssueAccess(_ context.Context, expires time.Time) (text, hash string, err error) {
	n := b.d.current()
	if n == nil {
		return "", "", api.ErrUnconfigured
	}
	addresses := []string{net.JoinHostPort(n.file.Address, strconv.Itoa(n.file.PeerPort))}
	for _, m := range n.currentView().Members {
		a := net.JoinHostPort(m.Addr, strconv.Itoa(int(m.PeerPort)))
		if m.Status == membership.Alive && !slices.Contains(addresses, a) && len(addresses) < accessAddresses {
			addresses = append(addresses, a)
		}
	}
	t, err := peer.NewToken(addresses, n.keys.now().Current, expires)
	if err != nil {
		return "", "", err
	}
	return t.EncodeAccess(), t.SecretHash(), nil
}
