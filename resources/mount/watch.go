package mount

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

// events is the one wait for changes of the mount table that all watched mounts share: a thread in poll(2), as long as
// somebody listens.
type events struct {
	table *view

	mu        sync.Mutex
	next      int
	listeners map[int]*listener
	wake      *os.File // closing it ends the thread
}

// listener waits for changes of what is mounted on one folder.
type listener struct {
	point string
	seen  []entry
	tell  chan struct{} // capacity 1: a change that waits covers the next
}

// listen returns a channel that gets a value after every change of what is on a folder, and after every change of the table while nothing
// is: in between it may have been mounted and lost anew. It lasts until the returned function is called.
func (e *events) listen(point string) (<-chan struct{}, func(), error) {
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
		e.listeners = map[int]*listener{}
		e.wake = os.NewFile(uintptr(p[1]), "wake")
		go e.poll(table, p[0])
	}
	e.next++
	id, l := e.next, &listener{point: point, tell: make(chan struct{}, 1)}
	e.listeners[id] = l
	return l.tell, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, id)
		if len(e.listeners) == 0 {
			e.wake.Close()
		}
	}, nil
}

// poll tells the listeners about changes until the pipe's other end is closed.
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
		now, err := e.table.now()
		e.mu.Lock()
		for _, l := range e.listeners {
			var here []entry
			if err == nil {
				here = now.at[l.point]
			}
			if len(here) > 0 && slices.Equal(here, l.seen) {
				continue
			}
			l.seen = here
			select {
			case l.tell <- struct{}{}:
			default:
			}
		}
		e.mu.Unlock()
	}
}

// Watch calls changed when the folder no longer has what it should have. What errors make of a file system, and that its device was pulled,
// is no event of the mount table: the monitor finds it, and Watch only if something else happens.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	s, res := read(req)
	if res.Code != resources.OK {
		return fmt.Errorf("watch mount: %s", res.Reason)
	}
	tableChanged, undo, err := r.events.listen(real(s.directory))
	if err != nil {
		return err
	}
	defer undo()
	// The first look is after the subscription, so that nothing falls between.
	for {
		if why := s.state(&r.table); why != "" {
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
func (s settings) state(v *view) string {
	all, here, err := s.mounted(v)
	switch {
	case err != nil:
		return err.Error()
	case len(here) == 0:
		return fmt.Sprintf("%s is not mounted", s.directory)
	}
	e := here[len(here)-1]
	if why := s.wrong(all, e); why != "" {
		return why
	}
	why, err := s.broken(v, e)
	if err != nil {
		return err.Error()
	}
	return why
}
