package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/integration/lab"
)

// narrate prints what the nodes' status streams and the power switch say, as they say it, until ctx ends. Every node is
// listened to; what one has told is not told again.
func (d *demo) narrate(ctx context.Context) {
	told := &story{d: d, known: map[string]string{}}
	var wg sync.WaitGroup
	for _, n := range d.c.Nodes() {
		wg.Go(func() { d.listen(ctx, n, told) })
	}
	wg.Go(func() { d.hearSwitch(ctx) })
	wg.Wait()
}

// listen follows the status as one node sees it, through its power cuts.
func (d *demo) listen(ctx context.Context, n *lab.Node, told *story) {
	for ctx.Err() == nil {
		if client, err := d.c.API(n.Name); err == nil {
			for s, err := range client.Watch(ctx) {
				if err != nil {
					break
				}
				told.take(s)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // the node has no power, or its daemon is not up yet
		}
	}
}

// hearSwitch tells what the power switch is asked.
func (d *demo) hearSwitch(ctx context.Context) {
	next := len(d.c.Switch().Events())
	for {
		e, err := d.c.Switch().Await(ctx, next, func(lab.PowerEvent) bool { return true })
		if err != nil {
			return
		}
		next++
		switch e.What {
		case "asked:off", "asked:reboot":
			d.sayAt(e.Time, "fencing: %s asks the power switch to turn %s off", e.By, e.Node)
		case "answered:off", "answered:reboot":
			d.sayAt(e.Time, "fencing: the switch confirms that %s is off", e.Node)
		}
	}
}

// story remembers what was told.
type story struct {
	d     *demo
	mu    sync.Mutex
	since uint64 // the newest revision seen
	known map[string]string
}

// take tells what a status says that is new. A status that is older than another node's is not news.
func (t *story) take(s *api.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Stale || s.Revision < t.since {
		return
	}
	t.since = s.Revision
	t.tell("coordinator", s.Coordinator, "%s is the coordinator now")
	for _, n := range s.Nodes {
		t.tell("node "+n.Name, string(n.State), n.Name+" is %s")
	}
	t.resources(s.Resources)
}

func (t *story) resources(list []api.Resource) {
	for _, r := range list {
		if len(r.Children) > 0 {
			t.resources(r.Children)
			continue
		}
		if r.Pending == "" && len(r.Nodes) == 1 {
			t.tell("resource "+r.ID, r.Nodes[0], r.ID+" runs on %s")
		}
	}
}

// tell prints a fact that has changed; the first sight of it is where the story begins.
func (t *story) tell(key, value, format string) {
	old, seen := t.known[key]
	if value == "" || seen && old == value {
		return
	}
	t.known[key] = value
	if seen {
		t.d.say("%s", fmt.Sprintf(format, value))
	}
}
