package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/peer"
	"paceline/agent/store"
)

const (
	// attributesTry bounds one attempt to have attributes committed: two network trips and a commit.
	attributesTry = 3 * time.Second
	// attributesPause is the pause before the next attempt: an election takes a few of them.
	attributesPause = 100 * time.Millisecond
	// attributesPatience is how long a dampened change, which nobody waits for, is tried again: longer than any change of the
	// coordinator, and not for ever.
	attributesPatience = 2 * time.Minute
	// attributesBatch bounds the changes of one commit, and attributesBody what carries them.
	attributesBatch = 200
	attributesBody  = 8 << 20
)

// keeper takes the changes of attributes that agents of this node ask for, and has the coordinator commit them: those that wait
// together in one commit, in the order in which they came.
type keeper struct {
	mu     sync.Mutex
	queue  []*asked
	delays map[attributeKey]time.Duration
	kick   chan struct{}
}

type attributeKey struct{ scope, node, set, name string }

// asked is one change on its way.
type asked struct {
	change api.AttributeChange
	origin string
	due    time.Time
	until  time.Time  // given up then
	done   chan error // capacity 1
}

func newKeeper() *keeper {
	return &keeper{delays: map[attributeKey]time.Duration{}, kick: make(chan struct{}, 1)}
}

func keyOf(c api.AttributeChange) attributeKey { return attributeKey{c.Scope, c.Node, c.Set, c.Name} }

// take puts changes into the queue, and returns those that are to be waited for. A dampened change replaces one of the same
// attribute that waits already, and is due when that was.
func (k *keeper) take(r api.AttributesRequest, now time.Time, patience time.Duration) []*asked {
	k.mu.Lock()
	defer k.mu.Unlock()
	var wait []*asked
	for _, c := range r.Changes {
		key := keyOf(c)
		if r.Delay != nil && c.Scope == api.ScopeTransient {
			if _, known := k.delays[key]; !known || r.NewDelay {
				k.delays[key] = time.Duration(*r.Delay)
			}
		}
		a := &asked{change: c, origin: r.Origin, due: now, until: now.Add(patience), done: make(chan error, 1)}
		delay := k.delays[key]
		if delay <= 0 {
			wait = append(wait, a)
			k.queue = append(k.queue, a)
			continue
		}
		a.due, a.until = now.Add(delay), now.Add(delay+attributesPatience)
		same := slices.IndexFunc(k.queue, func(o *asked) bool { return keyOf(o.change) == key && o.due.After(now) })
		if same >= 0 && !adds(c) {
			k.queue[same].change = c
			continue
		}
		k.queue = append(k.queue, a)
	}
	select {
	case k.kick <- struct{}{}:
	default:
	}
	return wait
}

// due takes out what is to be committed now, and says when there is more.
func (k *keeper) due(now time.Time) (list []*asked, next time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var rest []*asked
	for _, a := range k.queue {
		switch {
		case !a.due.After(now) && len(list) < attributesBatch:
			list = append(list, a)
		default:
			rest = append(rest, a)
			if next.IsZero() || a.due.Before(next) {
				next = a.due
			}
		}
	}
	k.queue = append([]*asked(nil), rest...)
	return list, next
}

// putBack returns to the head of the queue what could not be committed, but for those whose time has passed.
func (k *keeper) putBack(list []*asked, now time.Time, why error) (lost []*asked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var again []*asked
	for _, a := range list {
		if now.After(a.until) {
			a.done <- why
			lost = append(lost, a)
			continue
		}
		again = append(again, a)
	}
	k.queue = append(again, k.queue...)
	return lost
}

// pending returns the newest change of an attribute that is not committed yet.
func (k *keeper) pending(key attributeKey) (value *string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.queue) - 1; i >= 0; i-- {
		if keyOf(k.queue[i].change) == key && !adds(k.queue[i].change) {
			return k.queue[i].change.Value, true
		}
	}
	return nil, false
}

// SetAttributes has attributes committed; see api.AttributeKeeper.
func (b backend) SetAttributes(ctx context.Context, r api.AttributesRequest) error {
	n := b.d.current()
	if n == nil {
		return api.ErrUnconfigured
	}
	r.Changes = slices.Clone(r.Changes)
	for i := range r.Changes {
		r.Changes[i].Node = n.attributeNode(r.Changes[i].Scope, r.Changes[i].Node)
	}
	cutOff := func() bool { return n.exec.Status().CutOff != "" }
	if cutOff() && slices.ContainsFunc(r.Changes, func(c api.AttributeChange) bool { return c.Scope != api.ScopeTransient }) {
		return api.Errorf(api.CodeNoCoordinator, "set attributes", "there is no coordinator: %s", n.verdictText())
	}
	patience := api.RequestMax
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end)
	}
	if cutOff() {
		patience = attributesPatience
	}
	look := time.NewTicker(attributesPause) // a node that is cut off while an agent waits says so to nobody else
	defer look.Stop()
	var errs []error
	for _, a := range n.attributes.take(r, time.Now(), patience) {
	wait:
		for {
			select {
			case err := <-a.done:
				errs = append(errs, err)
				break wait
			case <-look.C:
				// A node that is cut off stops what it runs by itself, and must not wait with that for what can not come. Its
				// transient attributes are nobody's but its own, and are committed should it be taken back.
				if a.change.Scope == api.ScopeTransient && cutOff() {
					break wait
				}
			case <-ctx.Done():
				return ctx.Err()
			case <-n.ctx.Done():
				return errors.New("the daemon ends")
			}
		}
	}
	return errors.Join(errs...)
}

// attributeNode names the node that a request means.
func (n *node) attributeNode(scope, name string) string {
	switch {
	case scope == api.ScopeOption:
		return ""
	case name == "":
		return n.file.Node
	}
	return name
}

// Attributes returns attributes, with what this node has not committed yet; see api.AttributeKeeper.
func (b backend) Attributes(ctx context.Context, want api.Attribute) ([]api.Attribute, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	want.Node = n.attributeNode(want.Scope, want.Node)
	if v, ok := n.attributes.pending(attributeKey{want.Scope, want.Node, want.Set, want.Name}); ok {
		if v == nil {
			return nil, nil
		}
		want.Value = *v
		return []api.Attribute{want}, nil
	}
	reply, err := n.askAttributes(ctx, attributesAsk{Want: &want})
	if err == nil {
		return reply.Attributes, nil
	}
	// Nobody coordinates: what this node has seen committed is the best there is.
	if c := n.store.Snapshot().CIB; c != nil && n.isVoter() {
		return attributesOf(c, want), nil
	}
	return nil, api.Errorf(api.CodeNoCoordinator, "", "%v", err)
}

// keepAttributes commits what is due, until the node ends.
func (n *node) keepAttributes() {
	for {
		list, next := n.attributes.due(time.Now())
		if len(list) > 0 {
			if n.commitAsked(list) {
				continue
			}
			next = time.Now().Add(attributesPause)
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case <-n.ctx.Done():
			return
		case <-n.attributes.kick:
			if len(list) > 0 { // the pause after a failure is kept
				select {
				case <-n.ctx.Done():
					return
				case <-timer:
				}
			}
		case <-timer:
		}
	}
}

// commitAsked has one batch committed and answers those that wait. It reports whether the coordinator took it.
func (n *node) commitAsked(list []*asked) bool {
	ask := attributesAsk{}
	for _, a := range list {
		ask.Changes = append(ask.Changes, a.change)
		ask.Origins = append(ask.Origins, a.origin)
	}
	ctx, cancel := context.WithTimeout(n.ctx, attributesTry)
	defer cancel()
	reply, err := n.askAttributes(ctx, ask)
	if err == nil && len(reply.Errors) != len(list) {
		err = errors.New("the coordinator does not say what became of them")
	}
	if err != nil {
		for _, a := range n.attributes.putBack(list, time.Now(), api.Errorf(api.CodeNoCoordinator, "", "%v", err)) {
			n.log.Warn("an attribute was not committed", "attribute", a.change.Name, "node", a.change.Node, "cause", err)
		}
		return false
	}
	for i, a := range list {
		if why := reply.Errors[i]; why != "" {
			a.done <- api.Errorf(api.CodeNotFound, "set attribute "+a.change.Name, "%s", why)
			continue
		}
		a.done <- nil
	}
	return true
}

// attributesAsk is what a node asks the coordinator: changes, or values.
type attributesAsk struct {
	Changes []api.AttributeChange `json:"changes,omitempty"`
	Origins []string              `json:"origins,omitempty"` // who asked for each change
	Want    *api.Attribute        `json:"want,omitempty"`
}

type attributesAnswer struct {
	Errors     []string        `json:"errors,omitempty"` // of each change; empty: committed
	Attributes []api.Attribute `json:"attributes,omitempty"`
}

// askAttributes asks the coordinator, wherever it is.
func (n *node) askAttributes(ctx context.Context, ask attributesAsk) (attributesAnswer, error) {
	name, local := n.coordinator()
	switch {
	case name == "":
		return attributesAnswer{}, errors.New("there is no coordinator: " + n.verdictText())
	case local:
		return n.answerAttributes(ctx, n.file.Node, ask)
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return attributesAnswer{}, err
	}
	var reply attributesAnswer
	err = n.askWith(ctx, http.MethodPost, innerAttributes, body, &reply)
	return reply, err
}

// hearAttributes answers another node.
func (n *node) hearAttributes(w http.ResponseWriter, r *http.Request) {
	who, ok := peer.IdentityFrom(r.Context())
	var ask attributesAsk
	if !ok || json.NewDecoder(http.MaxBytesReader(w, r.Body, attributesBody)).Decode(&ask) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	answer, err := n.answerAttributes(r.Context(), who.Node, ask)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(answer); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b.Bytes())
}

// answerAttributes does what a node asks, on the coordinator.
func (n *node) answerAttributes(ctx context.Context, from string, ask attributesAsk) (attributesAnswer, error) {
	if !n.isLeader() {
		return attributesAnswer{}, errors.New("this node is not the coordinator")
	}
	if ask.Want != nil {
		return attributesAnswer{Attributes: attributesOf(n.store.Snapshot().CIB, *ask.Want)}, nil
	}
	// One at a time: what is added to must be what was committed last.
	n.attributesMu.Lock()
	defer n.attributesMu.Unlock()
	c := n.store.Snapshot().CIB
	p := planAttributes(c, ask.Changes)
	who := "agents on " + from
	if len(ask.Origins) > 0 && ask.Origins[0] != "" {
		who = ask.Origins[0] + " on " + from
	}
	for _, batch := range [][]cib.Change{p.status, p.configuration} {
		if len(batch) == 0 {
			continue
		}
		_, err := n.commit(ctx, store.Command{Change: cib.Change{Batch: batch}, User: who, Message: "attributes set by " + who})
		if err != nil {
			return attributesAnswer{}, err
		}
	}
	return attributesAnswer{Errors: p.errors}, nil
}

// attributePlan is what changes of attributes come to.
type attributePlan struct {
	status, configuration []cib.Change
	errors                []string // of each change
}

// planAttributes translates changes of attributes into those of the CIB. What is so already changes nothing, so that a monitor
// that says the same every time costs no commit.
func planAttributes(c *cib.CIB, changes []api.AttributeChange) attributePlan {
	p := attributePlan{errors: make([]string, len(changes))}
	now := map[attributeKey]*string{}
	for i, ch := range changes {
		node := ""
		if ch.Scope != api.ScopeOption {
			known := c.NodeByName(ch.Node)
			if known == nil {
				p.errors[i] = fmt.Sprintf("there is no node %q in the cluster", ch.Node)
				continue
			}
			node = known.ID
			if ch.Scope == api.ScopeTransient && c.NodeState(node) == nil {
				p.errors[i] = fmt.Sprintf("node %s was never there: it has no transient attributes", ch.Node)
				continue
			}
		}
		key := keyOf(ch)
		old, seen := now[key]
		if !seen {
			for _, a := range attributesOf(c, api.Attribute{Scope: ch.Scope, Node: ch.Node, Set: ch.Set, Name: ch.Name}) {
				old = &a.Value
				break
			}
		}
		value := ch.Value
		if n, ok := added(ch, old); ok {
			value = &n
		}
		if same(old, value) {
			continue
		}
		now[key] = value
		switch ch.Scope {
		case api.ScopeTransient:
			p.status = append(p.status, cib.Change{SetTransient: &cib.SetTransient{NodeID: node, Name: ch.Name, Value: value}})
		case api.ScopePermanent:
			p.configuration = append(p.configuration, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: ch.Node, Name: ch.Name, Value: value}})
		default:
			p.configuration = append(p.configuration, cib.Change{SetOption: &cib.SetOption{Set: ch.Set, Name: ch.Name, Value: value}})
		}
	}
	return p
}

func same(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// addend splits what is to be added off a value like "name++" or "value+=3".
func addend(c api.AttributeChange) (n int, ok bool) {
	if c.Value == nil {
		return 0, false
	}
	for _, head := range []string{c.Name, "value"} {
		rest, found := strings.CutPrefix(*c.Value, head)
		if !found {
			continue
		}
		if rest == "++" {
			return 1, true
		}
		if text, more := strings.CutPrefix(rest, "+="); more {
			n, err := cib.ParseScore(text)
			return n, err == nil
		}
	}
	return 0, false
}

func adds(c api.AttributeChange) bool {
	_, ok := addend(c)
	return ok
}

// added is the sum that a change asks for. What is no number counts as 0, and sums end at INFINITY.
func added(c api.AttributeChange, old *string) (string, bool) {
	n, ok := addend(c)
	if !ok {
		return "", false
	}
	base := 0
	if old != nil {
		if v, err := cib.ParseScore(*old); err == nil {
			base = v
		}
	}
	sum := base + n
	switch {
	case sum >= cib.Infinity:
		return "INFINITY", true
	case sum <= -cib.Infinity:
		return "-INFINITY", true
	}
	return strconv.Itoa(sum), true
}

// attributesOf finds attributes in a CIB. A node of "*" is any.
func attributesOf(c *cib.CIB, want api.Attribute) []api.Attribute {
	if c == nil {
		return nil
	}
	var out []api.Attribute
	collect := func(node string, sets []cib.NVSet) {
		for _, s := range sets {
			if s.Rule != nil || want.Set != "" && s.ID != want.Set {
				continue
			}
			for _, p := range s.Pairs {
				if p.Name == "" || want.Name != "" && p.Name != want.Name {
					continue
				}
				a := api.Attribute{Scope: want.Scope, Node: node, Name: p.Name, Value: p.Value}
				if want.Scope == api.ScopeOption {
					a.Set = s.ID
				}
				out = append(out, a)
			}
		}
	}
	if want.Scope == api.ScopeOption {
		collect("", cib.OrderSets(c.Configuration.Options))
		return out
	}
	want.Set = ""
	for _, n := range c.Configuration.Nodes {
		if want.Node != "*" && n.Uname != want.Node {
			continue
		}
		if want.Scope == api.ScopePermanent {
			collect(n.Uname, n.Attributes)
		} else if st := c.NodeState(n.ID); st != nil {
			collect(n.Uname, st.Attributes)
		}
	}
	return out
}
