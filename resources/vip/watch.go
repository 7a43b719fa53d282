package vip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"paceline/resources"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// events is the one netlink subscription that all watched addresses share. It lives while somebody listens.
type events struct {
	mu        sync.Mutex
	next      int
	listeners map[int]func(event)
	stop      chan struct{}
}

// event is a change of an address or of a link.
type event struct {
	addr  *netlink.AddrUpdate
	link  *netlink.LinkUpdate
	fault error // events may have been lost: look again
}

// listen subscribes f, which must not block, until the returned function is called.
func (e *events) listen(f func(event)) (func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		stop := make(chan struct{})
		if err := e.subscribe(stop); err != nil {
			return nil, err
		}
		e.stop, e.listeners = stop, map[int]func(event){}
	}
	e.next++
	id := e.next
	e.listeners[id] = f
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, id)
		if len(e.listeners) == 0 {
			close(e.stop)
		}
	}, nil
}

// subscribe begins a subscription that lasts until stop is closed and renews itself after errors.
func (e *events) subscribe(stop chan struct{}) error {
	// One failure ends the pair: both are renewed together, and everybody looks again.
	once := make(chan struct{})
	faults := make(chan error, 2)
	fault := func(err error) {
		select {
		case faults <- err:
		default: // one is enough
		}
	}
	addrs, links := make(chan netlink.AddrUpdate, 64), make(chan netlink.LinkUpdate, 64)
	if err := netlink.AddrSubscribeWithOptions(addrs, once, netlink.AddrSubscribeOptions{ErrorCallback: fault, ReceiveBufferSize: eventBuffer}); err != nil {
		close(once)
		return fmt.Errorf("subscribe to address events: %w", err)
	}
	if err := netlink.LinkSubscribeWithOptions(links, once, netlink.LinkSubscribeOptions{ErrorCallback: fault, ReceiveBufferSize: eventBuffer}); err != nil {
		close(once)
		go drain(addrs)
		return fmt.Errorf("subscribe to link events: %w", err)
	}
	go func() {
		defer func() {
			close(once)
			go drain(addrs)
			go drain(links)
		}()
		for {
			var err error
			select {
			case <-stop:
				return
			case u, ok := <-addrs:
				if ok {
					e.tell(event{addr: &u})
					continue
				}
				err = fmt.Errorf("address events ended")
			case u, ok := <-links:
				if ok {
					e.tell(event{link: &u})
					continue
				}
				err = fmt.Errorf("link events ended")
			case err = <-faults:
			}
			e.renew(stop, err)
			return
		}
	}()
	return nil
}

// renew subscribes again, as often as it takes.
func (e *events) renew(stop chan struct{}, why error) {
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(resubscribePause):
			}
			if e.subscribe(stop) == nil {
				e.tell(event{fault: why})
				return
			}
		}
	}()
}

// drain lets the library's reader, which blocks on a full channel, come to its end.
func drain[T any](ch <-chan T) {
	for range ch {
	}
}

func (e *events) tell(ev event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.listeners {
		f(ev)
	}
}

// Watch calls changed when the address is removed, or its link goes down or away.
func (r *Runner) Watch(ctx context.Context, req resources.Request, changed func(why string)) error {
	s, res := read(req)
	if res.Code != resources.OK {
		return fmt.Errorf("watch address: %s", res.Reason)
	}
	var mu sync.Mutex
	index := 0 // of the interface that has the address; 0: none has
	var name string
	// look finds the interface and says what is wrong now. Events of addresses and of links come by two sockets in no
	// common order, so that a link may be down before its address is known here. mu is held.
	look := func() string {
		index = 0
		if have, err := s.where(); err == nil && len(have) > 0 {
			if l, err := netlink.LinkByIndex(have[0].LinkIndex); err == nil {
				index, name = l.Attrs().Index, l.Attrs().Name
				return down(l)
			}
		}
		return fmt.Sprintf("%s is on no interface", s.ip)
	}
	undo, err := r.events.listen(func(ev event) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ev.fault != nil:
			_ = look()
			changed(fmt.Sprintf("events of %s may have been lost: %v", s.ip, ev.fault))
		case ev.addr != nil:
			ip, _ := netip.AddrFromSlice(ev.addr.LinkAddress.IP)
			if ip.Unmap() != s.ip {
				return
			}
			if ev.addr.NewAddr {
				if why := look(); why != "" {
					changed(why)
				}
			} else if index == 0 || ev.addr.LinkIndex == index { // another VRF may have the same address
				on := name
				if l, err := netlink.LinkByIndex(ev.addr.LinkIndex); err == nil {
					on = l.Attrs().Name
				}
				changed(fmt.Sprintf("%s was removed from %s", s.ip, on))
				index = 0
			}
		case ev.link != nil && int(ev.link.Index) == index:
			if ev.link.Header.Type == unix.RTM_DELLINK {
				changed(fmt.Sprintf("interface %s is gone", name))
			} else if ev.link.Flags&unix.IFF_UP == 0 || ev.link.Attrs().Flags&net.FlagUp == 0 || down(ev.link.Link) != "" {
				changed(down(ev.link.Link))
			}
		}
	})
	if err != nil {
		return err
	}
	defer undo()
	mu.Lock()
	why := look()
	mu.Unlock()
	if why != "" {
		changed(why)
	}
	<-ctx.Done()
	return ctx.Err()
}
