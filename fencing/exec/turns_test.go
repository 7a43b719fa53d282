package exec

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/fencing"
)

func TestOneActionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, d := newTurns(), dev("fence_x")
		began := time.Now()
		ends := make(chan time.Duration, 3)
		for range 3 {
			go func() {
				done, err := turns.take(t.Context(), d, fencing.Off)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				done()
				ends <- time.Since(began)
			}()
		}
		synctest.Wait()
		// Another device is free; one that only asks waits, and holds nobody up.
		if done, err := turns.take(t.Context(), fencing.Device{ID: "dev2"}, fencing.Off); err != nil {
			t.Error(err)
		} else {
			done()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := turns.take(ctx, d, fencing.Monitor)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "dev1 is busy with another action (pcmk_action_limit is 1)") {
			t.Errorf("monitor while fencing: %v", err)
		}
		for i := 1; i <= 3; i++ {
			if got := <-ends; got != time.Duration(i)*time.Second {
				t.Errorf("action %d ended after %s", i, got)
			}
		}
		if _, err := turns.take(t.Context(), d, fencing.Monitor); err != nil {
			t.Error(err)
		}
		if done, err := turns.take(t.Context(), d, fencing.Off); err != nil { // the monitor takes no turn
			t.Error(err)
		} else {
			done()
		}
		if len(turns.acting)+len(turns.waiting) > 0 {
			t.Errorf("left: %v %v", turns.acting, turns.waiting)
		}
	})
}

func TestActionLimit(t *testing.T) {
	for text, want := range map[string]int{"": 1, "3": 3, "-1": -1, "0": 1, "x": 1, "-7": 1} {
		if got := limit(dev("fence_x", "pcmk_action_limit", text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	turns := newTurns()
	for range 5 {
		if _, err := turns.take(t.Context(), dev("fence_x", "pcmk_action_limit", "-1"), fencing.Off); err != nil {
			t.Error(err)
		}
	}
	two := dev("fence_x", "pcmk_action_limit", "2")
	ctx, cancel := context.WithCancel(t.Context())
	turns.take(ctx, two, fencing.Off)
	turns.take(ctx, two, fencing.On)
	cancel()
	if _, err := turns.take(ctx, two, fencing.Reboot); !errors.Is(err, context.Canceled) {
		t.Errorf("the third of two: %v", err)
	}
}
