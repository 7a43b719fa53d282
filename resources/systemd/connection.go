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

// connection is the one connection of a Runner, made when needed and anew when lost.
type connection struct {
	dial func() (*dbus.Conn, error)

	mu        sync.Mutex
	conn      *dbus.Conn
	next      int
	listeners map[int]listener
	stop      chan struct{} // ends the distributor of property changes, which lives from the first listener to close; nil: none yet
	closed    sync.WaitGroup
}

type listener struct {
	unit string
	tell func(*dbus.PropertiesUpdate, error) // one of the two; an error means: events may be lost, look again
}

// get returns the connection.
func (c *connection) get() (*dbus.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.getLocked()
}

func (c *connection) getLocked() (*dbus.Conn, error) {
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
		conn, err := c.getLocked()
		if err != nil {
			return nil, err
		}
		updates, lost, err := subscribe(conn)
		if err != nil {
			return nil, err
		}
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

func subscribe(conn *dbus.Conn) (chan *dbus.PropertiesUpdate, chan error, error) {
	updates, lost := make(chan *dbus.PropertiesUpdate, updatesBuffer), make(chan error, 1)
	if err := conn.Subscribe(); err != nil {
		return nil, nil, fmt.Errorf("subscribe to systemd: %w", err)
	}
	conn.SetPropertiesSubscriber(updates, lost) // drops what does not fit, and says so on lost
	return updates, lost, nil
}

// distribute hands property changes to the listeners until stop, over as many connections as it takes.
func (c *connection) distribute(conn *dbus.Conn, updates chan *dbus.PropertiesUpdate, lost chan error, stop chan struct{}) {
	check := time.NewTicker(connectedCheck)
	defer check.Stop()
	for {
		select {
		case <-stop:
			conn.SetPropertiesSubscriber(nil, nil)
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
		var err error
		for {
			if conn, err = c.get(); err == nil {
				if updates, lost, err = subscribe(conn); err == nil {
					break
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(reconnectPause):
			}
		}
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
