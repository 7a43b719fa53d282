package mount

import (
	"context"
	"fmt"
	"os"
	"sync"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

// events is the one wait for changes of the mount table that all watched mounts share: a thread in poll(2), as long as
// somebody listens.
type events struct {
	mu        sync.Mutex
	next      int
	listeners map[int]chan struct{} // capacity 1: a change that waits covers the next
	wake      *os.File              // closing it ends the thread
}

// listen returns a channel that gets a value after every change, until the returned function is called.
func (e *events) listen() (<-chan struct{}, func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		// Not by os.Open: the runtime's poller would take part in the file, and every look takes the event from the others.
		table, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("watch mount table: %w", err)
		}
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			unix.Close(table)
			return nil, nil, fmt.Errorf("watch mount table: %w", err)
		}
		e.listeners = map[int]chan struct{}{}
		e.wake = os.NewFile(uintptr(p[1]), "wake")
		go e.poll(table, p[0])
	}
	e.next++
	id, ch := e.next, make(chan struct{}, 1)
	e.listeners[id] = ch
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, id)
		if len(e.listeners) == 0 {
			e.wake.Close()
		}
	}, nil
}

// poll tells the listeners about every change until the pipe's other end is closed.
func (e *events) poll(table, wake int) {
	defer unix.Close(table)
	defer unix.Close(wake)
	fds := []unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return // only for lack of memory: the recurring monitor stays
		}
		if fds[1].Revents != 0 {
			return
		}
		if fds[0].Revents&(unix.POLLPRI|unix.POLLERR) == 0 {
			continue
		}
		e.mu.Lock()
		for _, ch := range e.listeners {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
		e.mu.Unlock()
	}
}

// Watch calls changed when the folder no longer has what it should have. That a file system turned read-only after an error is
// no event of the mount table: the monitor finds it, and Watch only if something else happens.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	s, res := read(req)
	if res.Code != resources.OK {
		return fmt.Errorf("watch mount: %s", res.Reason)
	}
	tableChanged, undo, err := r.events.listen()
	if err != nil {
		return err
	}
	defer undo()
	// The first look is after the subscription, so that nothing falls between. The same loss is told again after every change of
	// the table: in between it may have been mounted and lost anew.
	for {
		if why := s.state(); why != "" {
			changed(why)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tableChanged:
		}
	}
}

// state says what is wrong with the mount, or "".
func (s settings) state() string {
	all, here, err := s.mounted()
	switch {
	case err != nil:
		return err.Error()
	case len(here) == 0:
		return fmt.Sprintf("%s is not mounted", s.directory)
	}
	e := here[len(here)-1]
	if m, super := e.readOnly(); (m || super) && s.options.flags&unix.MS_RDONLY == 0 {
		return fmt.Sprintf("%s is read-only", e.point)
	}
	return s.wrong(all, e)
}
