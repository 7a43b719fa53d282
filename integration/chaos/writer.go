package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// writer commits numbers, one after the other, into attributes of a node, and notes which were acknowledged. None of those may
// ever be lost: where one stands, it or something that was written to its place after it has to stand for ever.
type writer struct {
	write func(ctx context.Context, name, value string) error

	turn sync.Mutex // held while something is written, and by who needs that nothing is

	mu    sync.Mutex
	next  int
	acked map[string]int   // place -> the newest acknowledged number
	open  map[string][]int // place -> numbers of which nobody knows whether they were committed
	total int
}

func newWriter(write func(ctx context.Context, name, value string) error) *writer {
	return &writer{write: write, acked: map[string]int{}, open: map[string][]int{}}
}

func (w *writer) hold()    { w.turn.Lock() }
func (w *writer) release() { w.turn.Unlock() }

// run writes until the context ends.
func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.turn.Lock()
		w.one(ctx)
		w.turn.Unlock()
		pause(ctx, writeEvery)
	}
}

func (w *writer) one(ctx context.Context) {
	w.mu.Lock()
	w.next++
	n := w.next
	place := fmt.Sprintf("%s%d", placePrefix, n%slots)
	w.open[place] = append(w.open[place], n)
	w.mu.Unlock()
	brief, cancel := context.WithTimeout(ctx, writeMax)
	defer cancel()
	if err := w.write(brief, place, strconv.Itoa(n)); err != nil {
		return // nobody knows
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[place] = slices.DeleteFunc(w.open[place], func(o int) bool { return o == n })
	w.acked[place] = n
	w.total++
}

const placePrefix = "chaos-"

// lost compares what stands with what was acknowledged. It returns how many places it compared.
func (w *writer) lost(have map[string]string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var wrong []string
	for place, n := range w.acked {
		v, err := strconv.Atoi(have[place])
		if err != nil || v != n && !slices.Contains(w.open[place], v) {
			wrong = append(wrong, fmt.Sprintf("%s is %q, and %d was acknowledged", place, have[place], n))
		}
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		return len(w.acked), fmt.Errorf("acknowledged writes are lost: %s", strings.Join(wrong, "; "))
	}
	return len(w.acked), nil
}

// counts returns how many numbers were acknowledged, and how many written.
func (w *writer) counts() (acked, written int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total, w.next
}

// standing reads the numbers that stand in a configuration.
func standing(c *cib.Configuration) map[string]string {
	out := map[string]string{}
	for _, n := range c.Nodes {
		for _, set := range n.Attributes {
			for _, p := range set.Pairs {
				if strings.HasPrefix(p.Name, placePrefix) {
					out[p.Name] = p.Value
				}
			}
		}
	}
	return out
}

// setAttribute writes an attribute of the first node by one of the nodes that have a daemon, another one each time.
func (r *run) setAttribute(ctx context.Context, name, value string) error {
	r.mu.Lock()
	r.turn++
	node := r.nodes[r.turn%len(r.nodes)]
	r.mu.Unlock()
	client, err := r.c.API(node)
	if err != nil {
		pause(ctx, 100*time.Millisecond)
		return err
	}
	_, err = client.Change(ctx, api.ChangeRequest{Message: name,
		Change: &cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: r.nodes[0], Name: name, Value: &value}}})
	return err
}
