package exec

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"paceline/fencing"
)

// turns keeps actions on one device apart, as many controllers take one login at a time: at most pcmk_action_limit (default
// 1, -1 for any number) act on power at a time. Who only asks (monitor, status, list) waits while power is acted on,
// and never makes a fencing wait.
type turns struct {
	mu      sync.Mutex
	acting  map[string]int           // by device
	waiting map[string]chan struct{} // closed when somebody has ended
}

func newTurns() *turns { return &turns{acting: map[string]int{}, waiting: map[string]chan struct{}{}} }

// limit returns pcmk_action_limit.
func limit(dev fencing.Device) int {
	n, err := strconv.Atoi(strings.TrimSpace(dev.Params["pcmk_action_limit"]))
	if err != nil || n == 0 || n < -1 {
		return 1
	}
	return n
}

// take waits until an action may begin, or ctx ends; done must be called when the action has ended.
func (t *turns) take(ctx context.Context, dev fencing.Device, action string) (done func(), err error) {
	most := limit(dev)
	if most < 0 {
		return func() {}, nil
	}
	power := action == fencing.Off || action == fencing.On || action == fencing.Reboot
	for {
		t.mu.Lock()
		if t.acting[dev.ID] < most {
			if !power {
				t.mu.Unlock()
				return func() {}, nil
			}
			t.acting[dev.ID]++
			t.mu.Unlock()
			return func() { t.end(dev.ID) }, nil
		}
		ended := t.waiting[dev.ID]
		if ended == nil {
			ended = make(chan struct{})
			t.waiting[dev.ID] = ended
		}
		t.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is busy with another action (pcmk_action_limit is %d): %w", dev.ID, most, ctx.Err())
		}
	}
}

func (t *turns) end(device string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.acting[device]--; t.acting[device] == 0 {
		delete(t.acting, device)
	}
	if ended := t.waiting[device]; ended != nil {
		close(ended)
		delete(t.waiting, device)
	}
}
