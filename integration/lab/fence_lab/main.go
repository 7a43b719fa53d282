// Command fence_lab fences a node of the lab at the lab's power switch. It is an ordinary fence agent: options as
// name=value lines on standard input (or the long and short options of the family), actions on, off, reboot, status, monitor,
// list and metadata, exit status 0 for done, 1 for not, and 2 for the status "off". It returns 0 only when the switch
// confirmed the action.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Exit statuses of the fence agents' interface.
const (
	exitDone   = 0
	exitFailed = 1
	exitOff    = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// options are what the agent was asked.
type options struct {
	action  string
	plug    string
	socket  string
	delay   time.Duration
	timeout time.Duration
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o := options{action: "reboot", socket: "/run/lab-power.sock", timeout: 30 * time.Second}
	var err error
	if len(args) > 0 {
		err = o.fromArgs(args)
	} else {
		err = o.fromInput(stdin)
	}
	if err == nil && o.action == "metadata" {
		fmt.Fprint(stdout, metadata)
		return exitDone
	}
	if err == nil {
		time.Sleep(o.delay) // asked for by the option of that name
		var code int
		if code, err = o.act(stdout); err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "fence_lab: %v\n", err)
	return exitFailed
}

// set takes one option in. Unknown ones are left alone, as the family does: fencers pass more than an agent knows.
func (o *options) set(name, value string) error {
	seconds := func(into *time.Duration) error {
		s, err := strconv.ParseFloat(strings.TrimSuffix(value, "s"), 64)
		if err != nil || s < 0 {
			return fmt.Errorf("option %s: %q is not a number of seconds", name, value)
		}
		*into = time.Duration(s * float64(time.Second))
		return nil
	}
	switch name {
	case "action", "option", "o":
		o.action = value
	case "plug", "port", "n":
		o.plug = value
	case "nodename":
		if o.plug == "" {
			o.plug = value
		}
	case "socket":
		o.socket = value
	case "delay":
		return seconds(&o.delay)
	case "timeout", "power_timeout", "shell_timeout":
		return seconds(&o.timeout)
	}
	return nil
}

func (o *options) fromInput(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		name, value, ok := strings.Cut(line, "=")
		if line == "" || strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if err := o.set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// fromArgs reads "-o off -n node1" and "--action=off --plug=node1".
func (o *options) fromArgs(args []string) error {
	for i := 0; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		if name == args[i] {
			return fmt.Errorf("argument %q: want options such as -o off -n node1", name)
		}
		name, value, ok := strings.Cut(name, "=")
		if !ok {
			if i+1 == len(args) {
				return fmt.Errorf("option %s wants a value", args[i])
			}
			i++
			value = args[i]
		}
		if err := o.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// request and reply are the power switch's protocol: a line of JSON each way.
type request struct {
	Action string `json:"action"`
	Plug   string `json:"plug,omitempty"`
}

type reply struct {
	OK     bool     `json:"ok"`
	Status string   `json:"status"`
	Plugs  []string `json:"plugs"`
	Error  string   `json:"error"`
}

func (o *options) act(stdout io.Writer) (int, error) {
	ask := request{Action: o.action, Plug: o.plug}
	switch o.action {
	case "on", "off", "reboot", "status":
		if o.plug == "" {
			return exitFailed, fmt.Errorf("action %s wants an outlet (plug=NODE)", o.action)
		}
	case "monitor":
		ask.Plug = ""
	case "list", "list-status":
		ask = request{Action: "list"}
	default:
		return exitFailed, fmt.Errorf("action %q: want on, off, reboot, status, monitor, list or metadata", o.action)
	}
	r, err := o.ask(ask)
	if err != nil {
		return exitFailed, err
	}
	switch o.action {
	case "status":
		fmt.Fprintf(stdout, "Status: %s\n", strings.ToUpper(r.Status))
		if r.Status == "off" {
			return exitOff, nil
		}
	case "list", "list-status":
		for _, p := range r.Plugs {
			fmt.Fprintf(stdout, "%s,\n", p)
		}
	}
	return exitDone, nil
}

func (o *options) ask(q request) (reply, error) {
	var r reply
	conn, err := net.DialTimeout("unix", o.socket, o.timeout)
	if err != nil {
		return r, fmt.Errorf("reach the power switch: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(o.timeout)); err != nil {
		return r, err
	}
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return r, fmt.Errorf("ask the power switch: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		return r, fmt.Errorf("the power switch did not answer: %w", err)
	}
	if !r.OK {
		return r, fmt.Errorf("the power switch refused: %s", r.Error)
	}
	return r, nil
}

const metadata = `<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Fence agent for the power switch of paceline's lab">
<longdesc>fence_lab switches the power of nodes of the lab, by the lab's power switch, which is a unix socket in every node.</longdesc>
<vendor-url></vendor-url>
<parameters>
	<parameter name="action" unique="0" required="1">
		<getopt mixed="-o, --action=[action]" />
		<content type="string" default="reboot" />
		<shortdesc lang="en">Fencing action</shortdesc>
	</parameter>
	<parameter name="plug" unique="0" required="1" obsoletes="port">
		<getopt mixed="-n, --plug=[id]" />
		<content type="string" />
		<shortdesc lang="en">Outlet: the node's name</shortdesc>
	</parameter>
	<parameter name="port" unique="0" required="0" deprecated="1">
		<getopt mixed="-n, --plug=[id]" />
		<content type="string" />
		<shortdesc lang="en">Outlet: the node's name</shortdesc>
	</parameter>
	<parameter name="socket" unique="0" required="0">
		<getopt mixed="--socket=[path]" />
		<content type="string" default="/run/lab-power.sock" />
		<shortdesc lang="en">Socket of the power switch</shortdesc>
	</parameter>
	<parameter name="delay" unique="0" required="0">
		<getopt mixed="--delay=[seconds]" />
		<content type="second" default="0" />
		<shortdesc lang="en">Wait this many seconds before anything else</shortdesc>
	</parameter>
	<parameter name="power_timeout" unique="0" required="0">
		<getopt mixed="--power-timeout=[seconds]" />
		<content type="second" default="30" />
		<shortdesc lang="en">Wait this many seconds for the switch to answer</shortdesc>
	</parameter>
</parameters>
<actions>
	<action name="on" automatic="0"/>
	<action name="off" />
	<action name="reboot" />
	<action name="status" />
	<action name="monitor" />
	<action name="list" />
	<action name="metadata" />
</actions>
</resource-agent>
`
