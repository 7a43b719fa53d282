package agent

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/peer"
)

const (
	// troubleEvery is how often a node looks at itself, and tells the coordinator what is wrong.
	troubleEvery = 2 * time.Second
	// troubleKept is how long the coordinator believes what a node said last: a few times troubleEvery.
	troubleKept = 7 * time.Second
	// troubleMax bounds what one node may say.
	troubleMax = 64 << 10
)

// trouble is what nodes say is wrong with them, by node. Status is answered by the coordinator, and what only a node itself
// knows - a full disk, packets of a foreign cluster - must be in it all the same. The zero value is ready.
type trouble struct {
	mu   sync.Mutex
	said map[string]said
}

type said struct {
	at       time.Time
	problems []api.Problem
}

func (t *trouble) hear(node string, problems []api.Problem, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said == nil {
		t.said = map[string]said{}
	}
	t.said[node] = said{now, problems}
}

func (t *trouble) all(now time.Time) []api.Problem {
	t.mu.Lock()
	defer t.mu.Unlock()
	var nodes []string
	for node, s := range t.said {
		if now.Sub(s.at) > troubleKept {
			delete(t.said, node)
			continue
		}
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	var out []api.Problem
	for _, node := range nodes {
		out = append(out, t.said[node].problems...)
	}
	return out
}

// hearTrouble takes in what another node says is wrong with it.
func (n *node) hearTrouble(w http.ResponseWriter, r *http.Request) {
	who, ok := peer.IdentityFrom(r.Context())
	var problems []api.Problem
	if !ok || json.NewDecoder(http.MaxBytesReader(w, r.Body, troubleMax)).Decode(&problems) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	n.trouble.hear(who.Node, problems, time.Now())
	n.d.notify.poke()
}

// tellTrouble tells the coordinator what is wrong with this node, as long as something is.
func (n *node) tellTrouble() {
	tick := time.NewTicker(troubleEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		problems := n.problems()
		if len(problems) == 0 || n.isLeader() {
			continue
		}
		if body, err := json.Marshal(problems); err == nil {
			if err := n.askWith(n.ctx, http.MethodPost, innerTrouble, body, nil); err != nil {
				n.log.Debug("the coordinator could not be told what is wrong here", "err", err)
			}
		}
	}
}
