package ctl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"paceline/agent/api"
)

const (
	// watchPause is the pause before a broken watch is tried again.
	watchPause = time.Second
	// watchTick is how often a full-screen view is drawn anew, for the time that actions take.
	watchTick = time.Second
)

// seen is what a watch brings: a status, or why there is none now.
type seen struct {
	status *api.Status
	err    error
}

// statuses sends every status and every failure until ctx ends; a daemon that goes away is waited for. What a person cannot
// wait for (the first answer, or being forbidden) ends it.
func (in *invocation) statuses(ctx context.Context, out chan<- seen) error {
	send := func(s seen) bool {
		select {
		case out <- s:
			return true
		case <-ctx.Done():
			return false
		}
	}
	first := true
	for {
		var last error
		for st, err := range in.api.Watch(ctx) {
			if err != nil {
				last = err
				break
			}
			first = false
			if !send(seen{status: st}) {
				return nil
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		var e *api.Error
		if first || errors.As(last, &e) && e.Code == api.CodeForbidden {
			return last
		}
		if !send(seen{err: last}) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPause):
		}
	}
}

// watchStatus shows the status again whenever it changes, until it is interrupted: on a terminal in full screen, else one
// block after the other, or with --json one line.
func (in *invocation) watchStatus(view statusView) error {
	ctx, cancel := context.WithCancel(in.ctx)
	defer cancel()
	feed := make(chan seen) // unbuffered: a slow terminal slows the watch, and misses nothing but what is old
	done := make(chan error, 1)
	go func() { done <- in.statuses(ctx, feed) }()
	tty, _ := in.In.(*os.File)
	if in.Terminal && !in.json() && tty != nil && in.Getenv("TERM") != "dumb" && in.Getenv("TERM") != "" {
		err := in.fullScreen(ctx, view, tty, feed, done)
		cancel()
		return err
	}
	for {
		select {
		case err := <-done:
			return err
		case s := <-feed:
			if err := in.block(view, s); err != nil {
				return err
			}
		}
	}
}

// block writes one status, or what is wrong.
func (in *invocation) block(view statusView, s seen) error {
	var b bytes.Buffer
	switch {
	case s.err != nil && in.json():
		return nil
	case s.err != nil:
		b.WriteString(s.err.Error() + "\ntrying again ...\n\n")
	case in.json():
		return in.writeJSONLine(s.status)
	default:
		view.write(&b, s.status)
		b.WriteByte('\n')
	}
	_, err := in.Out.Write(b.Bytes())
	return err
}

// fullScreen draws on the terminal's second screen until q or an interrupt, and leaves the terminal as it was.
func (in *invocation) fullScreen(ctx context.Context, view statusView, tty *os.File, feed <-chan seen, done <-chan error) error {
	restore, err := singleKeys(tty)
	if err != nil {
		return err
	}
	defer restore()
	io.WriteString(in.Out, screenEnter)
	defer io.WriteString(in.Out, screenLeave)
	size := make(chan os.Signal, 1) // one pending resize is as good as many
	signal.Notify(size, syscall.SIGWINCH)
	defer signal.Stop(size)
	keys := make(chan []byte) // unbuffered: what is typed after the end is the next reader's
	ctx, cancel := context.WithCancel(ctx)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { readKeys(ctx, tty, keys) })
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	w := watcher{view: view, began: map[string]time.Time{}}
	for {
		w.board.width, w.board.height, err = term.GetSize(int(tty.Fd()))
		if err != nil || w.board.width < 1 || w.board.height < 2 {
			w.board.width, w.board.height = 80, 24
		}
		if _, err := io.WriteString(in.Out, w.draw(time.Now())); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-done:
			return err
		case s := <-feed:
			w.take(s, time.Now())
		case k := <-keys:
			if w.typed(k) {
				return nil
			}
		case <-size:
		case <-tick.C:
		}
	}
}

// watcher is the state of a full-screen view; it does no input or output.
type watcher struct {
	view   statusView
	status *api.Status
	err    error
	began  map[string]time.Time
	board  board
}

func (w *watcher) take(s seen, now time.Time) {
	w.err = s.err
	if s.status != nil {
		w.status = s.status
		w.began = underWay(w.began, s.status.Transition, now)
	}
}

// typed acts on what was read at once: the sequence of one key, or several plain keys.
func (w *watcher) typed(k []byte) (quit bool) {
	if len(k) > 0 && k[0] == '\x1b' {
		return w.key(k)
	}
	for i := range k {
		if w.key(k[i : i+1]) {
			return true
		}
	}
	return false
}

// key acts on one key, and says whether that ends the view.
func (w *watcher) key(k []byte) (quit bool) {
	switch string(k) {
	case "q", "Q", "\x03", "\x04":
		return true
	case "b":
		w.view.byNode = !w.view.byNode
	case "d":
		w.view.detail = !w.view.detail
	case "\x1b[B", "\x1bOB", "j":
		w.board.scroll(1)
	case "\x1b[A", "\x1bOA", "k":
		w.board.scroll(-1)
	case "\x1b[6~", " ":
		w.board.scroll(w.board.room())
	case "\x1b[5~":
		w.board.scroll(-w.board.room())
	case "\x1b[H", "\x1b[1~", "g":
		w.board.top = 0
	case "\x1b[F", "\x1b[4~", "G":
		w.board.scroll(len(w.board.lines))
	}
	return false
}

// draw makes the frame for the current state.
func (w *watcher) draw(now time.Time) string {
	var b bytes.Buffer
	var head []string
	if w.err != nil {
		head = append(head, w.view.paint.bad(w.err.Error()), "trying again ...", "")
	}
	if w.status != nil {
		head = append(head, progress(w.status.Transition, w.began, now, w.view.paint)...)
		view := w.view
		view.noPending = true
		view.write(&b, w.status)
	}
	text := strings.TrimRight(b.String(), "\n")
	w.board.lines = append(head, strings.Split(fold(text, w.board.width), "\n")...)
	return w.board.frame("q quit  b by node  d details  arrows scroll")
}
