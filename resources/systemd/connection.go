package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// errNoSystemd is returned where there is none.
var errNoSystemd = errors.New("this node does not run systemd (there is no /run/systemd/system)")

// dial connects to the systemd of this machine: directly as root, by the system bus otherwise.
func dial() (*dbus.Conn, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil, errNoSystemd
	}
	// The context would end the connection with it, not only the dialling.
	c, err := dbus.NewSystemdConnectionContext(context.Background())
	if err != nil {
		c, err = dbus.NewSystemConnectionContext(context.Background())
	}
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	return c, nil
}

// connection is how a Runner talks to systemd: by one connection for calls and jobs, and one for events. Both are made when needed
// and anew when lost. They are two because the library lets the receiver of events be set only before the first arrives.
type connection struct {
	dial func() (*dbus.Conn, error)

	mu        sync.Mutex
	conn      *dbus.Conn // for calls and jobs
	events    *dbus.Conn // for property changes
	next      int
	listeners map[int]listener
	stop      chan struct{} // ends the distributor of property changes, which lives from the first listener to close; nil: none yet
	closed    sync.WaitGroup
}

type listener struct {
	unit string
	tell func(*dbus.PropertiesUpdate, error) // one of the two; an error means: events may be lost, look again
}

// get returns the connection for calls and jobs.
func (c *connection) get() (*dbus.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && c.conn.Connected() {
		return c.conn, nil
	}
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	conn, err := c.dial()
	if err != nil {
		return nil, err
	}
	c.conn = conn
	return conn, nil
}

// listen subscribes to the property changes of a unit until the returned function is called.
func (c *connection) listen(unit string, tell func(*dbus.PropertiesUpdate, error)) (func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		conn, updates, lost, err := c.subscribe()
		if err != nil {
			return nil, err
		}
		c.events = conn
		c.stop, c.listeners = make(chan struct{}), map[int]listener{}
		stop := c.stop
		c.closed.Go(func() { c.distribute(conn, updates, lost, stop) })
	}
	c.next++
	id := c.next
	c.listeners[id] = listener{unit, tell}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, id)
	}, nil
}

// subscribe makes a connection for events. What does not fit into updates is dropped, and lost says so.
func (c *connection) subscribe() (conn *dbus.Conn, updates chan *dbus.PropertiesUpdate, lost chan error, err error) {
	if conn, err = c.dial(); err != nil {
		return nil, nil, nil, err
	}
	updates, lost = make(chan *dbus.PropertiesUpdate, updatesBuffer), make(chan error, 1)
	conn.SetPropertiesSubscriber(updates, lost)
	if err := conn.Subscribe(); err != nil {
		conn.Close()
		return nil, nil, nil, fmt.Errorf("subscribe to systemd: %w", err)
	}
	return conn, updates, lost, nil
}

// distribute hands property changes to the listeners until stop, over as many connections as it takes.
func (c *connection) distribute(conn *dbus.Conn, updates chan *dbus.PropertiesUpdate, lost chan error, stop chan struct{}) {
	check := time.NewTicker(connectedCheck)
	defer check.Stop()
	for {
		select {
		case <-stop:
			conn.Close()
			return
		case u := <-updates:
			c.tell(u, nil)
			continue
		case err := <-lost:
			c.tell(nil, err)
			continue
		case <-check.C:
			if conn.Connected() {
				continue
			}
		}
		conn.Close()
		for {
			var err error
			if conn, updates, lost, err = c.subscribe(); err == nil {
				break
			}
			select {
			case <-stop:
				return
			case <-time.After(reconnectPause):
			}
		}
		c.mu.Lock()
		c.events = conn
		c.mu.Unlock()
		c.tell(nil, errors.New("the connection to systemd was lost and made anew"))
	}
}

func (c *connection) tell(u *dbus.PropertiesUpdate, lost error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		if lost != nil || l.unit == u.UnitName {
			l.tell(u, lost)
		}
	}
}

// close ends the connection. No listener may be left.
func (c *connection) close() {
	c.mu.Lock()
	if c.stop != nil {
		close(c.stop)
		c.stop = nil
	}
	c.mu.Unlock()
	c.closed.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
