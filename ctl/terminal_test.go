package ctl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// terminal is a person at a pseudo-terminal with the program in it.
type terminal struct {
	t      *testing.T
	master *os.File
	output chan []byte // what the program writes; closed at its end
	seen   bytes.Buffer
	mark   int // how much of the text in seen was waited for
	ended  chan error
}

// escapes are what a program tells a terminal beside text.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\r")

// screenWait bounds the wait for the program's answer to a key: far longer than it takes on a busy machine.
const screenWait = 30 * time.Second

// openTerminal runs this test's binary as the program, on a cluster, in a pseudo-terminal.
func openTerminal(t *testing.T, c *apitest.Cluster, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 120}); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(self)
	cmd.Args = append([]string{"paceline"}, args...)
	cmd.Env = []string{"PACELINE_SOCKET=" + serveCluster(t, c), "HOME=" + home, "TERM=xterm", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "EDITOR=editor", runAsProgram + "=1"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, output: make(chan []byte, 1024), ended: make(chan error, 1)}
	go func() {
		defer close(term.output)
		for {
			b := make([]byte, 4096)
			n, err := master.Read(b)
			if n > 0 {
				if bytes.Contains(b[:n], []byte("\x1b[6n")) { // where is the cursor? A terminal answers
					master.WriteString("\x1b[1;1R")
				}
				term.output <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	go func() { term.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill() // no harm if it has ended
		for range term.output {
		}
		master.Close()
	})
	return term
}

// typed sends keys.
func (term *terminal) typed(keys string) {
	term.t.Helper()
	if _, err := term.master.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// shows waits until the terminal has shown a text since the last one waited for.
func (term *terminal) shows(want string) {
	term.t.Helper()
	timeout := time.After(screenWait)
	for {
		text := escapes.ReplaceAllString(term.seen.String(), "")[term.mark:]
		if at := strings.Index(text, want); at >= 0 {
			term.mark += at + len(want)
			return
		}
		select {
		case b, ok := <-term.output:
			if !ok {
				term.t.Fatalf("the program ended without showing %q; it showed\n%s", want, text)
			}
			term.seen.Write(b)
		case <-timeout:
			term.t.Fatalf("the terminal does not show %q but\n%s", want, text)
		}
	}
}

// ends waits for the program's end, and returns its exit status.
func (term *terminal) ends() int {
	term.t.Helper()
	select {
	case err := <-term.ended:
		if e, ok := err.(*exec.ExitError); ok {
			return e.ExitCode()
		}
		if err != nil {
			term.t.Fatal(err)
		}
		return 0
	case <-time.After(screenWait):
		term.t.Fatalf("the program does not end; it showed\n%s", escapes.ReplaceAllString(term.seen.String(), "")[term.mark:])
		return -1
	}
}

// serveCluster serves a cluster in memory, and returns its socket.
func serveCluster(t *testing.T, c *apitest.Cluster) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pl")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	l, err := s.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		<-done
		os.RemoveAll(dir)
	})
	return socket
}

// A person types into the shell: levels, Tab for commands, agents, parameters and what the cluster has, a line given up by
// Ctrl-C, and Ctrl-D at the end.
func TestShellOnATerminal(t *testing.T) {
	term := openTerminal(t, apitest.New("node1", "node2"))
	term.shows("paceline(live/node1)# ")
	term.typed("conf\r")
	term.shows("paceline(live/node1)configure# ")
	term.typed("primitive x ocf:heartbeat:IP\t")
	term.shows("ocf:heartbeat:IPaddr2 ")
	term.typed("params \t")
	term.shows("ip=              (required) IPv4 or IPv6 address")
	term.shows("lvs_support=     Enable support for LVS DR [false]")
	term.typed("i\t")
	term.shows("params ip=")
	term.typed("10.0.0.9 op mon\t")
	term.shows("op monitor ")
	term.typed("interval=\t")
	term.shows("interval=10s ")
	term.typed("\r")
	term.shows("configure*# ")
	term.typed("show \t")
	term.shows("x      primitive")
	term.typed("\x03")
	term.shows("^C")
	term.shows("configure*# ")
	term.typed("quit\r")
	term.shows("1 change is not committed. Commit now?")
	term.typed("c\r")
	term.shows("configure*# ")
	term.typed("up\r")
	term.shows("[c]ancel: ")
	term.typed("n\r")
	term.shows("paceline(live/node1)# ")
	term.typed("node stand\t")
	term.shows("node standby ")
	term.typed("\t")
	term.shows("node")
	term.typed("2\r")
	term.shows("node2: standby")
	term.shows("paceline(live/node1)# ") // what is typed before the prompt is there goes another way
	term.typed("zzz\r")
	term.shows("there is no command \"zzz\"")
	term.shows("paceline(live/node1)# ")
	term.typed("\x04")
	if status := term.ends(); status != exitDone {
		t.Errorf("exit status %d, want %d", status, exitDone)
	}
}

// An edit that the cluster refuses is not lost: its text can be opened again, and what comes of it then is taken.
func TestEditThatIsRefusedCanBeOpenedAgain(t *testing.T) {
	c := apitest.New("node1", "node2")
	conf := c.Snap.CIB.Configuration
	conf.Resources = []*cib.Resource{{ID: "web", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"}}}
	c.Change(cib.Change{Configure: &cib.Configure{Configuration: conf}})
	dir := t.TempDir()
	editor := filepath.Join(dir, "editor")
	// The first time it names a resource that is none, the second time it mends just that in the text it finds.
	script := "#!/bin/sh\nif grep -q near \"$1\"; then sed -i s/wbe/web/ \"$1\"; else echo 'location near wbe 100: node2' >>\"$1\"; fi\n"
	if err := os.WriteFile(editor, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	term := openTerminal(t, c, "configure", "edit")
	term.shows("wbe")
	term.shows("Open it again? [Y/n] ")
	term.typed("y\r")
	term.shows("committed (revision")
	if status := term.ends(); status != exitDone {
		t.Errorf("exit status %d, want %d", status, exitDone)
	}
	var near *cib.Location
	c.Do(func(c *apitest.Cluster) {
		for _, k := range c.Snap.CIB.Configuration.Constraints {
			near = k.Location
		}
	})
	if near == nil || near.Resource != "web" || near.Node != "node2" {
		t.Errorf("what was mended is not committed: %+v", near)
	}
}

// Ctrl-C ends a command that runs, and not the shell; what is typed stays in the history, which is the person's own.
func TestShellOutlivesItsCommands(t *testing.T) {
	term := openTerminal(t, apitest.New("node1"))
	term.shows("# ")
	term.typed("status --watch\r")
	term.shows("oordinator")
	term.typed("\x03")
	term.shows("paceline(live/node1)# ")
	term.typed("\x1b[A")
	term.shows("status --watch")
	term.typed("\x03")
	term.shows("paceline(live/node1)# ")
	term.typed("bye\r")
	if status := term.ends(); status != exitDone {
		t.Errorf("exit status %d, want %d", status, exitDone)
	}
}

// A full-screen view ends by q, and leaves the terminal as it found it.
func TestWatchLeavesTheTerminal(t *testing.T) {
	term := openTerminal(t, apitest.New("node1", "node2"), "status", "--watch")
	before, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	term.shows("Full List of Resources:")
	term.typed("b")
	term.shows("Resources by Node:")
	term.typed("q")
	if status := term.ends(); status != exitDone {
		t.Errorf("exit status %d, want %d", status, exitDone)
	}
	after, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if after.Lflag&(unix.ICANON|unix.ECHO) != unix.ICANON|unix.ECHO || before.Oflag != after.Oflag {
		t.Errorf("the terminal was left in another mode: %+v", after)
	}
	for b := range term.output { // the rest, up to the end of the program
		term.seen.Write(b)
	}
	if out := term.seen.String(); !strings.Contains(out, screenEnter) || !strings.HasSuffix(strings.TrimSpace(out), screenLeave) {
		t.Errorf("the screen was not left as it was: %q", out)
	}
}
