package agent

import (
	"context"
	"sync"
)

// topic tells any number of listeners that something changed. Each has a channel of capacity 1: who is slow misses
// nothing but repetitions. The zero value is ready.
type topic struct {
	mu  sync.Mutex
	out map[chan struct{}]bool
}

func (t *topic) poke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ch := range t.out {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (t *topic) listen(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	t.mu.Lock()
	if t.out == nil {
		t.out = map[chan struct{}]bool{}
	}
	t.out[ch] = true
	t.mu.Unlock()
	context.AfterFunc(ctx, func() {
		t.mu.Lock()
		delete(t.out, ch)
		t.mu.Unlock()
	})
	return ch
}
