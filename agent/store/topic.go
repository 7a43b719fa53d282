package store

import (
	"context"
	"sync"
)

// topic tells its subscribers the latest value. A subscriber that is slow misses values in between, never the last one.
type topic[T any] struct {
	mu     sync.Mutex
	last   T
	known  bool
	closed bool
	subs   map[chan T]func() bool
}

func (t *topic[T]) publish(v T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.last, t.known = v, true
	for ch := range t.subs {
		offer(ch, v)
	}
}

// offer puts v into a channel of capacity 1 in place of what is there. The topic's lock makes it the only sender.
func offer[T any](ch chan T, v T) {
	select {
	case <-ch:
	default:
	}
	ch <- v
}

// subscribe returns a channel of capacity 1 that holds the last value, if there is one, and is closed when ctx or the topic
// ends.
func (t *topic[T]) subscribe(ctx context.Context) <-chan T {
	ch := make(chan T, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || ctx.Err() != nil {
		close(ch)
		return ch
	}
	if t.known {
		ch <- t.last
	}
	if t.subs == nil {
		t.subs = map[chan T]func() bool{}
	}
	t.subs[ch] = context.AfterFunc(ctx, func() { t.unsubscribe(ch) })
	return ch
}

func (t *topic[T]) unsubscribe(ch chan T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.subs[ch]; ok {
		delete(t.subs, ch)
		close(ch)
	}
}

func (t *topic[T]) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for ch, stop := range t.subs {
		stop()
		delete(t.subs, ch)
		close(ch)
	}
}
