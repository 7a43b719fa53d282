// Command paceline-lab runs a cluster of real nodes on one machine, to try things out: nodes that lose power, links that
// are cut, a power switch that lies. See the package paceline/integration/lab.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"paceline/integration/lab"
)

func main() {
	lab.Main()
	if err := app().Run(os.Args); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

var nameFlag = &cli.StringFlag{Name: "name", Value: "default", Usage: "`NAME` of the lab; labs of different names live side by side", EnvVars: []string{"PACELINE_LAB"}}

func app() *cli.App {
	ask := func(do string) cli.ActionFunc {
		return func(c *cli.Context) error {
			if c.NArg() != 1 {
				return fmt.Errorf("%s wants one machine: node1, node2, ... or client", do)
			}
			return request(c, lab.Request{Do: do, Node: c.Args().First()})
		}
	}
	return &cli.App{
		Name: "paceline-lab", Usage: "a cluster of real nodes on this machine, with power to cut and links to break",
		HideVersion: true, ExitErrHandler: func(*cli.Context, error) {}, Flags: []cli.Flag{nameFlag},
		Commands: []*cli.Command{
			{Name: "up", Usage: "make a lab and boot its nodes", Flags: upFlags(), Action: up},
			{Name: "serve", Hidden: true, Flags: upFlags(), Action: serve},
			{Name: "status", Usage: "show machines, services and cuts", Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}}, Action: status},
			{Name: "shell", Usage: "open a shell in a machine", ArgsUsage: "NODE", Action: shell},
			{Name: "exec", Usage: "run a command in a machine", ArgsUsage: "NODE -- COMMAND...", Action: execute},
			{Name: "kill", Usage: "cut a node's power", ArgsUsage: "NODE", Action: ask("kill")},
			{Name: "boot", Usage: "give a node power", ArgsUsage: "NODE", Action: ask("boot")},
			{Name: "pause", Usage: "stop every process of a node in its tracks", ArgsUsage: "NODE", Action: ask("pause")},
			{Name: "resume", Usage: "let a paused node go on", ArgsUsage: "NODE", Action: ask("resume")},
			{Name: "link-down", Usage: "pull a node's cable out", ArgsUsage: "NODE", Action: ask("link-down")},
			{Name: "link-up", Usage: "put a node's cable back", ArgsUsage: "NODE", Action: ask("link-up")},
			{Name: "start", Usage: "start a service of a node", ArgsUsage: "NODE [SERVICE]", Action: service("start")},
			{Name: "signal", Usage: "send a signal to a service", ArgsUsage: "NODE SIGNAL [SERVICE]", Action: service("signal")},
			{Name: "cut", Usage: "cut links: node1 (from all) | node1,node2:node3 (both ways) | node1>node2 (one way)", ArgsUsage: "LINKS...", Action: cut},
			{Name: "loss", Usage: "lose a share of the frames on links", ArgsUsage: "PERCENT LINKS...", Action: loss},
			{Name: "heal", Usage: "end all cuts and losses", Action: func(c *cli.Context) error { return request(c, lab.Request{Do: "heal"}) }},
			{Name: "switch", Usage: "make an outlet misbehave: delay=2s | refuse=WORDS | hang | lie | unreachable | mend", ArgsUsage: "NODE|all FAULT...", Action: powerSwitch},
			{Name: "power", Usage: "show the power switch's log", Action: power},
			{Name: "log", Usage: "print a service's log", ArgsUsage: "NODE [SERVICE]", Action: showLog},
			{Name: "down", Usage: "end everything of a lab and remove what it made", Action: down},
		},
	}
}

func upFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "nodes", Value: 3, Usage: "`NUMBER` of nodes"},
		&cli.IntFlag{Name: "links", Value: 1, Usage: "`NUMBER` of networks that each node is on"},
		&cli.BoolFlag{Name: "systemd", Usage: "nodes run systemd as their first process"},
		&cli.BoolFlag{Name: "form", Usage: "make the nodes a cluster: init on the first, join on the others"},
		&cli.StringFlag{Name: "profile", Usage: "form a cluster with this time `PROFILE`: lan, fast or wan"},
		&cli.StringFlag{Name: "bin", Usage: "`DIR` with pacelined, paceline and fence_lab (default: where paceline-lab is)"},
		&cli.StringFlag{Name: "disk", Usage: "make /var/lib/paceline a file system of this `SIZE` (1m)"},
		&cli.StringFlag{Name: "run", Usage: "run this `COMMAND` in nodes instead of pacelined"},
		&cli.BoolFlag{Name: "keep", Usage: "leave logs and journals behind after down"},
	}
}

func request(c *cli.Context, r lab.Request) error {
	_, err := lab.Ask(lab.DefaultDir(), c.String("name"), r)
	return err
}

// up starts the process that holds the lab and waits until it says that the nodes are up.
func up(c *cli.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	args := []string{"--name", c.String("name"), "serve"}
	for _, f := range upFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			args = append(args, "--"+name+"="+fmt.Sprint(c.Value(name)))
		}
	}
	cmd := exec.Command(exe, args...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return err
	}
	// A line, not all there is: the descriptor may live on in somebody who has nothing to say.
	said, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && said == "" {
		return fmt.Errorf("the lab's process ended without a word: %w", err)
	}
	if text := strings.TrimSpace(said); text != "ready" {
		return errors.New(text)
	}
	return status(c)
}

// serve is the life of the process that holds a lab.
func serve(c *cli.Context) error {
	said := os.NewFile(3, "ready")
	lab.Enter(said)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := hold(ctx, c, func() {
		fmt.Fprintln(said, "ready")
		_ = said.Close()
	})
	if err != nil {
		fmt.Fprintln(said, err)
	}
	return err
}

func hold(ctx context.Context, c *cli.Context, ready func()) error {
	bin := c.String("bin")
	if bin == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		bin = filepath.Dir(exe)
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	daemon := lab.Daemon()
	if run := c.String("run"); run != "" {
		daemon = lab.Service{Name: "run", Args: []string{"sh", "-c", run}}
	} else if _, err := os.Stat(filepath.Join(bin, "pacelined")); err != nil {
		return fmt.Errorf("no pacelined in %s (make build, or --bin DIR, or --run COMMAND)", bin)
	}
	l, err := lab.New(lab.Options{Name: c.String("name"), Nodes: c.Int("nodes"), Links: c.Int("links"), Systemd: c.Bool("systemd"), Bin: bin,
		Services: []lab.Service{daemon}, Disk: c.String("disk"), Keep: c.Bool("keep"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := l.Up(ctx); err != nil {
		return errors.Join(err, l.Down())
	}
	if c.Bool("form") || c.IsSet("profile") {
		if err := form(ctx, l, c.String("profile")); err != nil {
			return errors.Join(err, l.Down())
		}
	}
	return errors.Join(l.Serve(ctx, ready), l.Down())
}

// form makes a cluster of the nodes as an operator would: by the command line, on each of them.
func form(ctx context.Context, l *lab.Lab, profile string) error {
	if profile == "" {
		profile = "lan"
	}
	for i, n := range l.Nodes() {
		if err := awaitSocket(ctx, n); err != nil {
			return err
		}
		if i == 0 {
			if _, err := n.Exec(ctx, append([]string{"paceline", "cluster", "init", "--profile", profile}, n.AddressArgs()...)...); err != nil {
				return err
			}
			continue
		}
		token, err := l.Nodes()[0].Output(ctx, "paceline", "cluster", "token")
		if err != nil {
			return err
		}
		if _, err := n.ExecInput(ctx, strings.NewReader(string(token)), append(append([]string{"paceline", "cluster", "join"}, n.AddressArgs()...), "-")...); err != nil {
			return err
		}
	}
	return nil
}

// awaitSocket returns when the node's daemon has opened its socket: some ten milliseconds after the boot.
func awaitSocket(ctx context.Context, n *lab.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		_, err := n.Exec(ctx, "test", "-S", "/run/paceline/paceline.sock")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon on %s opens no socket: %w", n.Name, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func status(c *cli.Context) error {
	a, err := lab.Ask(lab.DefaultDir(), c.String("name"), lab.Request{Do: "status"})
	if err != nil {
		return err
	}
	s := a.Status
	if c.Bool("json") {
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	fmt.Printf("lab %s, by %s, in %s\n", s.Name, s.Means, s.Dir)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, n := range s.Nodes {
		state := "off"
		if n.On {
			state = fmt.Sprintf("on, process %d", n.PID)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s", n.Name, n.Addr, state)
		for name, text := range n.Services {
			fmt.Fprintf(w, "\t%s: %s", name, text)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, cut := range s.Cuts {
		fmt.Println("  cut:", cut)
	}
	return nil
}

func shell(c *cli.Context) error {
	if c.NArg() != 1 {
		return errors.New("shell wants one machine: node1, node2, ... or client")
	}
	return enter(c, c.Args().First(), []string{"sh", "-i"})
}

func execute(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) > 1 && args[1] == "--" {
		args = append(args[:1:1], args[2:]...)
	}
	if len(args) < 2 {
		return errors.New("exec wants a machine and a command: paceline-lab exec node1 -- ip addr")
	}
	return enter(c, args[0], args[1:])
}

func enter(c *cli.Context, node string, args []string) error {
	a, err := lab.Ask(lab.DefaultDir(), c.String("name"), lab.Request{Do: "status"})
	if err != nil {
		return err
	}
	argv, env, err := lab.EnterCommand(*a.Status, node, args)
	if err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func service(do string) cli.ActionFunc {
	return func(c *cli.Context) error {
		args := c.Args().Slice()
		r := lab.Request{Do: do, Service: "pacelined"}
		if do == "signal" && len(args) > 1 {
			n, err := signalNumber(args[1])
			if err != nil {
				return err
			}
			r.Number = n
			args = append(args[:1:1], args[2:]...)
		} else if do == "signal" {
			return errors.New("signal wants a node and a signal: paceline-lab signal node1 TERM")
		}
		if len(args) < 1 {
			return fmt.Errorf("%s wants a node", do)
		}
		r.Node = args[0]
		if len(args) > 1 {
			r.Service = args[1]
		}
		return request(c, r)
	}
}

func signalNumber(text string) (int, error) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	known := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2}
	if s, ok := known[strings.TrimPrefix(strings.ToUpper(text), "SIG")]; ok {
		return int(s), nil
	}
	return 0, fmt.Errorf("signal %q is not known", text)
}

func cut(c *cli.Context) error {
	if c.NArg() == 0 {
		return errors.New("cut wants links: node1, node1,node2:node3 or 'node1>node2'")
	}
	return request(c, lab.Request{Do: "cut", Words: c.Args().Slice()})
}

func loss(c *cli.Context) error {
	percent, err := strconv.Atoi(strings.TrimSuffix(c.Args().First(), "%"))
	if err != nil || c.NArg() < 2 {
		return errors.New("loss wants a percentage and links: paceline-lab loss 20 node1")
	}
	return request(c, lab.Request{Do: "loss", Number: percent, Words: c.Args().Tail()})
}

func powerSwitch(c *cli.Context) error {
	if c.NArg() < 2 {
		return errors.New("switch wants an outlet and a fault: paceline-lab switch node1 delay=2s")
	}
	outlet := c.Args().First()
	if outlet == "all" {
		outlet = ""
	}
	return request(c, lab.Request{Do: "switch", Node: outlet, Words: c.Args().Tail()})
}

func power(c *cli.Context) error {
	a, err := lab.Ask(lab.DefaultDir(), c.String("name"), lab.Request{Do: "power"})
	if err != nil {
		return err
	}
	for _, e := range a.Events {
		fmt.Printf("%s %-8s %-16s %s %s\n", e.Time.Format("15:04:05.000"), e.Node, e.What, e.By, e.Note)
	}
	return nil
}

func showLog(c *cli.Context) error {
	node, name := c.Args().Get(0), c.Args().Get(1)
	if node == "" {
		return errors.New("log wants a node")
	}
	if name == "" {
		name = "pacelined"
	}
	a, err := lab.Ask(lab.DefaultDir(), c.String("name"), lab.Request{Do: "status"})
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(a.Status.Dir, filepath.Base(node), "var/log", filepath.Base(name)+".log"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}

// down takes the lab down, whether the process that holds it lives or not. A lab that is not up is no error.
func down(c *cli.Context) error {
	dir, name := lab.DefaultDir(), c.String("name")
	if _, err := lab.Ask(dir, name, lab.Request{Do: "down"}); err == nil {
		return nil
	}
	return lab.Sweep(dir, name)
}
