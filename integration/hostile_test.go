package integration

import (
	"bufio"
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// sockets lists what a process listens on: "tcp 10.77.0.11:7946", "unix /run/paceline/paceline.sock".
func sockets(t *testing.T, pid int) []string {
	t.Helper()
	own := map[string]bool{}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	for _, fd := range fds {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	table := func(name string, each func(f []string)) {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if os.IsNotExist(err) {
			return // a kernel without IPv6
		}
		must(t, err)
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Scan() // the heading
		for lines.Scan() {
			each(strings.Fields(lines.Text()))
		}
		must(t, lines.Err())
	}
	var out []string
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "udplite"} {
		table(name, func(f []string) {
			const listening = "0A"
			if len(f) > 9 && own[f[9]] && (!strings.HasPrefix(name, "tcp") || f[3] == listening) {
				out = append(out, name+" "+address(f[1]))
			}
		})
	}
	table("unix", func(f []string) {
		const accepts = 0x10000
		if flags, err := strconv.ParseUint(f[3], 16, 32); err == nil && len(f) > 6 && own[f[6]] && flags&accepts != 0 {
			out = append(out, "unix "+strings.Join(f[7:], " "))
		}
	})
	slices.Sort(out)
	return out
}

// address reads an address of /proc/net: hexadecimal, the IPv4 address in the byte order of the machine.
func address(text string) string {
	host, port, _ := strings.Cut(text, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	ip, err2 := strconv.ParseUint(host, 16, 32)
	if err != nil || err2 != nil {
		return text
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", byte(ip), byte(ip>>8), byte(ip>>16), byte(ip>>24), p)
}

// A daemon listens on its own address at the two ports of the documentation, and on its socket, and nowhere else: without a cluster on the
// socket alone. What it keeps is its own: no file can be written by others, and none that holds secrets can be read.
func TestListensOnlyWhereAsked(t *testing.T) {
	o := storyLab(t, 2)
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: o})
	must(t, err)
	cleanUp(t, c)
	const socket = "unix /run/paceline/paceline.sock"
	if got := sockets(t, c.Node("node1").ServicePID("pacelined")); !slices.Equal(got, []string{socket}) {
		t.Errorf("without a cluster the daemon listens on %q", got)
	}
	must(t, c.Form(t.Context()))
	must(t, c.Load(t.Context(), shop))
	await(t, c, "the shop to open", open)
	for _, n := range c.Nodes() {
		want := []string{"tcp " + n.Addr.String() + ":7946", "tcp " + n.Addr.String() + ":7947", "udp " + n.Addr.String() + ":7946", socket}
		got := sockets(t, n.ServicePID("pacelined"))
		if !slices.Equal(got, want) {
			t.Errorf("%s listens on %q, want %q", n.Name, got, want)
		}
		for _, dir := range []string{"/etc/paceline", "/var/lib/paceline"} {
			must(t, filepath.WalkDir(n.Disk(dir), func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() && path == n.Disk(dir) {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return nil // rotated just then
				}
				open := []string{"paceline.json"} // the one file in which nothing is secret and that others may want to read
				if mode := info.Mode().Perm(); mode&0o022 != 0 || mode&0o007 != 0 && !slices.Contains(open, d.Name()) {
					t.Errorf("%s of %s has mode %v", path, n.Name, mode)
				}
				return nil
			}))
		}
		info, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/paceline/paceline.sock", n.PID()))
		must(t, err)
		t.Logf("the socket of %s has mode %v", n.Name, info.Mode())
	}
}

// idleConnections is how many strangers hold a connection open to each listener and say nothing. PACELINE_IDLE says how many (10000).
func idleConnections(t *testing.T) int {
	n := 300
	if text := os.Getenv("PACELINE_IDLE"); text != "" {
		v, err := strconv.Atoi(text)
		must(t, err)
		n = v
	}
	return n
}

// Strangers open connections to every listener of a node and say nothing, or half a word: the node stays a member, commands are
// answered, a new connection of a member is let in, and the node does not keep the strangers' handles.
func TestIdleConnections(t *testing.T) {
	many := idleConnections(t)
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	await(t, c, "three nodes and the shop", three)
	victim := c.Node("node1")
	pid := victim.ServicePID("pacelined")
	before := handles(t, pid)
	socket, err := c.Socket("node1")
	must(t, err)
	for name, dial := range map[string]func(ctx context.Context) (net.Conn, error){
		"port 7946": func(ctx context.Context) (net.Conn, error) {
			return c.Client().Dial(ctx, "tcp", victim.Addr.String()+":7946")
		},
		"port 7947": func(ctx context.Context) (net.Conn, error) {
			return c.Client().Dial(ctx, "tcp", victim.Addr.String()+":7947")
		},
		"the socket": func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", socket) },
	} {
		held := strangers(t, many, dial)
		t.Logf("%d connections to %s; the daemon holds %d handles, before %d", len(held), name, handles(t, pid), before)
		await(t, c, "a coordinator", func(s *api.Status) bool { return s.Coordinator != "" && !s.Stale })
		must(t, commit(t.Context(), c, "beside-the-idle"))
		if _, err := c.Run(t.Context(), "node1", "status"); err != nil {
			t.Errorf("status on the node with idle connections to %s: %v", name, err)
		}
		if kept := keptOpen(held); kept > 0 {
			t.Errorf("%d of %d idle connections to %s are still open after %v", kept, len(held), name, storyMax)
		}
	}
	// The others' connections to it are new ones: a daemon that starts dials everybody.
	must(t, c.KillDaemon(t.Context(), "node2"))
	must(t, c.StartDaemon(t.Context(), "node2"))
	await(t, c, "three nodes, whole", three)
	must(t, committed(t.Context(), c, "node2", "beside-the-idle"))
	if now := handles(t, pid); now > before+50 {
		t.Errorf("the daemon holds %d handles, before the strangers came %d", now, before)
	}
	if many <= 1000 { // more keep a small machine so busy that nodes are missed
		notFenced(t, c)
	}
}

// strangers opens connections that say nothing, or half a word.
func strangers(t *testing.T, many int, dial func(ctx context.Context) (net.Conn, error)) []net.Conn {
	t.Helper()
	words := []string{"", "\x16\x03\x01", "GET /v1/status HTTP/1.1\r\n"}
	var held []net.Conn
	for i := range many {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		conn, err := dial(ctx)
		cancel()
		if err != nil {
			break // a queue that is full; the rest would wait as long each
		}
		_, _ = io.WriteString(conn, words[i%len(words)]) // it may be closed by now
		held = append(held, conn)
	}
	return held
}

// keptOpen waits until the other side has ended the connections, and counts those that it has not ended in time.
func keptOpen(held []net.Conn) int {
	deadline := time.Now().Add(storyMax)
	var wg sync.WaitGroup
	var kept atomic.Int64
	for _, conn := range held {
		wg.Go(func() {
			_ = conn.SetReadDeadline(deadline)
			if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
				kept.Add(1)
			}
			_ = conn.Close()
		})
	}
	wg.Wait()
	return int(kept.Load())
}

func handles(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	return len(list)
}

// An oversized request is refused with a reason and read no further than its bound.
func TestOversizedBody(t *testing.T) {
	o := storyLab(t, 1)
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: o})
	must(t, err)
	cleanUp(t, c)
	must(t, c.Form(t.Context()))
	socket, err := c.Socket("node1")
	must(t, err)
	conn, err := net.Dial("unix", socket)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(storyMax)))
	_, err = fmt.Fprintf(conn, "POST /v1/configuration HTTP/1.1\r\nHost: paceline\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"message\":\"", 1<<40)
	must(t, err)
	sent := make(chan int, 1)
	go func() {
		sum, chunk := 0, []byte(strings.Repeat("x", 1<<20))
		for sum < 4*api.BodyMax {
			n, err := conn.Write(chunk)
			sum += n
			if err != nil {
				break
			}
		}
		sent <- sum
	}()
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(answer, " 4") {
		t.Errorf("the answer: %q, %v", answer, err)
	}
	_ = conn.Close()
	if n := <-sent; n > 2*api.BodyMax {
		t.Errorf("%d MiB were read of a request that may have %d", n>>20, api.BodyMax>>20)
	}
	await(t, c, "the daemon to answer", func(s *api.Status) bool { return cluster.Online(s, "node1") })
}

// shells are the places that hand a text to a shell, and whose text it is.
var shells = map[string]string{
	"ctl/filter.go":            "a person's own words, on the command line",
	"resources/check/check.go": "a command that the operator configured to be one: that is what the agent is for",
}

// Nothing that comes from a configuration, a network or a file becomes a shell's text: programs are started with lists of arguments.
func TestNoShell(t *testing.T) {
	fset := token.NewFileSet()
	found := map[string]bool{}
	for _, f := range sources(t, fset, false) {
		if strings.HasPrefix(f.path, "integration/") {
			continue
		}
		for _, at := range shellCalls(fset, f.ast) {
			if shells[f.path] == "" {
				t.Errorf("%s hands a text to a shell", at)
			}
			found[f.path] = true
		}
	}
	for path, whose := range shells {
		if !found[path] {
			t.Errorf("%s has no shell any more (%s)", path, whose)
		}
	}
}

// shellCalls finds calls that have a shell's name and "-c" among their arguments, or one list that does.
func shellCalls(fset *token.FileSet, f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		var list []ast.Expr
		switch n := n.(type) {
		case *ast.CallExpr:
			list = n.Args
		case *ast.CompositeLit:
			list = n.Elts
		default:
			return true
		}
		shell, command := false, false
		for _, a := range list {
			if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				shell = shell || slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh"}, filepath.Base(text))
				command = command || strings.HasPrefix(text, "-") && strings.Contains(text, "c")
			}
		}
		if shell && command {
			out = append(out, fset.Position(n.Pos()).String())
		}
		return true
	})
	return out
}
