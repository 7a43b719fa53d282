package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paceline/resources"
	"paceline/resources/native"
	"paceline/resources/procfs"
)

// readiness is how a start learns that the command can be used.
type readiness struct {
	waiting string // for the reason of a time-out: what is waited for
	missing string // what is missing then
	is      func() bool
}

// readiness of these settings; nil where the command counts as ready when it runs. told is where it says so itself, or nil: it was
// started by an earlier daemon, which has heard it.
func (s settings) readiness(told *notifications) *readiness {
	switch {
	case s.readyTCP != "":
		return &readiness{s.readyTCP + " to take a connection", "nothing takes connections at " + s.readyTCP, func() bool {
			c, err := net.DialTimeout("tcp", s.readyTCP, dialBudget)
			if err == nil {
				c.Close()
			}
			return err == nil
		}}
	case s.readyHTTP != "":
		client := &http.Client{Timeout: dialBudget, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{DisableKeepAlives: true}}
		return &readiness{"an answer of " + s.readyHTTP, s.readyHTTP + " gives no good answer", func() bool {
			r, err := client.Get(s.readyHTTP)
			if err != nil {
				return false
			}
			r.Body.Close()
			return r.StatusCode < 400
		}}
	case s.readyFile != "":
		return &readiness{"the file " + s.readyFile, "there is no " + s.readyFile, func() bool {
			_, err := os.Stat(s.readyFile)
			return err == nil
		}}
	case s.readyNotify && told != nil:
		return &readiness{"its word that it is ready (READY=1)", "it did not say READY=1 to its NOTIFY_SOCKET", told.ready}
	}
	return nil
}

// ready waits until the command is what the parameters call ready.
func (r *Runner) ready(ctx context.Context, s settings, id procfs.ID, told *notifications) resources.Result {
	wants := s.readiness(told)
	if wants == nil {
		return resources.Result{}
	}
	native.Doing(ctx, "waiting for %s", wants.waiting)
	ended := make(chan struct{})
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if id.Wait(watch) == nil {
			close(ended)
		}
	}()
	for {
		if wants.is() {
			return resources.Result{}
		}
		select {
		case <-ended:
			return resources.Errorf(resources.GenericError, "%s before it was ready", r.endedSoon(id))
		case <-ctx.Done():
			return resources.Errorf(resources.GenericError, "process %d is not ready: %s", id.PID, wants.missing)
		case <-time.After(readyPause):
		}
	}
}

// notifications is the socket on which a command says that it is ready, as systemd's services do (sd_notify(3)).
type notifications struct {
	path string
	conn *net.UnixConn
}

// listenNotify makes the socket; all may write to it, for the command may run as anybody.
func listenNotify(path string) (*notifications, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen for the command's word: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen for the command's word: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the command's word: %w", err)
	}
	return &notifications{path, conn}, nil
}

// ready takes in what has been said since the last look.
func (n *notifications) ready() bool {
	b := make([]byte, 4096)
	for {
		if err := n.conn.SetReadDeadline(time.Now().Add(readyPause)); err != nil {
			return false
		}
		k, err := n.conn.Read(b)
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(b[:k])) {
			if strings.TrimSpace(line) == "READY=1" {
				return true
			}
		}
	}
}

func (n *notifications) close() {
	n.conn.Close()
	_ = os.Remove(n.path)
}
